"""Discovered inputs: what an action read besides its arguments, by name, and what those names hold now.

Names are portable: ``project/data/train.csv`` for a file of the project, ``work/model.bin`` for one in the working
folder of the process, and an absolute path for anything else, so that another checkout or machine finds the same
result. Values are digests: no content, and no environment variable's text, is written down.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from .files import FileDigests, text_digest
from .status import ASKED, LINK, SIZE, TYPE

Names: TypeAlias = Mapping[str, list[str]]
Values: TypeAlias = Mapping[str, Mapping[str, str]]

KINDS: Final = ("file", "folder", TYPE, SIZE, LINK, "variable", "seed")
VARIABLE: Final = "$"  # in front of an environment variable among the names that an action has written


class Observed:
    """Inputs seen while an action executed: for each kind, names and the digest of what they held when first seen.

    ``written`` holds files, and variables with ``$`` in front, that it wrote itself, which makes them no inputs when it
    reads them later; ``made`` those of the files that were not there before; ``own`` what else it has removed, moved or
    made; ``checked`` what libraries asked about, which may be before they write there. ``claims`` are
    the files that it was only handed or named, and whether that was in a command.
    """

    __slots__ = (
        "checked",
        "claims",
        "file",
        "folder",
        "link",
        "made",
        "own",
        "seed",
        "size",
        "type",
        "variable",
        "written",
    )

    def __init__(self) -> None:
        self.file: dict[str, str] = {}
        self.folder: dict[str, str] = {}
        self.type: dict[str, str] = {}
        self.size: dict[str, str] = {}
        self.link: dict[str, str] = {}
        self.variable: dict[str, str] = {}
        self.seed: dict[str, str] = {}
        self.written: set[str] = set()
        self.made: set[str] = set()
        self.own: set[str] = set()
        self.checked: set[str] = set()
        self.claims: dict[str, bool] = {}

    def values(self) -> dict[str, dict[str, str]]:
        """All that was observed, without empty kinds, and without answers that follow from others."""
        found = {kind: dict(getattr(self, kind)) for kind in KINDS}
        known = self.file.keys() | self.folder.keys()
        for kind in (SIZE, TYPE):
            found[kind] = {name: word for name, word in found[kind].items() if name not in known}
            known = known | found[kind].keys()
        return {kind: names for kind, names in found.items() if names}

    def is_own(self, name: str, *, is_folder: bool = False) -> bool:
        """Whether the action itself has made the file or the folder what it is now."""
        if name in self.written or name in self.own:
            return True
        return is_folder and any(made.startswith(name + "/") for made in self.made)

    def unasked(self, name: str) -> None:
        """What was asked about a path was about to be settled by the action itself, so it is no dependency."""
        for kind in ASKED:
            getattr(self, kind).pop(name, None)

    def disclaim(self, name: str) -> None:
        """A file that the action was only handed or named is no input of it."""
        if self.claims.pop(name, None) is not None:
            del self.file[name]

    def add(self, values: Values, *, seeds: bool = True) -> None:
        """Take over what a nested action observed, except files written here before it read them."""
        for kind, found in values.items():
            if kind == "seed" and not seeds:
                continue
            mine = getattr(self, kind)
            prefix = VARIABLE if kind == "variable" else ""
            for name, digest in found.items():
                if prefix + name not in self.written:
                    mine.setdefault(name, digest)
                    if kind == "file":
                        self.claims.pop(name, None)

    def without_work(self) -> dict[str, dict[str, str]]:
        """Like :meth:`values`, less the working folder: a process starts with an empty one, so it is no input of it."""
        kept = {
            kind: {name: digest for name, digest in found.items() if not name.startswith("work/")}
            for kind, found in self.values().items()
        }
        return {kind: found for kind, found in kept.items() if found}


class Places(NamedTuple):
    """Where names lie on this machine: the absolute folders of the project and of the process at work, if one is."""

    project: str
    work: str | None

    def path(self, name: str) -> str:
        """The absolute path of a portable name."""
        if name.startswith("project/"):
            return f"{self.project}{os.sep}{name[8:]}" if name != "project/" else self.project
        if name.startswith("work/") and self.work is not None:
            return os.path.join(self.work, name[5:]) if name != "work/" else self.work
        return name

    def name(self, path: str) -> str:
        """The portable name of an absolute path."""
        if self.work is not None and _within(path, self.work):
            inside = path[len(self.work) + 1 :]
            # The working folder shows the project's data folder as its own.
            if inside == "data" or inside.startswith("data" + os.sep):
                shown = os.path.join(self.work, "data")
                return ("work/" if os.path.isdir(shown) and not os.path.islink(shown) else "project/") + inside
            return "work/" + inside
        if _within(path, self.project):
            return "project/" + path[len(self.project) + 1 :]
        return path


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)


def readable(name: str) -> str:
    """A portable name as people say it."""
    return name[8:] if name.startswith("project/") else name


class Surroundings(NamedTuple):
    """What discovered inputs are looked up in: files, environment, and the seeds of the action at hand.

    ``seed_identity`` gives the digest of the seed that a label stands for: ``""`` is the action's own.
    """

    places: Places
    files: FileDigests
    seed_identity: Callable[[str], str]

    def values(self, names: Names) -> dict[str, dict[str, str]]:
        """What ``names`` hold now."""
        return {kind: self._values(kind, found) for kind, found in names.items()}

    def _values(self, kind: str, names: Sequence[str]) -> dict[str, str]:
        if kind == "file":
            return dict(zip(names, self.files.of_files(list(map(self.places.path, names))), strict=True))
        return {name: self._value(kind, name) for name in names}

    def _value(self, kind: str, name: str) -> str:
        if "\0" in name:
            return ""  # no name at all: somebody else has written the record
        if kind == "folder":
            return self.files.of_folder(self.places.path(name))
        if kind == "variable":
            return text_digest(os.environ.get(name))
        if kind in ASKED:
            return self.files.of_status(kind, self.places.path(name))
        return self.seed_identity(name)


def names_of(values: Values) -> dict[str, list[str]]:
    """The names alone, in an order of their own: what is remembered under an action key."""
    return {kind: sorted(found) for kind, found in values.items() if found}
