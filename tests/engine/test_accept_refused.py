"""What is refused to be accepted: whatever differs in more than code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from accept_project import EDIT, accept, edit, make, reading, undo

from expops.engine.accept import Refused
from sandbox import Sandbox

MORE = "can't be accepted, since more than code differs from the last result: "
REFUSED: dict[str, tuple[str, Callable[[Sandbox], None], str]] = {
    "a parameter": (
        "p",
        lambda project: project.configure([{"name": "p", "parameters": {"lr": 2}}, "q"], edges="p q"),
        f"'p' {MORE}parameter lr 1 → 2",
    ),
    "a version": (
        "p",
        lambda project: project.configure([{"name": "p", "parameters": {"lr": 1}, "version": 2}, "q"], edges="p q"),
        f"'p' {MORE}version none → 2",
    ),
    "a version in code": (
        "p",
        lambda project: edit(project, ("@process\ndef p", "@process(version=3)\ndef p")),
        f"'p' {MORE}version none → 3",
    ),
    "a version of a step": ("p/read", lambda project: edit(project, ("@step", "@step(version=3)")), "version none → 3"),
    "a file": ("p", lambda project: project.write("data/a.txt", "b"), f"'p' {MORE}file data/a.txt changed"),
    "a file of a step": ("p/read", lambda project: project.write("data/a.txt", "b"), "file data/a.txt changed"),
    "a new argument": (
        "p",
        lambda project: edit(project, ("def p(lr)", "def p(lr, more=1)")),
        "",
    ),
    "an upstream miss": (
        "q",
        lambda project: edit(project, ("len(text)", "0 + len(text)")),
        "what 'q' takes is not known yet: 'p' would run first (code of helper 'clean' in src/model.py changed)",
    ),
    "no caching": (
        "p",
        lambda project: edit(project, ("@process\ndef p", "@process(cache=False)\ndef p")),
        "nothing to accept: 'p' runs each time, caching is off for it",
    ),
    "a step that never ran": ("p/write", lambda project: None, "no result of a step 'p/write' is known"),
    "a step that is gone": (
        "p/read",
        lambda project: edit(project, ("def read(", "def load("), ('read("', 'load("')),
        "the code of the process has no function 'read'",
    ),
}


@pytest.mark.parametrize(("path", "change", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(tmp_path: Path, path: str, change: Callable[[Sandbox], None], message: str) -> None:
    project = reading(tmp_path)
    project.run()
    edit(project, ("return text.strip()", "return (text).strip().strip()"))
    change(project)
    if not message:
        accept(project, path)  # an argument with a default is only code
        return
    with pytest.raises(Refused) as caught:
        accept(project, path)
    assert message in str(caught.value)
    assert "accepted" not in project.plan()["p"][1]


def test_a_seed_is_no_code(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT)
    for path in ("fit", "fit/top"):
        with pytest.raises(Refused, match="the random seed changed"):
            accept(project, path, seed=7)
    accept(project, "fit/inner", seed=7)  # it draws nothing


def test_seed_by_is_no_code_either(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT, ("@step\ndef top", '@step(seed_by="x")\ndef top'))
    with pytest.raises(Refused, match="the random seed changed"):
        accept(project, "fit")


def test_nothing_to_accept(tmp_path: Path) -> None:
    project = make(tmp_path)
    with pytest.raises(Refused, match="no result of the process 'load' is known"):
        accept(project, "load")
    project.run()
    for path in ("fit", "fit/top"):
        with pytest.raises(Refused, match="nothing to accept"):
            accept(project, path)
        with pytest.raises(Refused, match="nothing is accepted"):
            undo(project, path)
