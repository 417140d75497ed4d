"""Doing something to a module as soon as it is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .late import WrappedLoader


def after_import(name: str, action: Callable[[], None]) -> None:
    """Call ``action`` now if the module ``name`` is loaded, else right after it has been."""
    if name in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _Finder(name, action))


class _Finder:
    """Watches for one module; asks the other finders for it."""

    def __init__(self, name: str, action: Callable[[], None]) -> None:
        self._name = name
        self._action = action
        self._searching = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that another finder has for the module, its loader wrapped."""
        if fullname != self._name or self._searching:
            return None
        self._searching = True
        try:
            spec = self._elsewhere(fullname, path, target)
        finally:
            self._searching = False
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = WrappedLoader(spec.loader, self._execute)  # type: ignore[assignment]
        return spec

    def _elsewhere(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        for finder in [finder for finder in sys.meta_path if finder is not self]:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find is not None else None
            if spec is not None:
                return spec
        return None

    def _execute(self, module: ModuleType, loader: Any) -> None:
        loader.exec_module(module)
        self._action()
