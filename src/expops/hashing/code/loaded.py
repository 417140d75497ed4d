"""Where a loaded function stands in its source, checked against what that source compiles to."""

from __future__ import annotations

import os
from types import CodeType
from typing import NamedTuple

from ...errors import SourceError
from .bytecode import all_codes, first_position, same_code
from .facts import FileFacts, Nested
from .files import Files
from .finder import Finder

CELL = "<interactive>"


class Place(NamedTuple):
    """``name`` is a top-level symbol, or a nested definition if ``nested`` gives its index."""

    path: str
    name: str
    nested: int | None


class Cell(NamedTuple):
    """Source that is in no file of the project: typed at a prompt, in a notebook, in a doctest."""

    facts: FileFacts
    nested: list[Nested]


class Sources:
    """Compiles each file once, to tell where a code object comes from."""

    def __init__(self, files: Files, finder: Finder) -> None:
        self._files = files
        self._finder = finder
        self._codes: dict[str, dict[str, list[CodeType]]] = {}
        self._cells: dict[str, Cell | None] = {}

    def project_path(self, file: str) -> str | None:
        """The project-relative path of a code object's file, if it is a source file of the project."""
        if not file.endswith(".py") or not self._finder.is_project(file):
            return None
        relative = self._finder.relative(file)
        return relative if relative is not None and self._exists(relative) else None

    def _exists(self, relative: str) -> bool:
        return os.path.isfile(self._finder.absolute(relative))

    def compiled(self, path: str) -> dict[str, list[CodeType]]:
        """Code objects by qualified name of what the file compiles to now."""
        if path not in self._codes:
            codes: dict[str, list[CodeType]] = {}
            source = self._files.source(path)
            for code in all_codes(compile(source, path, "exec", dont_inherit=True)):
                codes.setdefault(code.co_qualname, []).append(code)
            self._codes[path] = codes
        return self._codes[path]

    def place(self, path: str, code: CodeType) -> Place | None:
        """Where ``code`` stands in a project file; ``None`` if the file says something else now."""
        self._files.facts(path)  # a file that is no valid Python is the user's error, told with its line
        alike = [c for c in self.compiled(path).get(code.co_qualname, ()) if same_code(c, code)]
        if not alike:
            return None
        match = next((c for c in alike if c.co_firstlineno == code.co_firstlineno), alike[0])
        top = code.co_qualname.partition(".")[0]
        if "<" not in code.co_qualname and top in self._files.facts(path).symbols:
            return Place(path, top, None)
        index = which(self._files.nested(path), match)
        return None if index is None else Place(path, code.co_qualname, index)

    def cell(self, code: CodeType) -> Cell | None:
        """The source that ``linecache`` holds for a code object that is in no file."""
        import linecache  # loads tokenize, which plans do without

        file = code.co_filename
        if file not in self._cells:
            lines = linecache.getlines(file)
            self._cells[file] = _read_cell("".join(lines)) if lines else None
        return self._cells[file]


def which(nested: list[Nested], code: CodeType) -> int | None:
    """The index of the nested definition that ``code`` was compiled from."""
    named = [
        (index, record)
        for index, record in enumerate(nested)
        if record.qualname == code.co_qualname and code.co_firstlineno in record.lines
    ]
    if len(named) > 1:
        position = first_position(code)
        within = [(i, r) for i, r in named if position and r.span[:2] <= position < r.span[2:]]
        named = sorted(within or named, key=lambda found: found[1].span[:2], reverse=True)
    return named[0][0] if named else None


def _read_cell(source: str) -> Cell | None:
    from .reader import read_facts, read_nested  # needs ast

    encoded = source.encode("utf-8", "surrogatepass")
    try:
        return Cell(read_facts(encoded, CELL, ""), read_nested(encoded, CELL))
    except SourceError:
        return None  # what was kept is not what ran, such as a cell with its magics
