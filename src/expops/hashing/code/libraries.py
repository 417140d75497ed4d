"""Which distribution a third-party module belongs to, and its version, without importing either.

A version identifies the code of what came from an index. For an install from a local folder, an archive or a repository
(``direct_url.json`` says so) the digests of its files that the installer has recorded count too, extension modules
included; an editable install and a folder on the path count by what they hold now.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..canonical import digest_of
from ..digest import digest_bytes
from .distributions import CODE, scan
from .files import Stamped, stamp_of
from .model import Memo
from .versions import MISSING, SOURCE

_EXTENSIONS: Final = (".so", ".pyd")
_STDLIB_FOLDERS: Final = frozenset({os.path.dirname(os.__file__), os.path.dirname(os.__file__) + "/lib-dynload"})
_STDLIB: Final = sys.stdlib_module_names | set(sys.builtin_module_names)

# What draws the random numbers of expops's own functions.
_BEHIND: Final = {
    "expops.jax_key": "jax",
    "expops.rng": "numpy",
    "expops.torch": "torch",
    "expops.torch_generator": "torch",
}


class _Owner(NamedTuple):
    """The distributions that a module belongs to, and the number of the path's entry where they are."""

    entry: int
    distributions: tuple[tuple[str, str], ...]


class Libraries:
    """Looks up modules of ``sys.path`` as it is when this is made."""

    def __init__(self, memo: Memo | None) -> None:
        self._scans: Stamped[list[object]] = Stamped(memo, "distributions")
        self._trees: Stamped[str] = Stamped(memo, "tree")
        entries = [os.path.abspath(entry) for entry in dict.fromkeys(sys.path) if os.path.isdir(entry or ".")]
        self._path = [entry for entry in entries if entry not in _STDLIB_FOLDERS]
        self._owners: dict[str, _Owner] | None = None
        self._editable: list[tuple[str, str, str]] = []
        self._places: dict[tuple[str, int], str] = {}
        self._known: dict[str, tuple[tuple[str, str], ...]] = {}

    def of(self, dotted: str) -> tuple[tuple[str, str], ...]:
        """Distributions and versions that a module or something in it comes from; empty for the standard library.

        Longest match first, since several distributions share a namespace package. What is installed nowhere is
        ``"missing"``; what lies on the path without being installed counts by its source.
        """
        if dotted not in self._known:
            self._known[dotted] = self._find(dotted)
        return self._known[dotted]

    def _find(self, dotted: str) -> tuple[tuple[str, str], ...]:
        dotted = _BEHIND.get(".".join(dotted.split(".")[:2]), dotted)
        top = dotted.partition(".")[0]
        if top in _STDLIB or top == "expops":
            return ()
        owners = self._scan()
        prefix = dotted
        while prefix:
            owner = owners.get(prefix)
            if owner is not None:
                return self._owned(top, owner)
            prefix = prefix.rpartition(".")[0]
        place = self._first(top, len(self._path)) or self._below_editable(top)
        if not place and any(owner.startswith(dotted + ".") for owner in owners):
            return ()  # a namespace that several distributions share; what is taken of it counts
        return (self._by_source(top, place),)

    def _owned(self, top: str, owner: _Owner) -> tuple[tuple[str, str], ...]:
        first = self._first(top, owner.entry)
        if first:
            return (self._by_source(top, first),)
        # Of an editable install, extension modules may be installed and the rest not.
        place = self._below_editable(top) if self._editable else ""
        found = self._by_source(top, place) if place else None
        alike = found is not None and any(name == found[0] for name, _ in owner.distributions)
        return (*owner.distributions, found) if found is not None and alike else owner.distributions

    def _scan(self) -> dict[str, _Owner]:
        if self._owners is None:
            self._owners = {}
            for index, entry in enumerate(self._path):
                owners, editable = self._entry(entry)
                for name, found in owners.items():
                    self._owners.setdefault(name, _Owner(index, tuple([(d, v) for d, v in found])))
                self._editable += [(d, v, folder) for d, v, folder in editable]
        return self._owners

    def _entry(self, entry: str) -> tuple[dict[str, list[list[str]]], list[list[str]]]:
        now = time.time_ns()
        stamp = [stamp_of(entry)]
        known, certain = self._scans.get(entry, stamp)
        if known is None or not certain:
            known = list(scan(entry))
            self._scans.put(entry, stamp, now, known)
        return known[0], known[1]  # type: ignore[return-value]

    def _first(self, top: str, before: int) -> str:
        """A package or module ``top`` in the entries of the path that are searched before that one; or ``""``."""
        key = (top, before)
        if key not in self._places:
            found = (_regular(entry, top) for entry in self._path[:before])
            self._places[key] = next((place for place in found if place), "")
        return self._places[key]

    def _by_source(self, top: str, place: str) -> tuple[str, str]:
        place = place or _hooked(top) or self._plain_folder(top)
        if not place:
            return top, MISSING
        for name, version, folder in self._editable:
            if place.startswith(folder.rstrip(os.sep) + os.sep):
                return name, f"{version}:{self._tree(place)}"
        return top, f"{SOURCE}:{self._tree(place)}"

    def _below_editable(self, top: str) -> str:
        folders = [place for _, _, folder in self._editable for place in (folder, os.path.join(folder, "src"))]
        return next((place for folder in folders if (place := _regular(folder, top))), "")

    def _plain_folder(self, top: str) -> str:
        folders = [os.path.join(entry, top) for entry in self._path]
        return next((folder for folder in folders if os.path.isdir(folder)), "")

    def _tree(self, path: str) -> str:
        """Digest of the Python files at ``path``."""
        now = time.time_ns()
        files = sorted(_code_files(path))
        stamp = [stamp_of(file) for file in files]
        known, certain = self._trees.get(path, stamp)
        if known is not None and certain:
            return known
        parts: list[str] = []
        for file in files:
            with open(file, "rb") as source:
                parts += [os.path.relpath(file, path), digest_bytes(source.read())]
        digest = digest_of(parts)
        self._trees.put(path, stamp, now, digest)
        return digest


def _code_files(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name not in ("__pycache__", ".git", ".venv", ".expops")]
        yield from (os.path.join(folder, name) for name in names if name.endswith(CODE))


def _regular(folder: str, top: str) -> str:
    """The package, module or extension module ``top`` in a folder; ``""`` if there is none."""
    base = os.path.join(folder, top)
    if os.path.exists(os.path.join(base, "__init__.py")):
        return base
    if os.path.exists(f"{base}.py"):
        return f"{base}.py"
    try:
        names = os.listdir(folder)
    except OSError:
        return ""
    return next((os.path.join(folder, n) for n in names if n.startswith(f"{top}.") and n.endswith(_EXTENSIONS)), "")


def _hooked(top: str) -> str:
    """Where a finder of ``sys.meta_path``, such as an editable install's, would take ``top`` from; or ``""``."""
    for finder in list(sys.meta_path):
        if type(finder).__module__.partition(".")[0] == "expops":
            continue  # our own wait for imports; this is none
        try:
            spec = finder.find_spec(top, None)
        except (ImportError, AttributeError, ValueError):
            continue
        places = [] if spec is None else list(spec.submodule_search_locations or [spec.origin or ""])
        place = next((place for place in places if os.path.exists(place)), "")
        if place:
            return place
    return ""
