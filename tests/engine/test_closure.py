"""Whatever way a piece of code is reached, a change of it changes the result: of a step, and of a process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from closure_cases import TABLE, USES, WHOLE, projects

from sandbox import Sandbox, outcomes, outputs


def check(root: Path, files: Mapping[str, str]) -> None:
    sandbox = Sandbox(root)
    for path, text in files.items():
        sandbox.write(path, text)
    sandbox.configure(["p"])
    first = sandbox.run()
    assert first.run.status == "done", [action.error for action in first.actions]
    assert outcomes(sandbox.run()) == {"p": "hit"}, sandbox.seen.warnings
    for path, text in files.items():
        sandbox.write(path, text.replace("111", "222"))
    second = sandbox.run()
    assert outputs(second) == outputs(sandbox.run(mode="off"))
    assert outputs(second) != outputs(first)


@pytest.mark.parametrize("files", [pytest.param(files, id=name) for name, files in projects(TABLE, WHOLE).items()])
def test_a_change_of_code_that_is_reached(files: Mapping[str, str], tmp_path: Path) -> None:
    check(tmp_path, files)


@pytest.mark.slow
@pytest.mark.parametrize("files", [pytest.param(files, id=name) for name, files in projects(USES).items()])
def test_a_change_of_code_that_is_reached_by_detours(files: Mapping[str, str], tmp_path: Path) -> None:
    check(tmp_path, files)
