"""What changes a code fingerprint, and what must not: the rows of the two tables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from projects import fingerprint, write

from code_cases import Case, cases, files
from expops.hashing.code import ProjectCode


def _digests(folder: Path, case: Case) -> tuple[str, str]:
    assert case.old in case.source, "the edit must apply"
    edited = case.source.replace(case.old, case.new, 1) if case.old else f"{case.source}\n{case.new}"
    before = fingerprint(write(folder / "before", files(case.source)))
    after = fingerprint(write(folder / "after", files(edited)))
    return before.digest, after.digest


@pytest.mark.parametrize("case", cases("must_change.txt"), ids=lambda case: case.title)
def test_changes(tmp_path: Path, case: Case) -> None:
    before, after = _digests(tmp_path, case)
    assert before != after


@pytest.mark.parametrize("case", cases("must_change.txt"), ids=lambda case: case.title)
def test_where_objects_lie_in_memory_changes_nothing(tmp_path: Path, case: Case) -> None:
    root = os.fspath(write(tmp_path, files(case.source)))
    kept = [ProjectCode(root) for _ in range(6)]  # all alive, so that no two have their nodes at the same addresses
    assert len({code.fingerprint("src/m.py", "f").digest for code in kept}) == 1


@pytest.mark.parametrize("case", cases("must_not_change.txt"), ids=lambda case: case.title)
def test_stays(tmp_path: Path, case: Case) -> None:
    before, after = _digests(tmp_path, case)
    assert before == after
