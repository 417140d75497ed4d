"""``expops explain``: what changed in the code, line by line, and all that a result came from."""

from __future__ import annotations

import subprocess

import pytest
from cli_project import History, Project

SCALE = "    return [row * factor for row in rows]\n"


@pytest.fixture
def edited(project: Project) -> Project:
    """A step changed after a run."""
    assert project("run", "-q").code == 0
    project.edit("src/main.py", SCALE, "    # twice as much\n    return [2 * row * factor for row in rows]\n")
    return project


def test_a_change_of_code_is_shown_by_its_lines(edited: Project) -> None:
    told = edited("explain", "fit").out.splitlines()
    assert told[:7] == [
        "process 'fit' would run: code of helper 'scale' in src/main.py changed",
        "  src/main.py, scale:",
        '             raise ValueError("weights are NaN")',
        "    -    return [row * factor for row in rows]",
        "    +    # twice as much",
        "    +    return [2 * row * factor for row in rows]",
        told[6],
    ]
    document = edited("explain", "fit", "--json").json
    assert document["reasons"] == ["code of helper 'scale' in src/main.py changed"]
    assert [change["symbol"] for change in document["code_changes"]] == ["src/main.py::scale"]


def test_a_step_is_told_what_has_changed_since(edited: Project) -> None:
    told = edited("explain", "fit/scale").out.splitlines()
    assert told[1:3] == ["  it would run: code of 'scale' in src/main.py changed", "  src/main.py, scale:"]
    document = edited("explain", "fit/scale", "--json").json
    assert (document["plan"], document["reasons"]) == ("miss", ["code of 'scale' in src/main.py changed"])
    assert edited("run", "-q").code == 0
    assert "  process 'fit' is cached, so nothing calls it now\n" in edited("explain", "fit/scale").out
    other = edited("explain", "fit/scale", "--set", "fit.factor=7")
    assert "  neither its code nor what it read has changed since; its arguments are known only" in other.out


def test_a_step_that_is_gone_or_of_another_seed(project: Project) -> None:
    project.edit("src/main.py", SCALE, "    import random\n    return [row * random.random() for row in rows]\n")
    project("run", "-q")
    drew = project("explain", "fit/scale", "--seed", "7", "--json").json
    assert (drew["plan"], drew["reasons"]) == ("miss", ["random seed 42 → 7"])
    project.edit("src/main.py", "scale(", "scaled(")
    gone = project("explain", "fit/scale", "--json").json
    assert gone["reasons"] == ["src/main.py::scale is not there any more"]


def test_a_long_change_is_cut_unless_all_is_asked_for(edited: Project) -> None:
    body = "".join(f"    factor += {number}\n" for number in range(30))
    edited.edit("src/main.py", "    # twice as much\n", body)
    short, whole = edited("explain", "fit").out, edited("explain", "fit", "-v").out
    assert "more lines (-v shows all)" in short
    assert "factor += 29" not in short
    assert "    +    factor += 29\n" in whole
    assert "src/main.py::scale" in whole


def test_code_that_was_reverted_has_no_change_to_show(edited: Project) -> None:
    edited.edit("src/main.py", "    # twice as much\n    return [2 * row", "    # as before\n    return [row")
    document = edited("explain", "fit", "--json").json
    assert (document["plan"], document["code_changes"]) == ("hit", [])


def test_a_cleared_cache_is_no_first_time(project: Project) -> None:
    project("run", "-q")
    project("cache", "clear", "--yes")
    reasons = [item["reason"] for item in project("status", "--json").json["actions"]]
    assert reasons[0].startswith("never ran since the cache was cleared on 20")
    again = project("run", "--json").json["actions"]
    assert {item["reason"][:37] for item in again} == {"never ran since the cache was cleared"}


def test_where_a_result_came_from(project: Project) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], cwd=project.root, check=True)
    project.write("data/new.txt", "")
    run = project("run", "--json").json
    document = project("explain", "fit", "--json").json
    result, depends = document["result"], document["depends_on"]
    assert result["run_id"] == run["run_id"]
    assert result["reason"] == "never ran before"
    assert result["git"] == {"commit": run["git"]["commit"], "dirty": True}
    load = next(action for action in run["actions"] if action["path"] == "load")
    assert depends["fingerprints"] == {"rows": load["outputs"]["rows"]["fingerprint"]}
    told = project("explain", "fit").out
    assert f"  git      {run['git']['commit'][:12]} with changes that are not committed\n" in told
    assert f"rows = output of load ({load['outputs']['rows']['fingerprint'][:12]})" in told
    assert "  because  never ran before\n" in told


def test_widening_is_told(project: Project) -> None:
    project.edit("src/main.py", SCALE, "    return eval('[row * factor for row in rows]', {**globals(), **locals()})\n")
    project("run", "-q")
    assert "all of src/main.py counts: " in project("explain", "fit").out


def test_json_is_one_document(history: History) -> None:
    for command in (("explain", "fit"), ("explain", "fit/scale"), ("explain", "load"), ("status",)):
        assert isinstance(history.project(*command, "--json").json, dict)
