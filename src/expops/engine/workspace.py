"""What a worker keeps from task to task: the cache, the project's code, its imported scripts."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from ..cache import ambient
from ..cache.discovery import Places
from ..cache.files import FileDigests
from ..cache.input_file import remember_in
from ..cache.observe import Observer, install
from ..errors import ProcessError
from ..hashing.code import CodeFingerprint, ProjectCode
from ..pipeline import signing_keys
from ..seeding import profiles
from .audit import CodeAudit
from .describe import Describer
from .imports import ImportGuard
from .isolation import put_back_all
from .numeric import NumericEnvironment
from .setup import Setup
from .streams import Capture, Sink


class Workspace:
    """One for each run in an OS process."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.cache = setup.open_cache()
        if self.cache.leases is not None:
            self.cache.leases.holder = setup.holder
        self._memo = setup.open_memo()
        self.code = ProjectCode(
            setup.project, import_roots=setup.import_roots, memo=self._memo, libraries=setup.libraries
        )
        self.cache.code = self.code
        self.describer = Describer(self.code)
        files = FileDigests(self._memo)
        remember_in(files)
        declared = [os.path.join(setup.project, path) for path in setup.data]
        self.observer = Observer(Places(setup.project, None), files, declared)
        self.observer.own_variables |= {*setup.secrets}
        self.audit = CodeAudit(self.code) if setup.audit else None
        self.imports = ImportGuard(self.code, setup.project, setup.seed, self.observer, self.audit)
        self.capture = Capture()
        self.numeric = NumericEnvironment()
        self._scripts: dict[str, ModuleType] = {}
        self._path = [root for root in setup.import_roots if root not in sys.path]
        self._enter()

    def _enter(self) -> None:
        setup = self.setup
        signing_keys.hide(setup.secrets)
        install()
        self._mark = ambient.mark()
        os.environ["MLOPS_WORKSPACE_DIR"] = os.path.dirname(setup.project)
        os.environ["MLOPS_PROJECT_ID"] = setup.project_name
        os.environ["EXPOPS_RUN_ID"] = setup.run_id
        sys.path[:0] = self._path
        # Byte code would be left behind in the project's folders.
        sys.dont_write_bytecode = True
        sys.meta_path.append(self)
        self.imports.install()
        profiles.watch(setup.profile)

    @contextmanager
    def process(self, work: str, symbols: Collection[str], sink: Sink, profile: str) -> Iterator[None]:
        """Around one process: modules of the project are loaded anew in it, and what it changes is put back after it.

        ``symbols`` are those that its code reaches, ``profile`` is that of its key. So it makes no difference which
        processes a worker runs before.
        """
        self._unload()
        profiles.settle()
        self.describer = Describer(self.code, profile=profile)
        self.imports.executed = partial(self._executed, symbols)
        self.observer.places = Places(self.setup.project, work)
        self.capture.sink = sink
        try:
            with put_back_all(self._is_own_logger):
                os.chdir(work)
                yield
        finally:
            self.capture.sink = None

    def _executed(self, symbols: Collection[str], file: str, namespace: dict[str, Any]) -> None:
        self.describer.forget()
        self.describer.state.loaded(symbols, file, namespace)

    def _unload(self) -> None:
        for name, module in list(sys.modules.items()):
            # A module may have put anything in its own place.
            own = name in self.imports.names or self._is_source(getattr(module, "__file__", None))
            if name != "__main__" and (own or self._is_folder(module)):
                del sys.modules[name]
        importlib.invalidate_caches()
        self._scripts.clear()
        self.imports.read.clear()
        self.code.forget_loaded()

    def _is_source(self, file: object) -> bool:
        return isinstance(file, str) and file.endswith(".py") and self.imports.project_file(file) is not None

    def _is_folder(self, module: ModuleType) -> bool:
        """Whether it is a folder of the project without ``__init__.py``, whose submodules are its attributes."""
        folders = list(getattr(module, "__path__", ())) if getattr(module, "__file__", None) is None else []
        return any(self._is_source(os.path.join(folder, "any.py")) for folder in folders if isinstance(folder, str))

    def _is_own_logger(self, name: str) -> bool:
        module = sys.modules.get(name.partition(".")[0])
        return module is None or self._is_source(getattr(module, "__file__", None))

    def as_loaded(self, code: CodeFingerprint) -> bool:
        """Whether a fingerprint is of the code that was loaded, and not of an edit since."""
        loaded = self.imports.contents
        return all(self.code.content(file) == loaded[file] for file in code.files if file in loaded)

    def load_script(self, script: str) -> ModuleType:
        """Import a script of the project, once in a process. Raises what the script raises."""
        module = self._scripts.get(script)
        if module is None:
            module = self._scripts[script] = self._import(script)
        return module

    def _import(self, script: str) -> ModuleType:
        path = os.path.join(self.setup.project, script)
        name = self._module_name(path)
        found = sys.modules.get(name)
        if found is not None and getattr(found, "__file__", None) == path:
            return found
        if found is None and not self._is_taken(name):
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.origin == path:
                return importlib.import_module(name)
        # Another module has this name already: the script gets one of its own.
        return self._import_file(script, path)

    def _is_taken(self, name: str) -> bool:
        """Whether no module can have that name, or a library has it, which others may look for under it."""
        first, *others = name.split(".")
        if not all(part.isidentifier() for part in (first, *others)) or first in sys.stdlib_module_names:
            return True
        elsewhere = [entry for entry in sys.path if entry not in self.setup.import_roots]
        found = None if others else PathFinder.find_spec(name, elsewhere)
        return found is not None and found.origin is not None and not self.code.is_own(found.origin)

    def _module_name(self, path: str) -> str:
        """The name to import a script by: its own, or one within its package if it imports from there by dots."""
        folder, name = os.path.dirname(path), os.path.splitext(os.path.basename(path))[0]
        with open(path, "rb") as file:
            relative = re.search(rb"^\s*from\s*\.", file.read(), re.MULTILINE)
        while relative and folder != self.setup.project and os.path.isfile(os.path.join(folder, "__init__.py")):
            folder, package = os.path.split(folder)
            name = f"{package}.{name}"
        return name

    def _import_file(self, script: str, path: str) -> ModuleType:
        name = _alias(script)
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ProcessError(f"{script} can't be imported: it is no Python file")
        return importlib.import_module(name)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a script under the name that it got because another module has its own.

        Asked last, by whoever imports it and by pickles of what it defines.
        """
        if not fullname.startswith(_ALIAS):
            return None
        for root in self.setup.import_roots:
            for file in os.listdir(root):
                place = os.path.join(root, file)
                if file.endswith(".py") and _alias(os.path.relpath(place, self.setup.project)) == fullname:
                    return importlib.util.spec_from_file_location(fullname, place)
        return None

    def close(self) -> None:
        """Write down what is pending and let go."""
        self.imports.remove()
        profiles.watch(profiles.FAST)  # whoever imports a library next is not of this run
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        self._unload()
        ambient.put_back(self._mark)
        signing_keys.reveal()
        sys.path[:] = [entry for entry in sys.path if entry not in self._path]
        self.take_warnings()
        if self.cache.leases is not None:
            self.cache.leases.close()  # and what is handed over beside this has arrived
        remember_in(FileDigests())
        self._memo.close()
        self.cache.kv.close()

    def take_warnings(self) -> list[str]:
        """What the cache had to say since the last call; writes down what it still held."""
        self.cache.settle()
        self._memo.flush()
        messages = list(self.cache.warnings)
        self.cache.warnings.clear()
        return messages


_ALIAS = "project_"


def _alias(script: str) -> str:
    return _ALIAS + "".join(char if char.isalnum() else "_" for char in os.path.splitext(script)[0])


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
