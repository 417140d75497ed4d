"""Which symbols stand for a piece of loaded code, so that what ran can be compared with what a fingerprint follows."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

from .bytecode import first_position
from .facts import Span
from .files import Files
from .graph import nested_name
from .judge import Judge
from .model import MODULE
from .reader import read_spans

_Place = tuple[int, int, int, int]


class Coverage:
    """Finds the statements and nested definitions that code objects were compiled from, by their position."""

    def __init__(self, files: Files, judge: Judge) -> None:
        self._files = files
        self._judge = judge
        self._spans: dict[str, list[Span]] = {}

    def symbols(self, path: str, code: CodeType) -> frozenset[str]:
        """Identities, as in :attr:`CodeFingerprint.symbols`, of all symbols whose own code ``code`` is part of.

        A fingerprint with any of them changes when ``code`` does. None for a statement that no symbol counts.
        """
        return frozenset(f"{path}::{name}" for name in self._names(path, code))

    def _names(self, path: str, code: CodeType) -> Iterator[str]:
        position = first_position(code) or (code.co_firstlineno, 0)
        for span in self._statements(path):
            if _holds(span.place, position):
                yield from span.names
                if span.effect is not None and self._judge.counts(path, span.effect):
                    yield MODULE
        records = self._files.nested(path)
        for index, record in enumerate(records):
            if _holds((record.lines[0], 0, *record.span[2:]), position):
                yield nested_name(records, index)

    def _statements(self, path: str) -> list[Span]:
        if path not in self._spans:
            self._spans[path] = read_spans(self._files.source(path), path)
        return self._spans[path]


def _holds(place: _Place, position: tuple[int, int]) -> bool:
    return place[:2] <= position < place[2:]
