"""Watching an action read: an audit hook for files and folders, functions of ``os`` for what is asked about them, a
watched ``os.environ`` for variables.

An audit hook sees every open that goes through Python, whichever library asks. It can't be removed, so there is one
for each OS process, idle unless an action is under way. Libraries that open files in C are invisible to it: what an
action is handed or names is made its input before it begins (:meth:`Observer.named`).
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from . import ambient, commands, patched
from .asker import FINDERS, LOADERS, asker
from .discovery import VARIABLE, Observed, Places
from .files import FileDigests, listing_digest, text_digest
from .scope import Scope, is_within, resolved
from .status import ABSENT, FOLDER, LINK, SIZE, TYPE, look, status_word
from .watching import unwatched, watcher
from .watching import watch as watch

_MOVES: Final = frozenset({"os.rename", "os.link"})
_REMOVES: Final = frozenset({"os.remove", "os.rmdir"})
_LISTS: Final = frozenset({"os.listdir", "os.scandir"})
_EVENTS: Final = frozenset(
    {"open", "sqlite3.connect", "os.mkdir", *_MOVES, *_REMOVES, *_LISTS, *commands.EVENTS},
)
_CODE: Final = (".py", ".pyc", ".so", ".pyd")
_ENVIRONMENT: Final = frozenset({__file__, ambient.__file__, os.__file__})
_ENVIRONMENT_FROZEN: Final = ("<frozen os", "<frozen _collections_abc", "<frozen posixpath")
_OWN_VARIABLES: Final = frozenset({"MLOPS_WORKSPACE_DIR", "MLOPS_PROJECT_ID", "EXPOPS_RUN_ID"})


class Observer:
    """Records what the action on top of its stack reads, while :meth:`watching`.

    ``declared`` are paths of data that count for all actions whose code may read unseen; ``own_variables`` are no
    inputs: what expops itself sets, and keeps from user code.
    """

    def __init__(self, places: Places, files: FileDigests, declared: Iterable[str] = ()) -> None:
        self.places = places
        self.stack: list[Observed] = []
        self.files = files
        self.declared = tuple(declared)
        self.importing_library = False
        self.own_variables = _OWN_VARIABLES
        self._began = 0
        self._scope = Scope(places.project)

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

    def settle(self, observed: Observed) -> None:
        """An action has ended: files that it was handed or named, and made itself, are no inputs of it."""
        for name, command in list(observed.claims.items()):
            digest = observed.file[name]
            if (command or digest == ABSENT) and self.files.of_file(self.places.path(name)) != digest:
                observed.disclaim(name)
                observed.written.add(name)

    def opened(self, path: str, flags: int) -> None:
        """A file is about to be opened."""
        absolute = resolved(path, self.places)
        if not self._counts(absolute):
            return
        name = self.places.name(absolute)
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        replaces = flags & os.O_TRUNC or (flags & os.O_EXCL and not name.startswith("work/"))
        if not (writes and replaces):
            self._read(name, absolute, creating=bool(flags & os.O_CREAT))
        if writes:
            self._wrote(name, absolute)

    def moved(self, source: str, target: str) -> None:
        """A file or a folder is about to get another name: what it holds is read, and written there."""
        for path in _files_below(os.path.abspath(source)):
            self.opened(path, os.O_RDONLY)
            absolute = os.path.abspath(target) + path[len(os.path.abspath(source)) :]
            if self._counts(absolute):
                self._wrote(self.places.name(absolute), absolute)
        self.removed(source)

    def removed(self, path: str) -> None:
        """A file or a folder is about to go: that it is missing later is the action's own doing."""
        absolute = resolved(path, self.places)
        if self._counts(absolute):
            for observed in self.stack:
                observed.own.add(self.places.name(absolute))

    def folder_made(self, path: str) -> None:
        """A folder is about to be made; to look before whether it has to be is no dependency."""
        absolute = resolved(path, self.places)
        if not self._counts(absolute) or os.path.lexists(absolute):
            return
        name = self.places.name(absolute)
        for observed in self.stack:
            observed.own.add(name)
            observed.unasked(name)

    def asked(
        self, path: str, status: os.stat_result | None, frame: FrameType, *, links: bool, again: bool = False
    ) -> None:
        """Something was asked about a file or folder without opening it.

        ``status`` is what was found, unless it is to be looked at ``again``; ``links`` tells that links were not
        followed.
        """
        who = None if self.importing_library else asker(frame)
        if who is None:
            return
        absolute = resolved(path, self.places) if not links else os.path.abspath(path)
        if not self._is_asked_for(absolute, who.file):
            return
        kind = LINK if links and (who.links or again or status_word(LINK, status) == "link") else TYPE
        if kind == TYPE and who.sizes and not again and not absolute.endswith(_CODE):
            kind = SIZE
        word = look(kind, absolute) if again or kind == LINK else status_word(kind, status)
        name = self.places.name(absolute)
        for observed in self.stack:
            if name not in getattr(observed, kind) and not observed.is_own(name, is_folder=word == FOLDER):
                getattr(observed, kind)[name] = word
                if not self._scope.is_project_code(who.file):
                    observed.checked.add(name)

    def _is_asked_for(self, path: str, source: str) -> bool:
        project = self.places.project
        if is_within(project, path) or path == self.places.work:
            return False  # the folders of the project are where they are
        if self.places.work is not None and path == os.path.join(self.places.work, "data"):
            return os.path.isdir(path) and not os.path.islink(path)
        # Libraries look around on a machine; what they find counts if they open it.
        near = is_within(path, project) or is_within(path, self.places.work) or self._scope.is_project_code(source)
        return near and self._counts(path)

    def named(self, path: str, *, deep: bool = False, missing: bool = False, command: bool = False) -> None:
        """An action was handed a path, or names one, and may read it unseen; unless it writes there, it is its input.

        ``deep`` takes all files of a folder, ``missing`` a path that leads nowhere, ``command`` tells that it is for
        another program, which may write there.
        """
        absolute = resolved(path, self.places)
        if not self._counts(absolute) or is_within(self.places.project, absolute) or absolute == self.places.work:
            return
        if os.path.isfile(absolute):
            self._claim(self.places.name(absolute), absolute, command)
        elif os.path.isdir(absolute):
            self._claim_folder(absolute, deep)
        elif missing and not os.path.lexists(absolute):
            self._claim(self.places.name(absolute), absolute, command)

    def declare(self, path: str) -> None:
        """A file, or all below a folder, is an input of the action, whether it is seen to read there or not."""
        self.named(path, deep=True, missing=True)
        absolute = resolved(path, self.places)
        within = self.places.name(absolute)
        for observed in self.stack:
            for name in [name for name in observed.claims if is_within(name, within.rstrip("/"))]:
                del observed.claims[name]

    def _claim_folder(self, path: str, deep: bool) -> None:
        self.listed(path)
        for folder, folders, names in os.walk(path) if deep else ():
            for inner in folders:
                self.listed(os.path.join(folder, inner))
            for name in names:
                file = os.path.join(folder, name)
                if self._counts(file):
                    self._claim(self.places.name(file), file, command=False)

    def _claim(self, name: str, path: str, command: bool) -> None:
        unknown = [seen for seen in self.stack if name not in seen.file and not seen.is_own(name)]
        if unknown:
            digest = self.files.of_file(path)
            for observed in unknown:
                observed.file[name] = digest
                observed.claims[name] = command

    def _wrote(self, name: str, path: str) -> None:
        made = not os.path.lexists(path)
        for observed in self.stack:
            observed.written.add(name)
            observed.disclaim(name)
            if made:
                observed.made.add(name)
                if name in observed.checked:
                    observed.unasked(name)

    def _read(self, name: str, path: str, *, creating: bool) -> None:
        # At once for the enclosing actions too: what one of them writes later doesn't make this any less of an input.
        for observed in self.stack:
            observed.claims.pop(name, None)
        unknown = [seen for seen in self.stack if name not in seen.file and not seen.is_own(name)]
        if not unknown or os.path.isdir(path):
            return
        if creating and not os.path.exists(path):
            if not name.startswith("work/"):
                return  # it is there the next time
            # A step may find it there or not; a process, which is the outermost, starts with an empty folder.
            unknown = [seen for seen in unknown if seen is not self.stack[0]]
        digest = self.files.of_file(path)
        for observed in unknown:
            observed.file[name] = digest

    def listed(self, path: str) -> None:
        """A folder is about to be listed."""
        absolute = resolved(path, self.places)
        if not self._counts(absolute):
            return
        name = self.places.name(absolute)
        observed = self.stack[-1]
        if name in observed.folder:
            return
        names = _names_in(absolute)
        if names is None:
            observed.type.setdefault(name, look(TYPE, absolute))
            return
        prefix = name if name.endswith("/") else name + "/"
        own = {made[len(prefix) :].split("/")[0] for made in observed.made if made.startswith(prefix)}
        observed.folder[name] = listing_digest(sorted(set(names) - own))

    def started(self, words: list[str], folder: str) -> None:
        """Another program is about to start: files of the project that its command names are read by it."""
        for word in words:
            path = os.path.join(folder, word)
            absolute = resolved(path, self.places) if word and "\0" not in word else ""
            inside = is_within(absolute, self.places.project) or is_within(absolute, self.places.work)
            if inside and not os.path.isdir(absolute):
                self.named(path, command=True)

    def variable(self, name: str, value: str | None) -> None:
        """An environment variable is being read."""
        if name in self.own_variables or VARIABLE + name in self.stack[-1].written:
            return
        if self._asked_by_project():
            self.stack[-1].variable.setdefault(name, text_digest(value))

    def assigned(self, name: str) -> None:
        """An environment variable is being set or removed."""
        for observed in self.stack:
            observed.written.add(VARIABLE + name)

    def _asked_by_project(self) -> bool:
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            source = frame.f_code.co_filename
            if source not in _ENVIRONMENT and not source.startswith(_ENVIRONMENT_FROZEN):
                return self._scope.is_project_code(source)
            frame = frame.f_back
        return False

    def _counts(self, path: str) -> bool:
        return self._scope.counts(path, self.places, began=self._began, importing_library=self.importing_library)


_installed = False


def install() -> None:
    """Put the hooks in place, once for this OS process."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook())
        ambient.install(_environment_read, _environment_assigned)
        patched.install()


def _hook() -> Callable[[str, tuple[Any, ...]], None]:
    """The audit hook. It outlives this module's variables as the interpreter ends, so it has its own."""
    events = _EVENTS
    ended: list[bool] = []
    atexit.register(ended.append, True)

    def on_event(event: str, args: tuple[Any, ...]) -> None:
        if event not in events or ended:
            return
        observer = watcher()
        if observer is not None:
            with unwatched():
                _dispatch(observer, event, args, sys._getframe(1))

    return on_event


def _dispatch(observer: Observer, event: str, args: tuple[Any, ...], frame: FrameType) -> None:
    if event in commands.EVENTS:
        observer.started(*commands.words(event, args))
        return
    target = _path(args[0], event)
    if target is None or _reads_code(frame, event, target):
        return
    if event in _MOVES:
        new_name = _path(args[1], event)
        if new_name is not None:
            observer.moved(target, new_name)
    elif event == "open":
        observer.opened(target, args[2] if isinstance(args[2], int) else 0)
    elif event == "sqlite3.connect":
        if target != ":memory:" and not target.startswith("file:"):
            observer.opened(target, os.O_RDWR | os.O_CREAT)
    else:
        _ON_FOLDERS[event](observer, target)


_ON_FOLDERS: Final[dict[str, Callable[[Observer, str], None]]] = {
    **dict.fromkeys(_LISTS, Observer.listed),
    **dict.fromkeys(_REMOVES, Observer.removed),
    "os.mkdir": Observer.folder_made,
}


def _path(given: object, event: str) -> str | None:
    if given is None:
        return "."
    if isinstance(given, int) and event in _LISTS:
        return patched.folder_of(given)
    if isinstance(given, bytes | os.PathLike):
        given = os.fsdecode(given)
    return given if isinstance(given, str) and "\0" not in given else None


def _reads_code(frame: FrameType, event: str, target: str) -> bool:
    source = frame.f_code.co_filename
    if source.startswith(LOADERS):
        # A loader's get_data() gives any file of a package.
        return event != "open" or target.endswith(_CODE)
    return source.startswith(FINDERS)


def _files_below(path: str) -> list[str]:
    if not os.path.isdir(path) or os.path.islink(path):
        return [path]
    return [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]


def _names_in(folder: str) -> list[str] | None:
    try:
        return os.listdir(folder)
    except OSError:
        return None


def _environment_read(name: str, value: str | None) -> None:
    observer = watcher()
    if observer is not None:
        observer.variable(name, value)


def _environment_assigned(name: str) -> None:
    observer = watcher()
    if observer is not None:
        observer.assigned(name)
