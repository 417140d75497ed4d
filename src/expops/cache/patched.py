"""Functions of ``os`` that ask about files and raise no audit event, replaced so that an observer hears of them.

``os.path`` and ``pathlib`` look them up in ``os`` for each call; the import system has its own, so it costs nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .watching import unwatched, watcher

if TYPE_CHECKING:
    from .observe import Observer

_readlink: Final = os.readlink


class _Heard:
    """Stands in for a function written in C. No function itself, for as an attribute of a class it must not bind."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self.__wrapped__ = real
        self.__name__ = self.__qualname__ = real.__name__
        self.__doc__ = real.__doc__
        self.__module__ = "os"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        observer = watcher()
        if observer is None:
            return self.__wrapped__(*args, **kwargs)
        outcome = None
        try:
            outcome = self.__wrapped__(*args, **kwargs)
            return outcome
        finally:
            with unwatched():
                path = _place(args[0] if args else kwargs.get("path"), kwargs.get("dir_fd"))
                if path is not None:
                    self._tell(observer, path, outcome, kwargs)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce__(self) -> str:
        return self.__name__

    def _tell(self, observer: Observer, path: str, outcome: Any, given: dict[str, Any]) -> None:
        """Report an answer; the code that asked is two frames up."""
        raise NotImplementedError


class _Stat(_Heard):
    def _tell(self, observer: Observer, path: str, outcome: Any, given: dict[str, Any]) -> None:
        links = not given.get("follow_symlinks", self.__name__ != "lstat")
        observer.asked(path, outcome, sys._getframe(2), links=links)


class _Access(_Heard):
    def _tell(self, observer: Observer, path: str, outcome: Any, given: dict[str, Any]) -> None:
        observer.asked(path, None, sys._getframe(2), links=False, again=True)


class _Readlink(_Heard):
    def _tell(self, observer: Observer, path: str, outcome: Any, given: dict[str, Any]) -> None:
        observer.asked(path, None, sys._getframe(2), links=True, again=True)


class _Open(_Heard):
    """``os.open``: its audit event lacks the folder that a path is relative to."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        observer = watcher() if kwargs.get("dir_fd") is not None else None
        path = _place(args[0] if args else kwargs.get("path"), kwargs["dir_fd"]) if observer is not None else None
        if observer is None or path is None:
            return self.__wrapped__(*args, **kwargs)
        with unwatched():
            observer.opened(path, args[1] if len(args) > 1 else kwargs.get("flags", 0))
            return self.__wrapped__(*args, **kwargs)


_REPLACED: Final = {"stat": _Stat, "lstat": _Stat, "access": _Access, "readlink": _Readlink, "open": _Open}


def install() -> None:
    """Replace the functions; once for an OS process."""
    for name, kind in _REPLACED.items():
        real = getattr(os, name)
        told = kind(real)
        for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
            if real in able:
                able.add(told)
        setattr(os, name, told)
    _replace_in_glob()


def _replace_in_glob() -> None:
    # From Python 3.13 on, a class there has kept os.lstat to itself.
    for kind in vars(sys.modules.get("glob", object())).values() if "glob" in sys.modules else ():
        kept = vars(kind).get("lstat") if isinstance(kind, type) else None
        if isinstance(kept, staticmethod) and kept.__func__ is os.lstat.__wrapped__:  # type: ignore[attr-defined]
            kind.lstat = staticmethod(os.lstat)


def _place(path: Any, folder: Any) -> str | None:
    """The path as text, under the folder that an open descriptor stands for."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None  # a descriptor: the file was opened before
    text = os.fsdecode(path)
    if "\0" in text:
        return None
    if isinstance(folder, int) and not os.path.isabs(text):
        base = folder_of(folder)
        return os.path.join(base, text) if base is not None else None
    return text


def folder_of(descriptor: int) -> str | None:
    """The path that an open descriptor stands for, where the system tells."""
    try:
        return _readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None
