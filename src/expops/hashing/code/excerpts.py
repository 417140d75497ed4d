"""The source text of each symbol of a file, as people wrote it: what a change of code is shown by."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterable

from .model import SOURCE
from .reader import read_lines


def excerpts(source: bytes, file: str) -> dict[str, str]:
    """Texts by the name that symbols have in fingerprints. Raises :class:`~expops.errors.SourceError`."""
    spans = read_lines(source, file)
    text = source.decode(tokenize.detect_encoding(io.BytesIO(source).readline)[0], "replace")
    # Not splitlines(): for the parser, a form feed ends no line.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return {**{name: _cut(lines, parts) for name, parts in spans.items()}, SOURCE: text}


def _cut(lines: list[str], spans: Iterable[tuple[int, int]]) -> str:
    return "\n".join(line for first, last in sorted(set(spans)) for line in lines[first - 1 : last])
