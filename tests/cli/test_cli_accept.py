"""``expops accept`` as people and programs see it."""

from __future__ import annotations

import re

import pytest
from cli_project import Project

EDIT = ("return [row * factor for row in rows]", "return [factor * row for row in rows]")
WHY = "code of helper 'scale' in src/main.py changed"


@pytest.fixture
def edited(project: Project) -> Project:
    """A project that has run, and whose step was tidied up since."""
    assert project("run", "-q").code == 0
    project.edit("src/main.py", *EDIT)
    return project


def test_a_process_for_people(edited: Project) -> None:
    done = edited("accept", "fit")
    assert done.code == 0
    first, why, hint = done.out.splitlines()
    assert re.fullmatch(r"accepted fit: the result of run \d{8}-\d{6}-\w{6} counts for today's code", first)
    assert (why, hint.partition(";")[0]) == (f"  {WHY}", "  its steps are not called while it is cached")
    ran = edited("run", "--json").json
    reasons = {action["path"]: action["reason"] for action in ran["actions"]}
    assert re.fullmatch(rf"accepted on \d{{4}}-\d\d-\d\d: {WHY} since the run that made it", reasons["fit"])
    assert reasons["report"] == "nothing changed"
    assert reasons["fit"] in edited("show").out
    explained = edited("explain", "fit").out
    assert "as `expops accept` was asked to" in explained
    assert WHY in explained


def test_a_step_for_programs(edited: Project) -> None:
    document = edited("accept", "fit/scale", "--json").json
    (item,) = document["accepted"]
    assert (document["path"], item["path"], item["from"]["path"]) == ("fit/scale", "fit/scale", "fit/scale")
    assert item["reasons"] == ["code of 'scale' in src/main.py changed"]
    assert (item["action"] != item["from"]["action"], item["result"] != item["from"]["result"]) == (True, True)
    ran = edited("run", "--json").json
    assert {action["path"]: action["outcome"] for action in ran["actions"]}["fit/scale"] == "hit"
    accepted = edited("explain", "fit/scale", "--json").json["result"]["accepted"]
    assert (accepted["path"], accepted["reasons"]) == ("fit/scale", item["reasons"])
    assert accepted["action"] == item["from"]["action"]


def test_undo(edited: Project) -> None:
    edited("accept", "fit")
    assert edited("accept", "fit", "--undo").out == "no longer accepted: fit\n"
    plan = {item["path"]: item["reason"] for item in edited("status", "--json").json["actions"]}
    assert plan["fit"] == WHY
    edited("accept", "fit")
    assert edited("accept", "fit", "--undo", "--json").json == {"path": "fit", "undone": ["fit"]}


def test_other_parameters_are_told_apart(edited: Project) -> None:
    refused = edited("accept", "fit", "--set", "fit.factor=3", "--json")
    assert (refused.code, refused.json["error"]["type"]) == (2, "Refused")
    assert "more than code differs from the last result: parameter factor 2 → 3" in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fitt",), "there is no process 'fitt'; did you mean 'fit'?"),
        (("fit/scael",), "no result of a step 'fit/scael' is known that could be accepted; `expops show` lists"),
        (("load",), "nothing to accept: 'load' is cached, nothing changed"),
        (("fit", "--undo"), "nothing is accepted at 'fit'"),
        (
            ("fit", "--undo", "--from", "old"),
            "--undo takes no --from; name what was accepted by the name that it has now",
        ),
        (
            ("fit", "--from", "old/scale"),
            "--from old/scale and fit are not alike; write both as PROCESS, or as PROCESS/STEP",
        ),
        (("fit", "--from", "aside"), "--from aside: that process is still there, so 'fit' is not its new name"),
        (("fit", "--from", "gone"), "no result of the process 'gone' is known that could be accepted"),
        (("report",), "what 'report' takes is not known yet: 'fit' would run first"),
    ],
)
def test_what_can_not_be_accepted(edited: Project, arguments: tuple[str, ...], message: str) -> None:
    done = edited("accept", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"expops: error: {message}")
