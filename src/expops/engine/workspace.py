"""What a worker keeps from task to task: the cache, the project's code, its imported scripts."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from ..cache.discovery import Places, Values
from ..cache.files import FileDigests
from ..cache.memo import KVMemo
from ..cache.observe import Observer, install, watch
from ..cache.store import ResultCache
from ..errors import ProcessError
from ..hashing.code import ProjectCode
from ..seeding.session import SeededAction
from .describe import Describer
from .frames import SeedPath


class Setup(NamedTuple):
    """What a worker needs to know of a run. ``open_cache`` must pickle: it opens the cache in the worker.

    ``project`` and ``work`` are absolute folders (of the project, and for this run's working folders); ``import_roots``
    go in front of ``sys.path``.
    """

    project: str
    project_name: str
    run_id: str
    work: str
    seed: int
    import_roots: tuple[str, ...]
    open_cache: Callable[[], ResultCache]


class Workspace:
    """One for each run in an OS process."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.cache = setup.open_cache()
        self._memo = KVMemo(self.cache.kv)
        self.code = ProjectCode(setup.project, import_roots=setup.import_roots, memo=self._memo)
        self.describer = Describer(self.code)
        self.observer = Observer(Places(setup.project, None), FileDigests(self._memo))
        self.imports: dict[str, dict[str, dict[str, str]]] = {}
        self._scripts: dict[str, ModuleType] = {}
        self._enter()
        self._known_modules = set(sys.modules)

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

    def load_script(self, script: str) -> ModuleType:
        """Import a script of the project, once; what it reads and draws meanwhile counts for all that reach it.

        Raises what the script raises.
        """
        module = self._scripts.get(script)
        if module is None:
            seeds = SeedPath(self.setup.seed, "", "import:" + script)
            with self.observer.action() as observed, SeededAction(seeds.seed_for) as seeded:
                before = watch(self.observer)
                try:
                    module = self._import(script)
                finally:
                    watch(before)
            if seeded.drew:
                observed.seed[seeds.step] = seeds.identity()
            self.remember_imports(observed.values())
            self._scripts[script] = module
        return module

    def remember_imports(self, values: Values) -> None:
        """Note that modules imported since the last call may have read ``values`` while they were imported."""
        new = [sys.modules[name] for name in set(sys.modules) - self._known_modules]
        self._known_modules = set(sys.modules)
        for module in new if values else ():
            if _lies_in(module, self.setup.project):
                file = os.path.relpath(str(module.__file__), self.setup.project)
                self.imports[file] = {kind: dict(found) for kind, found in values.items()}

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
        return _import_file(script, path)

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


def _import_file(script: str, path: str) -> ModuleType:
    name = "project_" + "".join(char if char.isalnum() else "_" for char in os.path.splitext(script)[0])
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProcessError(f"{script} can't be imported: it is no Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


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
        shared.take_warnings()
        shared.cache.kv.close()
