"""The tables of what changes a code fingerprint, and what must not: one row a case.

The rows are in ``hashing_code/must_change.txt`` and ``must_not_change.txt``: a title after ``==``, the text that an
edit replaces after ``--`` (nothing: the edit appends), what it puts there after ``++``, and the source of
``src/m.py``, with other files after ``# file: NAME``. The function asked for is ``src/m.py::f``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "hashing_code"
TABLES = ("must_change.txt", "must_not_change.txt")


class Case(NamedTuple):
    title: str
    old: str
    new: str
    source: str


def cases(table: str) -> list[Case]:
    found = []
    for block in (FOLDER / table).read_text().removeprefix("== ").split("\n== "):
        title, old, new, source = block.split("\n", 3)
        old, new = (line[3:].encode("latin-1").decode("unicode_escape") for line in (old, new))
        found.append(Case(title, old, new, source))
    return found


def files(text: str) -> dict[str, str]:
    """Files by path."""
    found: dict[str, str] = {}
    name = "src/m.py"
    for line in text.splitlines(keepends=True):
        if line.startswith("# file: "):
            name = line.removeprefix("# file: ").strip()
            found[name] = ""
        else:
            found[name] = found.get(name, "") + line
    return found
