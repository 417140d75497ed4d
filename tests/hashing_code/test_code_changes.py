"""What changes a code fingerprint, and what must not: one row a case.

The rows are in ``must_change.txt`` and ``must_not_change.txt``: a title after ``==``, the text that an edit
replaces after ``--`` (nothing: the edit appends), what it puts there after ``++``, and the source of ``src/m.py``,
with other files after ``# file: NAME``. The function asked for is ``src/m.py::f``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from projects import fingerprint, write

from expops.hashing.code import ProjectCode

HERE = Path(__file__).parent


class Case(NamedTuple):
    title: str
    old: str
    new: str
    source: str


def _cases(file: str) -> list[Case]:
    found = []
    for block in (HERE / file).read_text().removeprefix("== ").split("\n== "):
        title, old, new, source = block.split("\n", 3)
        old, new = (line[3:].encode("latin-1").decode("unicode_escape") for line in (old, new))
        found.append(Case(title, old, new, source))
    return found


def _files(text: str) -> dict[str, str]:
    files: dict[str, str] = {}
    name = "src/m.py"
    for line in text.splitlines(keepends=True):
        if line.startswith("# file: "):
            name = line.removeprefix("# file: ").strip()
            files[name] = ""
        else:
            files[name] = files.get(name, "") + line
    return files


def _digests(folder: Path, case: Case) -> tuple[str, str]:
    assert case.old in case.source, "the edit must apply"
    edited = case.source.replace(case.old, case.new, 1) if case.old else f"{case.source}\n{case.new}"
    before = fingerprint(write(folder / "before", _files(case.source)))
    after = fingerprint(write(folder / "after", _files(edited)))
    return before.digest, after.digest


@pytest.mark.parametrize("case", _cases("must_change.txt"), ids=lambda case: case.title)
def test_changes(tmp_path: Path, case: Case) -> None:
    before, after = _digests(tmp_path, case)
    assert before != after


@pytest.mark.parametrize("case", _cases("must_change.txt"), ids=lambda case: case.title)
def test_where_objects_lie_in_memory_changes_nothing(tmp_path: Path, case: Case) -> None:
    root = os.fspath(write(tmp_path, _files(case.source)))
    kept = [ProjectCode(root) for _ in range(6)]  # all alive, so that no two have their nodes at the same addresses
    assert len({code.fingerprint("src/m.py", "f").digest for code in kept}) == 1


@pytest.mark.parametrize("case", _cases("must_not_change.txt"), ids=lambda case: case.title)
def test_stays(tmp_path: Path, case: Case) -> None:
    before, after = _digests(tmp_path, case)
    assert before == after
