"""Watching an action read: an audit hook for files and folders, a watched ``os.environ`` for variables.

An audit hook sees every open that goes through Python, whichever library asks. It can't be removed, so there is one
for each OS process, idle unless an action is under way. Libraries that open files in C are invisible to it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from .discovery import Observed, Places
from .files import FileDigests, listing_digest, text_digest

_EVENTS: Final = frozenset({"open", "os.listdir", "os.scandir", "sqlite3.connect"})
_STANDARD: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
# Parts of the standard library that look for modules and distributions, or at their source.
_READERS_OF_CODE: Final = (
    "<frozen importlib",
    "<frozen zipimport",
    *(
        _STANDARD + name
        for name in ("importlib" + os.sep, "linecache.py", "tokenize.py", "pkgutil.py", "inspect.py", "runpy.py")
    ),
)
_OWN_VARIABLES: Final = frozenset({"MLOPS_WORKSPACE_DIR", "MLOPS_PROJECT_ID", "EXPOPS_RUN_ID"})
_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Observer:
    """Records what the action on top of its stack reads, while :meth:`watching`."""

    def __init__(self, places: Places, files: FileDigests) -> None:
        self.places = places
        self.stack: list[Observed] = []
        self.files = files
        self.importing_library = False
        self._outside = _uninteresting_folders()
        self._user_caches = _user_caches()
        self._hidden = os.path.join(places.project, ".expops") + os.sep

    @contextmanager
    def action(self) -> Iterator[Observed]:
        """A nested action: what it reads is its own until it ends; the caller hands it on to the enclosing one."""
        observed = Observed()
        self.stack.append(observed)
        try:
            yield observed
        finally:
            self.stack.remove(observed)

    def opened(self, path: str, flags: int) -> None:
        """A file is about to be opened."""
        absolute = os.path.abspath(path)
        if not self._counts(absolute):
            return
        name = self.places.name(absolute)
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        replaces = flags & os.O_TRUNC or flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL
        if not (writes and replaces):
            self._read(name, absolute, creating=bool(writes))
        if writes:
            for observed in self.stack:
                observed.written.add(name)

    def _read(self, name: str, path: str, *, creating: bool) -> None:
        observed = self.stack[-1]
        if name in observed.file or name in observed.written or os.path.isdir(path):
            return
        if creating and not os.path.exists(path):
            return
        observed.file[name] = self.files.of_file(path)

    def listed(self, path: str) -> None:
        """A folder is about to be listed."""
        absolute = os.path.abspath(path)
        if not self._counts(absolute):
            return
        name = self.places.name(absolute)
        observed = self.stack[-1]
        if name in observed.folder:
            return
        prefix = name if name.endswith("/") else name + "/"
        own = {written[len(prefix) :].split("/")[0] for written in observed.written if written.startswith(prefix)}
        names = sorted(set(_names_in(absolute)) - own)
        observed.folder[name] = listing_digest(names)

    def variable(self, name: str, value: str | None) -> None:
        """An environment variable is being read."""
        if name not in _OWN_VARIABLES and _asked_by_project(self.places.project, self._outside):
            self.stack[-1].variable.setdefault(name, text_digest(value))

    def _counts(self, path: str) -> bool:
        if self.places.work is not None and path.startswith(self.places.work):
            return True
        if path.startswith(self._outside):
            return False
        if self.importing_library and path.startswith(self._user_caches):
            # Such as matplotlib's list of fonts: made anew where it is missing, and other on every machine.
            return False
        if path.startswith(self.places.project + os.sep):
            return not path.startswith(self._hidden) and not path.endswith(".pyc")
        return not path.startswith(tempfile.gettempdir() + os.sep)


_watching: Observer | None = None
_installed = False


def install() -> None:
    """Put the hooks in place, once for this OS process."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_on_event)
        os.environ.__class__ = _WatchedEnvironment


def watch(observer: Observer | None) -> Observer | None:
    """Make ``observer`` record from now on (``None``: nobody); gives back the one before."""
    global _watching
    before, _watching = _watching, observer
    return before


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    if _watching is None or event not in _EVENTS:
        return
    observer = watch(None)
    try:
        if observer is not None and observer.stack:
            _dispatch(observer, event, args)
    finally:
        watch(observer)


def _dispatch(observer: Observer, event: str, args: tuple[Any, ...]) -> None:
    target = args[0]
    if target is None:
        target = "."
    if isinstance(target, bytes):
        target = os.fsdecode(target)
    if not isinstance(target, str) or "\0" in target or _reads_code(sys._getframe(2)):
        return
    if event == "open":
        observer.opened(target, args[2] if isinstance(args[2], int) else 0)
    elif event == "sqlite3.connect":
        if target != ":memory:" and not target.startswith("file:"):
            observer.opened(target, os.O_RDWR)
    else:
        observer.listed(target)


def _reads_code(frame: FrameType) -> bool:
    source = frame.f_code.co_filename
    return source.startswith(_READERS_OF_CODE)


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _uninteresting_folders() -> tuple[str, ...]:
    # Installed packages count by version, the interpreter's own files and the kernel's not at all.
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, _PACKAGE}
    prefixes |= {_STANDARD.rstrip(os.sep)}
    prefixes |= {path for path in sys.path if path.endswith(("site-packages", "dist-packages"))}
    folders = {os.path.abspath(prefix) + os.sep for prefix in prefixes if prefix not in ("", "/")}
    return (*sorted(folders), "/proc/", "/sys/", "/dev/")


def _user_caches() -> tuple[str, ...]:
    home = os.path.expanduser("~")
    return (
        os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), ""),
        os.path.join(home, "Library", "Caches", ""),
    )


def _asked_by_project(project: str, outside: tuple[str, ...]) -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        source = frame.f_code.co_filename
        if source not in (__file__, os.__file__) and not source.startswith(("<frozen os", "<frozen _collections_abc")):
            return source.startswith(project + os.sep) and not source.startswith(outside)
        frame = frame.f_back
    return False


class _WatchedEnvironment(os._Environ):  # type: ignore[type-arg]
    """``os.environ``, telling the observer which variables are read one by one."""

    def __getitem__(self, key: Any) -> Any:
        observer = _watching
        if observer is not None and observer.stack and isinstance(key, str):
            try:
                value = super().__getitem__(key)
            except KeyError:
                observer.variable(key, None)
                raise
            observer.variable(key, value)
            return value
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        observer = _watching
        if observer is not None and observer.stack and isinstance(key, str):
            observer.variable(key, super().__getitem__(key) if found else None)
        return found
