"""Which files of the project run when one of them is imported, whether or not anything of them is used."""

from __future__ import annotations

from contextlib import suppress

from ...errors import SourceError
from .files import Files
from .finder import NAMESPACE, SOURCE, Finder


def imported_with(path: str, files: Files, finder: Finder) -> set[str]:
    """The project-relative files that importing ``path`` executes, itself included.

    A fingerprint leaves out what can't matter; a copy of the code must have it, or its imports fail.
    """
    found: set[str] = set()
    pending = [path]
    while pending:
        file = pending.pop()
        if file in found:
            continue
        found.add(file)
        if file.endswith(".py"):
            pending += _next(file, files, finder)
    return found


def _next(path: str, files: Files, finder: Finder) -> list[str]:
    found = finder.packages_of(path)
    runs: list[tuple[str, str]] = []
    with suppress(SourceError):  # what can't be read as Python imports nothing
        runs = [(module, name) for module, name in files.facts(path).runs]
    for dotted, name in runs:
        module, above = finder.locate(dotted, path)
        modules = [*above, *([module] if module else [])]
        if module and name and name != "*":
            inner = finder.submodule(module, name)
            modules += [inner] if inner else []
        found += [item.path for item in modules if item.kind != NAMESPACE]
        found += [package for item in modules if item.kind == SOURCE for package in finder.packages_of(item.path)]
    return found
