"""Which distribution a third-party module belongs to, and its version, without importing either."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from typing import Final

from ..canonical import digest_of
from ..digest import digest_bytes
from .files import Stamped, stamp_of
from .model import Memo

MISSING: Final = "missing"
_FOLDER: Final = re.compile(r"(?P<name>.+?)(-(?P<version>[^-]+?))?(-py[\d.]+)?\.(dist|egg)-info$")
_CODE: Final = (".py", ".so", ".pyd", ".dylib")
_STDLIB: Final = sys.stdlib_module_names | set(sys.builtin_module_names)


class Libraries:
    """Looks up modules of ``sys.path`` as it is when this is made."""

    def __init__(self, memo: Memo | None) -> None:
        self._scans: Stamped[list[object]] = Stamped(memo, "libraries")
        self._trees: Stamped[str] = Stamped(memo, "tree")
        self._path = [os.path.abspath(entry) for entry in dict.fromkeys(sys.path) if os.path.isdir(entry or ".")]
        self._owners: dict[str, list[tuple[str, str]]] | None = None
        self._editable: list[tuple[str, str, str]] = []
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
        top = dotted.partition(".")[0]
        if top in _STDLIB or top == "expops":
            return ()
        owners = self._scan()
        prefix = dotted
        while prefix:
            if prefix in owners:
                return tuple(owners[prefix])
            prefix = prefix.rpartition(".")[0]
        if any(owner.startswith(dotted + ".") for owner in owners):
            return ()  # a namespace that several distributions share; what is taken of it counts
        return (self._by_source(top),)

    def _scan(self) -> dict[str, list[tuple[str, str]]]:
        if self._owners is None:
            self._owners = {}
            for entry in self._path:
                owners, editable = self._entry(entry)
                for name, found in owners.items():
                    self._owners.setdefault(name, [(d, v) for d, v in found])
                self._editable += [(d, v, folder) for d, v, folder in editable]
        return self._owners

    def _entry(self, entry: str) -> tuple[dict[str, list[list[str]]], list[list[str]]]:
        now = time.time_ns()
        stamp = [stamp_of(entry)]
        known, certain = self._scans.get(entry, stamp)
        if known is None or not certain:
            known = list(_scan_folder(entry))
            self._scans.put(entry, stamp, now, known)
        return known[0], known[1]  # type: ignore[return-value]

    def _by_source(self, top: str) -> tuple[str, str]:
        places = [(top, "source", entry) for entry in self._path]
        for name, version, folder in self._editable:
            places += [(name, version, folder), (name, version, os.path.join(folder, "src"))]
        for name, version, folder in places:
            base = os.path.join(folder, top)
            for candidate in (base, f"{base}.py"):
                if os.path.exists(candidate):
                    owner = self._owner(candidate) or (name, version)
                    return owner[0], f"{owner[1]}:{self._tree(candidate)}"
        return top, MISSING

    def _owner(self, path: str) -> tuple[str, str] | None:
        for name, version, folder in self._editable:
            if path.startswith(folder.rstrip(os.sep) + os.sep):
                return name, version
        return None

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
        yield from (os.path.join(folder, name) for name in names if name.endswith(_CODE))


def _scan_folder(entry: str) -> tuple[dict[str, list[list[str]]], list[list[str]]]:
    """``{module: [[distribution, version]]}`` of the packages in one entry, and the editable ones with their source."""
    owners: dict[str, list[list[str]]] = {}
    editable: list[list[str]] = []
    for name in sorted(os.listdir(entry)):
        match = _FOLDER.match(name)
        if not match:
            continue
        folder = os.path.join(entry, name)
        distribution = re.sub(r"[-_.]+", "-", match["name"]).lower()
        version = match["version"] or _version(folder)
        source = _editable_source(folder)
        if source:
            editable.append([distribution, version, source])
        for module in _modules(folder):
            owners.setdefault(module, []).append([distribution, version])
    return owners, editable


def _text(*parts: str) -> str:
    try:
        with open(os.path.join(*parts), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _version(folder: str) -> str:
    text = _text(folder, "METADATA") or _text(folder, "PKG-INFO") or _text(folder)
    match = re.search(r"^Version:\s*(\S+)", text, re.MULTILINE)
    return match[1] if match else ""


def _editable_source(folder: str) -> str:
    text = _text(folder, "direct_url.json")
    data = json.loads(text) if text else {}
    url = data.get("url", "") if data.get("dir_info", {}).get("editable") else ""
    if not url.startswith("file://"):
        return ""
    from urllib.parse import unquote  # only where something is installed in editable mode

    return os.path.abspath(unquote(url.removeprefix("file://")))


def _modules(folder: str) -> list[str]:
    """The topmost regular packages and modules that a distribution installs."""
    files = [line.rpartition(",")[0].rpartition(",")[0] for line in _text(folder, "RECORD").splitlines()]
    if not files:
        files = [
            os.path.normpath(os.path.join("x", line)).removeprefix("x" + os.sep).replace(os.sep, "/")
            for line in _text(folder, "installed-files.txt").splitlines()
        ]
    paths = [path for path in files if path.endswith(_CODE) and not path.startswith((".", "/", "__pycache__"))]
    if not paths:
        return _text(folder, "top_level.txt").split()
    regular = {path.rpartition("/")[0] for path in paths if path.rpartition("/")[2].startswith("__init__.")}
    found: dict[str, None] = {}
    for path in paths:
        parts = path.split("/")
        prefixes = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        package = next((prefix for prefix in prefixes if prefix in regular), None)
        module = package or "/".join([*parts[:-1], parts[-1].partition(".")[0]])
        if "-" not in module and "." not in module:
            found[module.replace("/", ".")] = None
    return list(found)
