"""``expops run --seeds``: what draws executes once a seed, anything else once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cli_project import Project

CONFIG = """\
scripts: {main: src/main.py}
reproducibility: {random_seed: 10}
experiment:
  pipeline:
    process_adjlist: |
      load fit
      fit report
      load aside
    processes:
      - name: load
      - name: fit
        parameters: {fail_at: null}
      - name: aside
      - name: report
"""
SCRIPT = """\
import random

from expops import log_metric, process, step


@step
def prepare(rows):
    return sorted(rows)


@step
def train(rows):
    return sum(rows) + random.random()


@process()
def load():
    return {"rows": [3, 1, 2]}


@process()
def fit(rows, fail_at):
    score = train(prepare(rows))
    log_metric("score", score)
    if fail_at is not None and score > fail_at:
        raise ValueError("diverged")
    return {"score": score}


@process()
def aside(rows):
    return {"size": len(rows)}


@process()
def report(score):
    log_metric("rounded", round(score))
    return {"line": f"{score:.3f}"}
"""


@pytest.fixture
def project(make: Callable[[str, str], Project]) -> Project:
    return make(CONFIG, SCRIPT)


def executions(document: dict[str, object], path: str) -> int:
    runs = document["runs"]
    assert isinstance(runs, list)
    return sum(a["outcome"] == "executed" for run in runs for a in run["actions"] if a["path"] == path)


def test_what_draws_executes_once_a_seed_and_anything_else_once(project: Project) -> None:
    document = project("run", "--seeds", "4", "--json", "--jobs", "0").json
    assert [run["seed"] for run in document["runs"]] == [10, 11, 12, 13]
    counts = {path: executions(document, path) for path in ("load", "aside", "fit", "fit/prepare", "fit/train")}
    assert counts == {"load": 1, "aside": 1, "fit": 4, "fit/prepare": 1, "fit/train": 4}
    again = project("run", "--seeds", "13,12,11,10", "--json", "--jobs", "0").json
    assert {action["outcome"] for run in again["runs"] for action in run["actions"]} == {"hit"}
    scores = [run["metrics"]["fit"]["score"]["1"] for run in document["runs"]]
    assert len(set(scores)) == 4
    told = document["metrics"]["fit"]["score"]
    assert told["seeds"] == 4
    assert told["mean"] == pytest.approx(sum(scores) / 4)
    assert told["interquartile_mean"] == pytest.approx(sum(sorted(scores)[1:3]) / 2)
    assert min(scores) <= told["interval_95"][0] <= told["interval_95"][1] <= max(scores)
    assert again["metrics"] == document["metrics"]


def test_people_see_a_table_and_show_repeats_it(project: Project) -> None:
    done = project("run", "--seeds", "1,2", "--jobs", "0")
    assert done.code == 0, done.err
    assert "seed 1:" in done.out
    assert "2 seeds: 2 done" in done.out
    assert "95 % interval" in done.out
    shown = project("show")
    assert "2 seeds (1, 2)" in shown.out
    assert "95 % interval" in shown.out
    document = project("show", "--json").json
    assert document["across_seeds"]["fit"]["score"]["seeds"] == 2
    project("run", "--jobs", "0")
    assert "95 % interval" not in project("show").out


def test_a_seed_that_fails_does_not_keep_the_others_from_running(project: Project) -> None:
    scores = [
        run["metrics"]["fit"]["score"]["1"]
        for run in project("run", "--seeds", "1,2,3", "--json", "--jobs", "0").json["runs"]
    ]
    limit = sorted(scores)[1]
    done = project("run", "--seeds", "1,2,3", "--json", "--jobs", "0", "--set", f"fit.fail_at={limit!r}")
    assert done.code == 1
    statuses = [run["status"] for run in done.json["runs"]]
    assert statuses == ["failed" if score > limit else "done" for score in scores]
    assert done.json["status"] == "failed"
    assert done.json["metrics"]["fit"]["score"]["seeds"] == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--seeds", "0"), "neither a number of seeds nor seeds such as 1,2,3"),
        (("--seeds", "x"), "neither a number of seeds nor seeds such as 1,2,3"),
        (("--seeds", "1,1"), "names no seed, or one twice"),
        (("--seeds", ","), "names no seed, or one twice"),
        (("--seeds", "1,-2"), "'-2' is not a whole number"),
        (("--seeds", "2", "--seed", str(2**128 - 1)), "go beyond 2**128 - 1"),
        (("--seeds", "1,2", "--seed", "3"), "--seed and --seeds both name seeds"),
    ],
)
def test_wrong_seeds(project: Project, given: tuple[str, ...], told: str) -> None:
    done = project("run", *given)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err


def test_a_number_of_seeds_begins_with_the_one_given(project: Project) -> None:
    document = project("run", "--seeds", "2", "--seed", "5", "--json", "--jobs", "0").json
    assert [run["seed"] for run in document["runs"]] == [5, 6]
