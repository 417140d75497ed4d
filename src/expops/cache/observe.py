"""Watching an action read: an audit hook for files and folders, a watched ``os.environ`` for variables.

An audit hook sees every open that goes through Python, whichever library asks. It can't be removed, so there is one
for each OS process, idle unless an action is under way. Libraries that open files in C are invisible to it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from . import ambient
from .discovery import VARIABLE, Observed, Places
from .files import FileDigests, listing_digest, text_digest

_MOVES: Final = frozenset({"os.rename", "os.link"})
_EVENTS: Final = frozenset({"open", "os.listdir", "os.scandir", "sqlite3.connect", *_MOVES})
_STANDARD: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_LOADERS: Final = ("<frozen importlib", "<frozen zipimport")
# Parts of the standard library that look for modules and distributions, or at their source.
_FINDERS: Final = tuple(
    _STANDARD + name
    for name in ("importlib" + os.sep, "linecache.py", "tokenize.py", "pkgutil.py", "inspect.py", "runpy.py")
)
_CODE: Final = (".py", ".pyc", ".so", ".pyd")
_ENVIRONMENT: Final = frozenset({__file__, ambient.__file__, os.__file__})
_ENVIRONMENT_FROZEN: Final = ("<frozen os", "<frozen _collections_abc", "<frozen posixpath")
_OWN_VARIABLES: Final = frozenset({"MLOPS_WORKSPACE_DIR", "MLOPS_PROJECT_ID", "EXPOPS_RUN_ID"})
_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Observer:
    """Records what the action on top of its stack reads, while :meth:`watching`."""

    def __init__(self, places: Places, files: FileDigests) -> None:
        self.places = places
        self.stack: list[Observed] = []
        self.files = files
        self.importing_library = False
        self._began = 0
        self._outside = _uninteresting_folders(places.project)
        self._user_caches = _user_caches()
        self._hidden = os.path.join(places.project, ".expops") + os.sep
        self._temporary = _temporary_folder()

    @contextmanager
    def action(self) -> Iterator[Observed]:
        """A nested action: what it reads is its own until it ends; the caller hands it on to the enclosing one."""
        if not self.stack:
            self._began = time.time_ns()
        observed = Observed()
        self.stack.append(observed)
        try:
            yield observed
        finally:
            self.stack.remove(observed)

    def opened(self, path: str, flags: int) -> None:
        """A file is about to be opened."""
        absolute = self._resolved(path)
        if not self._counts(absolute):
            return
        name = self.places.name(absolute)
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        replaces = flags & os.O_TRUNC or flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL
        if not (writes and replaces):
            self._read(name, absolute, creating=bool(writes))
        if writes:
            self._wrote(name, absolute)

    def moved(self, source: str, target: str) -> None:
        """A file or a folder is about to get another name: what it holds is read, and written there."""
        for path in _files_below(os.path.abspath(source)):
            self.opened(path, os.O_RDONLY)
            absolute = os.path.abspath(target) + path[len(os.path.abspath(source)) :]
            if self._counts(absolute):
                self._wrote(self.places.name(absolute), absolute)

    def _wrote(self, name: str, path: str) -> None:
        made = not os.path.lexists(path)
        for observed in self.stack:
            observed.written.add(name)
            if made:
                observed.made.add(name)

    def _read(self, name: str, path: str, *, creating: bool) -> None:
        # At once for the enclosing actions too: what one of them writes later doesn't make this any less of an input.
        unknown = [seen for seen in self.stack if name not in seen.file and name not in seen.written]
        if not unknown or os.path.isdir(path) or (creating and not os.path.exists(path)):
            return
        digest = self.files.of_file(path)
        for observed in unknown:
            observed.file[name] = digest

    def listed(self, path: str) -> None:
        """A folder is about to be listed."""
        absolute = self._resolved(path)
        if not self._counts(absolute):
            return
        name = self.places.name(absolute)
        observed = self.stack[-1]
        if name in observed.folder:
            return
        prefix = name if name.endswith("/") else name + "/"
        own = {made[len(prefix) :].split("/")[0] for made in observed.made if made.startswith(prefix)}
        names = sorted(set(_names_in(absolute)) - own)
        observed.folder[name] = listing_digest(names)

    def variable(self, name: str, value: str | None) -> None:
        """An environment variable is being read."""
        if name in _OWN_VARIABLES or VARIABLE + name in self.stack[-1].written:
            return
        if _asked_by_project(self.places.project, self._outside):
            self.stack[-1].variable.setdefault(name, text_digest(value))

    def assigned(self, name: str) -> None:
        """An environment variable is being set or removed."""
        for observed in self.stack:
            observed.written.add(VARIABLE + name)

    def _resolved(self, path: str) -> str:
        """The absolute path; a link in the working folder stands for what it leads to."""
        absolute = os.path.abspath(path)
        work = self.places.work
        if work is None or not absolute.startswith(work + os.sep):
            return absolute
        data = os.path.join(work, "data")
        if absolute == data or absolute.startswith(data + os.sep):
            return absolute
        real, real_work, real_project = map(os.path.realpath, (absolute, work, self.places.project))
        if real == real_work or real.startswith(real_work + os.sep):
            return work + real[len(real_work) :]
        if real.startswith(real_project + os.sep):
            return self.places.project + real[len(real_project) :]
        return real

    def _counts(self, path: str) -> bool:
        work = self.places.work
        if work is not None and (path == work or path.startswith(work + os.sep)):
            return True
        if path.startswith(self._outside):
            return False
        if self.importing_library and path.startswith(self._user_caches):
            # Such as matplotlib's list of fonts: made anew where it is missing, and other on every machine.
            return False
        if path.startswith(self.places.project + os.sep):
            return not path.startswith(self._hidden) and not path.endswith(".pyc")
        return not path.startswith(self._temporary) or self._was_there(path)

    def _was_there(self, path: str) -> bool:
        """Whether a temporary file is older than the action: scratch files of libraries are no inputs."""
        try:
            return os.stat(path).st_ctime_ns < self._began
        except OSError:
            return False


_watching: Observer | None = None
_installed = False


def install() -> None:
    """Put the hooks in place, once for this OS process."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_on_event)
        ambient.install(_environment_read, _environment_assigned)


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
    target = _path(args[0])
    if target is None or _reads_code(sys._getframe(2), event, target):
        return
    if event in _MOVES:
        new_name = _path(args[1])
        if new_name is not None:
            observer.moved(target, new_name)
    elif event == "open":
        observer.opened(target, args[2] if isinstance(args[2], int) else 0)
    elif event == "sqlite3.connect":
        if target != ":memory:" and not target.startswith("file:"):
            observer.opened(target, os.O_RDWR)
    else:
        observer.listed(target)


def _path(given: object) -> str | None:
    if given is None:
        return "."
    if isinstance(given, bytes):
        given = os.fsdecode(given)
    return given if isinstance(given, str) and "\0" not in given else None


def _reads_code(frame: FrameType, event: str, target: str) -> bool:
    source = frame.f_code.co_filename
    if source.startswith(_LOADERS):
        # A loader's get_data() gives any file of a package.
        return event != "open" or target.endswith(_CODE)
    return source.startswith(_FINDERS)


def _files_below(path: str) -> list[str]:
    if not os.path.isdir(path) or os.path.islink(path):
        return [path]
    return [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]


def _temporary_folder() -> str:
    try:
        return os.path.abspath(tempfile.gettempdir()) + os.sep
    except FileNotFoundError:
        # None that can be written to, as on a full disk.
        return os.path.abspath(os.environ.get("TMPDIR") or "/tmp") + os.sep


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _uninteresting_folders(project: str) -> tuple[str, ...]:
    # Installed packages count by version, the interpreter's own files and the kernel's not at all.
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, _PACKAGE}
    prefixes |= {_STANDARD.rstrip(os.sep)}
    prefixes |= {path for path in sys.path if path.endswith(("site-packages", "dist-packages"))}
    folders = {os.path.abspath(prefix) + os.sep for prefix in prefixes if prefix not in ("", "/")}
    # A project may lie in the folder that Python is installed under, such as /usr/local.
    around = {folder for folder in folders if (project + os.sep).startswith(folder)}
    inner = {folder + name + os.sep for folder in around for name in ("lib", "lib64", "bin", "include", "share")}
    inner = {folder for folder in inner if not (project + os.sep).startswith(folder)}
    return (*sorted(folders - around | inner), "/proc/", "/sys/", "/dev/")


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
        if source not in _ENVIRONMENT and not source.startswith(_ENVIRONMENT_FROZEN):
            return source.startswith(project + os.sep) and not source.startswith(outside)
        frame = frame.f_back
    return False


def _environment_read(name: str, value: str | None) -> None:
    observer = _watching
    if observer is not None and observer.stack:
        observer.variable(name, value)


def _environment_assigned(name: str) -> None:
    observer = _watching
    if observer is not None and observer.stack:
        observer.assigned(name)
