"""Environment variables and the current folder: told to whoever watches, and put back after an action.

They belong to the OS process as a whole, so what one action changes would reach others: those that happen to run in
the same worker, and those that come after a step that was skipped this time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

_Read: TypeAlias = Callable[[str, str | None], None]
_Assigned: TypeAlias = Callable[[str], None]
_listeners: tuple[_Read, _Assigned] | None = None
# What has been changed since the outermost mark, with what was there before; "" is the current folder.
_undo: list[tuple[str, str | None]] = []
_marks = 0


def install(read: _Read, assigned: _Assigned) -> None:
    """Have ``read(name, value)`` and ``assigned(name)`` called for environment variables; once for an OS process."""
    global _listeners
    _listeners = (read, assigned)
    sys.addaudithook(_on_event)
    os.environ.__class__ = _WatchedEnvironment


def mark() -> int:
    """Begin to remember what is changed; to be followed by :func:`put_back` or :func:`leave`, which nest."""
    global _marks
    _marks += 1
    return len(_undo)


def put_back(since: int) -> None:
    """Undo all changes since :func:`mark` gave ``since``."""
    global _marks
    _marks -= 1
    changes = _undo[since:]
    for name, before in reversed(changes):
        if not name:
            os.chdir(before or os.sep)
        elif before is not None:
            os._Environ.__setitem__(os.environ, name, before)
        elif _value(name) is not None:
            os._Environ.__delitem__(os.environ, name)
    # Undoing is a change of the folder as well, which was noted meanwhile.
    del _undo[since:]


def leave(since: int) -> None:
    """Let the changes since :func:`mark` gave ``since`` stay, whatever is put back later."""
    global _marks
    _marks -= 1
    del _undo[since:]


def _value(name: str) -> str | None:
    try:
        return os._Environ.__getitem__(os.environ, name)
    except KeyError:
        return None


def _read(name: str, value: str | None) -> None:
    if _listeners is not None:
        _listeners[0](name, value)


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    if _marks and event == "os.chdir":
        _undo.append(("", os.getcwd()))


class _WatchedEnvironment(os._Environ):  # type: ignore[type-arg]
    """``os.environ``, telling which variables are read and set one by one."""

    def __getitem__(self, key: Any) -> Any:
        try:
            value = super().__getitem__(key)
        except KeyError:
            _read(key, None)
            raise
        _read(key, value)
        return value

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return super().__contains__(key)
        value = _value(key)
        _read(key, value)
        return value is not None

    def __setitem__(self, key: Any, value: Any) -> None:
        self._about_to_change(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        self._about_to_change(key)
        super().__delitem__(key)

    def _about_to_change(self, key: Any) -> None:
        if _marks and isinstance(key, str):
            _undo.append((key, _value(key)))
            if _listeners is not None:
                _listeners[1](key)
