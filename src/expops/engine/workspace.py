"""What a worker keeps from task to task: the cache, the project's code, its imported scripts."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType

from ..cache.discovery import Places
from ..cache.files import FileDigests
from ..cache.memo import KVMemo
from ..cache.observe import Observer, install
from ..errors import ProcessError
from ..hashing.code import ProjectCode
from .describe import Describer
from .imports import ImportGuard
from .setup import Setup


class Workspace:
    """One for each run in an OS process."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.cache = setup.open_cache()
        self._memo = KVMemo(self.cache.kv)
        self.code = ProjectCode(setup.project, import_roots=setup.import_roots, memo=self._memo)
        self.describer = Describer(self.code)
        self.observer = Observer(Places(setup.project, None), FileDigests(self._memo))
        self.imports = ImportGuard(setup.project, setup.seed, self.observer)
        self._scripts: dict[str, ModuleType] = {}
        self._enter()

    def _enter(self) -> None:
        setup = self.setup
        os.environ["MLOPS_WORKSPACE_DIR"] = os.path.dirname(setup.project)
        os.environ["MLOPS_PROJECT_ID"] = setup.project_name
        os.environ["EXPOPS_RUN_ID"] = setup.run_id
        sys.path[:0] = [root for root in setup.import_roots if root not in sys.path]
        # Modules of an earlier run in this OS process may be of other code than the files have now.
        for name, module in list(sys.modules.items()):
            if _lies_in(module, setup.project):
                del sys.modules[name]
        importlib.invalidate_caches()
        # Byte code would be left behind in the project's folders.
        sys.dont_write_bytecode = True
        install()
        self.imports.install()

    def load_script(self, script: str) -> ModuleType:
        """Import a script of the project, once. Raises what the script raises."""
        module = self._scripts.get(script)
        if module is None:
            module = self._scripts[script] = self._import(script)
        return module

    def _import(self, script: str) -> ModuleType:
        path = os.path.join(self.setup.project, script)
        name = os.path.splitext(os.path.basename(script))[0]
        found = sys.modules.get(name)
        if found is not None and getattr(found, "__file__", None) == path:
            return found
        if found is None and name.isidentifier():
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.origin == path:
                return importlib.import_module(name)
        # Another module has this name already: the script gets one of its own.
        return self._import_file(script, path)

    def _import_file(self, script: str, path: str) -> ModuleType:
        name = "project_" + "".join(char if char.isalnum() else "_" for char in os.path.splitext(script)[0])
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ProcessError(f"{script} can't be imported: it is no Python file")
        loader = spec.loader
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            self.imports.execute(name, path, lambda: loader.exec_module(module))
        except BaseException:
            del sys.modules[name]
            raise
        return module

    def close(self) -> None:
        """Write down what is pending and let go."""
        self.imports.remove()
        self.take_warnings()
        self.cache.kv.close()

    def take_warnings(self) -> list[str]:
        """What the cache had to say since the last call; writes down what it still held."""
        self.cache.flush()
        self._memo.flush()
        messages = list(self.cache.warnings)
        self.cache.warnings.clear()
        return messages


def _lies_in(module: ModuleType, project: str) -> bool:
    file = getattr(module, "__file__", None)
    inside = isinstance(file, str) and file.startswith(project + os.sep)
    return inside and not str(file).startswith(sys.prefix + os.sep)


_open: dict[tuple[str, str], Workspace] = {}


def workspace(setup: Setup) -> Workspace:
    """The workspace of a run in this OS process."""
    key = (setup.project, setup.run_id)
    if key not in _open:
        _open[key] = Workspace(setup)
    return _open[key]


def close_workspace(setup: Setup) -> None:
    """Let go of a run's workspace, if this OS process has one."""
    shared = _open.pop((setup.project, setup.run_id), None)
    if shared is not None:
        shared.close()
