"""What has changed in code, line by line: for people who ask why an action runs. A plan does without."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ..errors import SourceError
from ..hashing.code import CodeFingerprint
from ..hashing.code.excerpts import excerpts
from .explain import CodeRecord
from .sources import Code, text

_CONTEXT: Final = 1  # unchanged lines around a change


class SymbolDiff(NamedTuple):
    """A symbol such as ``src/lib.py::clean`` and its changed lines: ``-`` or ``+`` or a space, then the line."""

    symbol: str
    lines: list[str]


def code_diffs(
    now: CodeFingerprint, before: CodeRecord, files: Code, load: Callable[[str], bytes | None]
) -> list[SymbolDiff]:
    """Differences of the symbols that both fingerprints have, as far as the old text was kept; the function's first.

    ``load`` gives a remembered record by name.
    """
    changed = [name for name, digest in now.symbols.items() if before.symbols.get(name, digest) != digest]
    places = dict.fromkeys(name.rpartition("::")[0] for name in changed)
    old = {file: _excerpts(text(before.contents.get(file, ""), load), file) for file in places}
    new = {file: _excerpts(files.source(file), file) for file in places}
    found = []
    for name in changed:
        file, _, symbol = name.rpartition("::")
        lines = _diff(old[file].get(symbol, ""), new[file].get(symbol, ""))
        if lines:
            found.append(SymbolDiff(name, lines))
    return found


def _excerpts(source: bytes | None, file: str) -> Mapping[str, str]:
    try:
        return excerpts(source, file) if source is not None else {}
    except SourceError:
        return {}  # written for another version of Python


def _diff(old: str, new: str) -> list[str]:
    if not old or not new:
        return []
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=_CONTEXT, lineterm="")
    # The first two name files; a hunk's place is told in lines of the symbol, which helps nobody.
    body = ["…" if line.startswith("@@") else line for line in list(lines)[2:]]
    return body[1:] if body[:1] == ["…"] else body
