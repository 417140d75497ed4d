"""Imports that leave no trace in the action that happens to make them first.

What a module reads and draws while it is imported would else count for the first action of a worker that needs it, and
shift that action's random numbers. So each outermost import of a library is an action of its own as far as random
state goes, and so is each module of the project, whose reads and draws are kept and count for every action that
reaches the module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from ..cache.observe import Observer, watch
from ..cache.watching import unwatched
from ..hashing.code import ProjectCode
from ..hashing.digest import digest_bytes
from ..seeding.late import WrappedLoader
from ..seeding.session import SeededAction
from .audit import CodeAudit
from .frames import SeedPath
from .isolation import keep_library_settings

Values = dict[str, dict[str, str]]


class ImportGuard:
    """A finder in front of all others, between :meth:`install` and :meth:`remove`.

    ``read`` maps project files to what was discovered while they were imported, ``contents`` to the digest of the
    source that was loaded: a file is read once, and its module can be executed again from what was read.
    ``names`` are those by which modules of the project were imported; after each of them ``executed(file, namespace)``
    is called.
    """

    def __init__(
        self, code: ProjectCode, project: str, seed: int, observer: Observer, audit: CodeAudit | None = None
    ) -> None:
        self.read: dict[str, Values] = {}
        self.contents: dict[str, str] = {}
        self.names: set[str] = set()
        self.executed: Callable[[str, dict[str, Any]], None] = lambda file, namespace: None
        self._code = code
        self._compiled: dict[str, CodeType] = {}
        self._project = project + os.sep
        self._seed = seed
        self._observer = observer
        self._audit = audit
        self._in_library = False
        self._searching: set[str] = set()

    def install(self) -> None:
        """Watch imports from now on."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Watch no more."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders have, its loader guarded; inside a library's import, nothing."""
        if self._in_library or fullname in self._searching:
            return None
        self._searching.add(fullname)
        try:
            spec = self._find_elsewhere(fullname, path, target)
        finally:
            self._searching.discard(fullname)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = WrappedLoader(spec.loader, partial(self.execute, fullname, spec.origin))  # type: ignore[assignment]
        return spec

    def _find_elsewhere(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find is not None and finder is not self else None
            if spec is not None:
                return spec
        return None

    def project_file(self, origin: str | None) -> str | None:
        """The project-relative path of a module's file, or ``None`` for a library's."""
        if origin is None or not origin.startswith(self._project) or not self._code.is_own(origin):
            return None
        return origin[len(self._project) :]

    def execute(self, name: str, origin: str | None, module: ModuleType, loader: Any) -> None:
        """Execute a module that is being imported."""
        with unwatched():
            file = self.project_file(origin)
        if file is None:
            self._execute_library(name, lambda: loader.exec_module(module))
        else:
            self.names.add(name)
            self._execute_own(file, module, loader)

    def _execute_library(self, name: str, run: Callable[[], None]) -> None:
        if self._in_library:
            run()
            return
        self._in_library = self._observer.importing_library = True
        try:
            with keep_library_settings(), SeededAction(SeedPath(0, "", "import:" + name).seed_for):
                run()
        finally:
            self._in_library = self._observer.importing_library = False

    def _execute_own(self, file: str, module: ModuleType, loader: Any) -> None:
        seeds = SeedPath(self._seed, "", "import:" + file)
        before = watch(None)
        try:
            code = self._source(file, loader)
            watch(self._observer)
            with (
                self._observer.action() as observed,
                SeededAction(seeds.seed_for) as seeded,
                self._audit.importing() if self._audit is not None else nullcontext(),
            ):
                if code is None:
                    loader.exec_module(module)
                else:
                    exec(code, module.__dict__)
        finally:
            watch(before)
        if seeded.drew:
            observed.seed[seeds.step] = seeds.identity()
        self.read[file] = observed.values()
        if self._observer.stack:
            self._observer.stack[-1].add(self.read[file])
        with unwatched():  # to learn of what was made it reads code
            self.executed(file, module.__dict__)

    def _source(self, file: str, loader: Any) -> CodeType | None:
        """The code of a source file, as it was when this was first asked for; ``None`` for other kinds of module."""
        if file not in self._compiled and hasattr(loader, "source_to_code"):
            path = self._project + file
            source = loader.get_data(path)
            self.contents[file] = digest_bytes(source)
            self._compiled[file] = loader.source_to_code(source, path)
        return self._compiled.get(file)
