"""Where the project's modules are: names to files, without importing anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

SOURCE: Final = "source"
EXTENSION: Final = "extension"
NAMESPACE: Final = "namespace"

_NEVER: Final = frozenset({"site-packages", "dist-packages", "__pycache__", ".expops", ".venv", ".git", "node_modules"})
_VENV_MARKS: Final = ("pyvenv.cfg", "conda-meta")


class Module(NamedTuple):
    """A module of the project: its file, relative to the project, and its folder if it is a package."""

    path: str
    folder: str
    kind: str


class Finder:
    """Finds modules below ``root``; what it has seen of the disk stays as it was for its lifetime."""

    def __init__(self, root: str, import_roots: Sequence[str]) -> None:
        self.root = os.path.abspath(root)
        self._real_root = os.path.realpath(root)
        self._relatives: dict[str, str | None] = {}
        given = [os.path.abspath(folder) for folder in import_roots]
        given = given or [self.root, os.path.join(self.root, "src")]
        on_path = [os.path.abspath(entry) for entry in sys.path]
        self._roots = list(dict.fromkeys([*given, *(entry for entry in on_path if self.relative(entry) is not None)]))
        self._listings: dict[str, dict[str, bool]] = {}
        self._excluded: dict[str, bool] = {self.root: False}
        self._found: dict[str, Module | None] = {}

    def relative(self, path: str) -> str | None:
        """``path`` relative to the project with forward slashes; ``None`` if it lies outside."""
        if path not in self._relatives:
            found = _below(self.root, os.path.abspath(path))
            self._relatives[path] = _below(self._real_root, os.path.realpath(path)) if found is None else found
        return self._relatives[path]

    def absolute(self, path: str) -> str:
        """The file of a project-relative path."""
        return os.path.join(self.root, *path.split("/"))

    def is_project(self, path: str) -> bool:
        """Whether a file is code of the project: below its root, and in no environment or installed package."""
        relative = self.relative(path)
        return relative is not None and not self._is_excluded(os.path.dirname(self.absolute(relative)))

    def _is_excluded(self, folder: str) -> bool:
        if folder not in self._excluded:
            name = os.path.basename(folder)
            names = self._listing(folder)
            own = name in _NEVER or any(mark in names for mark in _VENV_MARKS)
            self._excluded[folder] = own or self._is_excluded(os.path.dirname(folder))
        return self._excluded[folder]

    def find(self, dotted: str) -> Module | None:
        """The project module of an absolute name."""
        if dotted not in self._found:
            head, _, last = dotted.rpartition(".")
            if head:
                parent = self.find(head)
                self._found[dotted] = self.submodule(parent, last) if parent else None
            else:
                candidates = [self._in_folder(root, last) for root in self._roots]
                found = [module for module in candidates if module]
                regular = [module for module in found if module.kind != NAMESPACE]
                self._found[dotted] = next(iter(regular or found), None)
        return self._found[dotted]

    def locate(self, module: str, importer: str) -> tuple[Module | None, list[Module]]:
        """The project module that ``importer`` (a project-relative file) means, and the packages above it."""
        name = module.lstrip(".")
        level = len(module) - len(name)
        if level:
            folder = os.path.dirname(self.absolute(importer))
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return self._descend(self._package(folder), name.split(".") if name else [])
        first, *rest = name.split(".")
        return self._descend(self.find(first), rest)

    def _descend(self, module: Module | None, names: list[str]) -> tuple[Module | None, list[Module]]:
        above: list[Module] = []
        for name in names:
            if module is None:
                break
            above.append(module)
            module = self.submodule(module, name)
        return module, above

    def _package(self, folder: str) -> Module | None:
        if self.relative(folder) is None:
            return None
        if "__init__.py" in self._listing(folder):
            return self._source(os.path.join(folder, "__init__.py"), folder)
        return Module("", folder, NAMESPACE)

    def folder(self, path: str) -> Module | None:
        """A folder of the project as a package without ``__init__.py``; ``None`` for one outside."""
        inside = self.relative(path) is not None and not self._is_excluded(path)
        return Module("", path, NAMESPACE) if inside else None

    def submodule(self, parent: Module, name: str) -> Module | None:
        """The module ``name`` inside a package."""
        return self._in_folder(parent.folder, name) if parent.folder else None

    def _in_folder(self, folder: str, name: str) -> Module | None:
        names = self._listing(folder)
        inner = os.path.join(folder, name)
        is_folder = names.get(name, False)
        if is_folder and "__init__.py" in self._listing(inner):
            return self._source(os.path.join(inner, "__init__.py"), inner)
        if f"{name}.py" in names:
            return self._source(f"{inner}.py", "")
        for file in names:
            if file.startswith(f"{name}.") and file.endswith((".so", ".pyd")):
                return self._source(os.path.join(folder, file), "", EXTENSION)
        if is_folder and not self._is_excluded(inner) and self.relative(inner) is not None:
            return Module("", inner, NAMESPACE)
        return None

    def _source(self, file: str, folder: str, kind: str = SOURCE) -> Module | None:
        relative = self.relative(file)
        return Module(relative, folder, kind) if relative is not None and self.is_project(file) else None

    def _listing(self, folder: str) -> dict[str, bool]:
        if folder not in self._listings:
            self._listings[folder] = dict(_entries(folder))
        return self._listings[folder]

    def packages_of(self, path: str) -> list[str]:
        """The ``__init__.py`` files of the packages that a project file lies in, from the outermost."""
        found = []
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = self.absolute("/".join(parts[:depth]))
            if "__init__.py" in self._listing(folder):
                found.append("/".join([*parts[:depth], "__init__.py"]))
        return [package for package in found if package != path]

    def every_file(self, below: str = "") -> list[str]:
        """All Python files of the project, or of a folder of it, sorted."""
        found = []
        pending = [below or self.root]
        while pending:
            folder = pending.pop()
            for name, is_folder in self._listing(folder).items():
                inner = os.path.join(folder, name)
                if is_folder and not name.startswith(".") and not self._is_excluded(inner):
                    pending.append(inner)
                elif name.endswith(".py") and (relative := self.relative(inner)) is not None:
                    found.append(relative)
        return sorted(found)


def _below(root: str, path: str) -> str | None:
    if path == root:
        return "."
    inside = path.startswith(root.rstrip(os.sep) + os.sep)
    return os.path.relpath(path, root).replace(os.sep, "/") if inside else None


def _entries(folder: str) -> Iterator[tuple[str, bool]]:
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in listed:
        yield entry.name, entry.is_dir()
