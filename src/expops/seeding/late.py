"""Libraries that are first imported inside an action are seeded as they load, before user code can draw."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .sources import RandomSource

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class LateImports:
    """A finder that watches for the sources' modules; ``on_load(source)`` is called when one was executed.

    Any other import costs one look-up in a dictionary.
    """

    def __init__(self, sources: Iterable[RandomSource], on_load: Callable[[RandomSource], None]) -> None:
        self._sources = {source.module: source for source in sources}
        self._on_load = on_load
        self._searching: set[str] = set()
        self._wanted = False

    def install(self) -> None:
        """Watch imports from now on, ahead of other finders; to be repeated in case user code removed it."""
        self._wanted = True
        if not sys.meta_path or sys.meta_path[0] is not self:
            self._unhook()
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Watch no more."""
        if self._wanted:
            self._wanted = False
            self._unhook()

    def _unhook(self) -> None:
        # In place: the list object belongs to the interpreter. User code may have put the finder back twice.
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the finders behind this one have for a watched module, its loader wrapped."""
        source = self._sources.get(fullname)
        # Finders that ask all others, as some import hooks do, would ask this one for ever.
        if source is None or not self._wanted or fullname in self._searching:
            return None
        self._searching.add(fullname)
        try:
            spec = self._find_behind(fullname, path, target)
        finally:
            self._searching.discard(fullname)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = WrappedLoader(spec.loader, partial(self._execute, source))  # type: ignore[assignment]
        return spec

    def _find_behind(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        finders = list(sys.meta_path)
        start = finders.index(self) + 1 if self in finders else 0
        for finder in finders[start:]:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find is not None else None
            if spec is not None:
                return spec
        return None

    def _execute(self, source: RandomSource, module: ModuleType, loader: Any) -> None:
        loader.exec_module(module)
        if self._wanted:
            self._on_load(source)


class WrappedLoader:
    """Another loader, with ``execute(module, loader)`` in place of its ``exec_module``; steps out of the way then."""

    def __init__(self, loader: Any, execute: Callable[[ModuleType, Any], None]) -> None:
        self._loader = loader
        self._execute = execute

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The inner loader's module, made with a spec that names the inner loader."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own loader back, and have it executed."""
        spec: Any = module.__spec__
        if spec is not None and spec.loader is self:
            spec.loader = self._loader
        if vars(module).get("__loader__") is self:
            module.__loader__ = self._loader
        self._execute(module, self._loader)
