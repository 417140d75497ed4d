"""``expops verify`` as a user runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verify_project import Project, small

STABLE = """
from expops import log_metric, process, step


@step
def double(values):
    return [2 * value for value in values]


@process()
def fit():
    values = double([0.5, 1.5])
    log_metric("size", len(values))
    return {"values": values}
"""

SUM_OF_A_SET = """
from expops import log_metric, process, step


@step
def add(names):
    total = 0.0
    for name in set(names):
        total += 1.7 ** len(name) / 7
    return total


@process()
def fit():
    total = add(["x" * number for number in range(1, 40)])
    log_metric("total", total)
    return {"total": total}
"""

RECORDS = """
import os
from expops import process


@process()
def fit():
    return {"place": os.environ.get("HOME")}
"""


def test_a_clean_process_survives_and_says_what(tmp_path: Path) -> None:
    project = small(tmp_path, STABLE, "fit")
    assert project("run").code == 0
    done = project("verify", "--vary", "hash-seed,clock,cached", "--turns", "1")
    assert done.code == 0, done.err
    assert "all: hash-seed, clock, cached" in done.out
    assert "2 actions: 2 bitwise" in done.out
    assert "prove" not in done.out


def test_a_difference_is_found_told_and_leaves_the_cache_alone(tmp_path: Path) -> None:
    project = small(tmp_path, SUM_OF_A_SET, "fit")
    project("run")
    before = project("cache", "info").out
    done = project("verify", "fit", "--vary", "hash-seed,time-zone", "--turns", "2")
    assert done.code == 3, done.err
    assert "differs with hash-seed" in done.out
    assert "starts in fit/add" in done.out
    assert "ULP)" in done.out
    assert project("cache", "info").out == before
    assert "nothing to do" in project("status").out
    assert os.listdir(tmp_path / ".expops" / "work") == []


def test_a_declared_tolerance_covers_a_difference_that_is_no_larger(tmp_path: Path) -> None:
    project = small(tmp_path, SUM_OF_A_SET, "fit", tolerance={"total": 1e-9})
    project("run")
    done = project("verify", "--vary", "hash-seed", "--turns", "2", "--json")
    assert done.code == 0, done.err
    fit = done.actions()["fit"]
    assert (fit["verdict"], fit["tolerance"]) == ("tolerance", 1e-9)
    assert {value["kind"] for told in fit["differences"] for value in told["values"]} == {"output", "metric"}
    assert done.actions()["fit/add"]["verdict"] == "tolerance"

    small(tmp_path, SUM_OF_A_SET, "fit", tolerance={"total": 1e-18})
    assert "nothing to do" in project("status").out
    done = project("verify", "--vary", "hash-seed", "--turns", "2", "--json")
    assert done.code == 3
    assert done.actions()["fit"]["verdict"] == "unstable"


def test_quick_is_one_plain_execution(tmp_path: Path) -> None:
    project = small(
        tmp_path, STABLE + "\n\nimport time\n\n\n@process()\ndef now():\n    return {'t': time.time()}\n", "fit"
    )
    project.configure([{"name": "fit"}, {"name": "now"}], {"main": "src/main.py"})
    project("run")
    done = project("verify", "--quick", "--json")
    assert done.code == 3
    assert {path: item["verdict"] for path, item in done.actions().items()} == {
        "fit": "bitwise",
        "fit/double": "bitwise",
        "now": "unstable",
    }
    assert project("verify", "fit", "--quick").code == 0


def test_one_step_is_told_of_alone(tmp_path: Path) -> None:
    project = small(tmp_path, STABLE, "fit")
    project("run")
    assert list(project("verify", "fit/double", "--quick", "--json").actions()) == ["fit/double"]
    refused = project("verify", "fit/dubble", "--quick")
    assert refused.code == 2
    assert "did you mean" in refused.err
    assert "fit/double" in refused.err


def test_an_input_that_the_cache_knows_is_named(tmp_path: Path) -> None:
    project = small(tmp_path, RECORDS, "fit")
    project("run")
    done = project("verify", "--vary", "home", "--turns", "1")
    assert done.code == 3
    assert "an input that the cache knows differs: variable HOME" in done.out


def test_what_fails_when_varied_is_a_difference_and_what_fails_as_it_was_a_failure(tmp_path: Path) -> None:
    script = """
    import pathlib
    from expops import process


    @process()
    def varied():
        return {"count": len(list((pathlib.Path.home() / "here").iterdir()))}


    @process()
    def broken():
        marker = pathlib.Path("MARKER")
        if marker.exists():
            raise ValueError("the second time is once too often")
        marker.mkdir()
        return {"made": 1}
    """.replace("MARKER", str(tmp_path / "marker"))
    project = small(tmp_path / "project", script, "varied", "broken")
    home = tmp_path / "home"
    (home / "here").mkdir(parents=True)
    assert project("run", HOME=str(home)).code == 0
    done = project("verify", "varied", "--vary", "home", "--turns", "1", "--json", HOME=str(home))
    assert done.code == 3
    ((value,),) = [told["values"] for told in done.actions()["varied"]["differences"]]
    assert (value["kind"], "FileNotFoundError" in value["elements"][0]["found"]) == ("error", True)
    done = project("verify", "broken", "--quick", HOME=str(home))
    assert done.code == 1
    assert "once too often" in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("verify",), "no process has a recorded result that is up to date; `expops run` makes them"),
        (("verify", "fit"), "process 'fit' can't be verified: no recorded result (never ran before)"),
        (("verify", "fat"), "there is no process 'fat'; did you mean 'fit'?"),
        (("verify", "--vary", "hash-sead"), "there is no variation 'hash-sead'; did you mean 'hash-seed'?"),
        (("verify", "--vary", "clock", "--except", "clock"), "nothing is left to vary"),
        (("verify", "--quick", "--vary", "clock"), "--quick varies nothing"),
        (("verify", "--turns", "0"), "--turns 0 varies nothing"),
    ],
)
def test_misuse_is_told(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = small(tmp_path, STABLE, "fit")(*arguments)
    assert done.code == 2
    assert told in done.err


def test_processes_without_a_result_are_untested(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("src/main.py", STABLE + "\n\n@process()\ndef other():\n    return {}\n")
    project.configure([{"name": "fit"}, {"name": "other", "cache": False}], {"main": "src/main.py"})
    project("run")
    actions = project("verify", "--quick", "--json").actions()
    assert actions["other"]["verdict"] == "untested"
    assert actions["other"]["untested"] == {"result": "caching is off for it, so no result of it is recorded"}


def test_a_run_under_another_parameter_can_be_verified(tmp_path: Path) -> None:
    script = "from expops import process\n\n\n@process()\ndef fit(rate):\n    return {'rate': rate}\n"
    project = small(tmp_path, script, "fit", parameters={"rate": 1})
    project("run", "--set", "fit.rate=2")
    assert project("verify", "--quick").code == 2
    assert project("verify", "--quick", "--set", "fit.rate=2").code == 0
