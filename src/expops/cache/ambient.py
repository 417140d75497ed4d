"""Environment variables and the current folder: told to whoever watches, and put back after an action.

They belong to the OS process as a whole, so what one action changes would reach others: those that happen to run in
the same worker, and those that come after a step that was skipped this time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final, TypeAlias

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
    if os.supports_bytes_environ:
        os.environb.__class__ = _WatchedEnvironment


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


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    if _marks and event == "os.chdir":
        _undo.append(("", os.getcwd()))


class _WatchedEnvironment(os._Environ):  # type: ignore[type-arg]
    """``os.environ`` and ``os.environb``, telling which variables are read and set one by one.

    Whoever copies all of it depends on no single variable: on all of them, an action would never be found again.
    """

    def __getitem__(self, key: Any) -> Any:
        try:
            value = super().__getitem__(key)
        except KeyError:
            self._read(key, None)
            raise
        self._read(key, value)
        return value

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str | bytes):
            return super().__contains__(key)
        found = super().__contains__(key)
        self._read(key, super().__getitem__(key) if found else None)
        return found

    def __iter__(self) -> Any:
        global _listing
        _listing = _instruction(_outside_views(sys._getframe(1)))
        return super().__iter__()

    def __setitem__(self, key: Any, value: Any) -> None:
        self._about_to_change(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        self._about_to_change(key)
        super().__delitem__(key)

    def _read(self, key: Any, value: Any) -> None:
        if _listeners is None or not isinstance(key, str | bytes):
            return
        frame = sys._getframe(2)
        if _outside_views(frame) is not frame or _instruction(frame) == _listing:
            return  # items() and values(), or dict(os.environ), which asks for the names first
        _listeners[0](os.fsdecode(key), None if value is None else os.fsdecode(value))

    def _about_to_change(self, key: Any) -> None:
        if _marks and isinstance(key, str | bytes):
            name = os.fsdecode(key)
            _undo.append((name, _value(name)))
            if _listeners is not None:
                _listeners[1](name)


_VIEWS: Final = "_collections_abc"
_Instruction: TypeAlias = tuple[CodeType, int]
# The one that asked last for the names of all variables.
_listing: _Instruction | None = None


def _outside_views(frame: FrameType) -> FrameType:
    while frame.f_code.co_name == "__iter__" and _VIEWS in frame.f_code.co_filename and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _instruction(frame: FrameType) -> _Instruction:
    return frame.f_code, frame.f_lasti
