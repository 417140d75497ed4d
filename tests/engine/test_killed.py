"""Killed at any moment, a run is followed by one that completes, in which every finished step is a hit."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from real_runs import LABELS, PROCESSES, RealProject, Run, alive, facts, kill, outcomes, until

from expops.kv.sqlite import SQLiteKV
from expops.runs.ledger import Ledger

VICTIMS = ("run", "run and workers", "worker")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run gives that nobody kills."""
    project = RealProject(tmp_path_factory.mktemp("undisturbed"))
    found = facts(project, project.run())
    assert set(found["outputs"]) == set(PROCESSES)
    assert set(found["artifacts"]) == {f"{name}/{file}" for name in PROCESSES for file in ("own.txt", f"{name}.bin")}
    return found


def _wait_for_moment(project: RealProject, run: Run, draw: random.Random, since: int) -> None:
    """Some time, or a while after some event: something noted, or a line of output."""
    kind = draw.choice(("time", "note", "line"))
    if kind == "time":
        deadline = time.monotonic() + draw.uniform(0.05, 1.2)
        while time.monotonic() < deadline and run.process.poll() is None:
            time.sleep(0.005)
        return
    wanted = draw.randint(1, 24 if kind == "note" else 14)
    counted = (lambda: len(project.notes(since))) if kind == "note" else (lambda: len(run.out))
    until(lambda: counted() >= wanted or run.process.poll() is not None, "the run neither goes on nor ends")
    time.sleep(draw.choice((0.0, 0.001, 0.01, 0.02)))


def _kill(project: RealProject, run: Run, victim: str, since: int) -> None:
    workers = [pid for pid in {note.pid for note in project.notes(since)} if alive(pid)]
    if victim != "worker":
        run.process.kill()
    if victim != "run":
        for pid in workers:
            kill(pid)
    run.wait()
    assert "Traceback" not in run.text
    until(lambda: not any(alive(note.pid) for note in project.notes(since)), "a worker outlives its run")


def _is_left_by_killed_runs(project: RealProject, victim: str) -> bool:
    """At most its own folder, and what it was just putting on the shelf."""
    left = project.work()
    shelves = [name for name in left if name.startswith("shelf-")]
    most = int(victim != "worker")
    return len(shelves) <= most >= len(left) - len(shelves) and not any(name.startswith("scratch") for name in left)


def _kill_again_and_again(project: RealProject, draw: random.Random, times: int, options: list[str]) -> None:
    """Each killed run takes what those before it finished."""
    returned: set[str] = set()
    done: set[str] = set()
    for _ in range(times):
        since = time.time_ns()
        victim = draw.choice(VICTIMS)
        run = project.start("--jobs", draw.choice("123"), *options)
        _wait_for_moment(project, run, draw, since)
        _kill(project, run, victim, since)
        assert not returned & project.labels("began", since), "a finished step began again"
        assert not done & project.labels("body", since), "a finished process began again"
        assert _is_left_by_killed_runs(project, victim)
        returned |= project.labels("returned", since)
        done |= run.done()
    since = time.time_ns()
    project.run()
    assert not returned & project.labels("began", since), "a finished step began again"
    assert not done & project.labels("body", since), "a finished process began again"
    assert project.labels("began") == LABELS
    assert project.work() == []


def _check_round(project: RealProject, seed: int, undisturbed: dict[str, Any], times: int) -> None:
    _kill_again_and_again(project, random.Random(seed), times, [])
    since = time.time_ns()
    document = project.run()
    assert outcomes(document) == dict.fromkeys(PROCESSES, "hit")
    assert facts(project, document) == undisturbed
    assert project.notes(since) == []
    assert os.listdir(project.hidden / "cache.sqlite-journals") == []


@pytest.mark.parametrize("seed", range(2))
def test_what_was_finished_is_not_done_again(tmp_path: Path, undisturbed: dict[str, Any], seed: int) -> None:
    _check_round(RealProject(tmp_path), seed, undisturbed, times=3)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(10, 14))
def test_what_was_finished_is_not_done_again_in_many_rounds(
    tmp_path: Path, undisturbed: dict[str, Any], seed: int
) -> None:
    for number in range(10):
        _check_round(RealProject(tmp_path / str(number)), seed * 100 + number, undisturbed, times=5)
        shutil.rmtree(tmp_path / str(number))


def test_the_ledger_shows_a_killed_run_and_its_working_folder_goes_with_the_next(tmp_path: Path) -> None:
    project = RealProject(tmp_path)
    run = project.start("--jobs", "2")
    until(lambda: project.labels("returned"), "no step returns")
    assert len(project.work()) == 1
    _kill(project, run, "run", 0)
    assert len(project.work()) == 1
    store = SQLiteKV(project.hidden / "cache.sqlite")
    (record,) = Ledger(store).runs()
    store.close()
    assert (record.status, record.pid) == ("running", run.process.pid)
    assert not alive(record.pid)
    listed = subprocess.run(
        project.command("runs", "--json"), env=project.environment(), capture_output=True, text=True, check=True
    )
    assert [shown["status"] for shown in json.loads(listed.stdout)["runs"]] == ["killed"]
    project.run()
    assert project.work() == []


def test_a_run_in_which_all_is_cached_clears_up_after_a_killed_one(tmp_path: Path) -> None:
    project = RealProject(tmp_path)
    project.run()
    left = project.hidden / "work" / "20260101-000000-abcdef"
    (left / "load").mkdir(parents=True)
    (left / ".lock").touch()
    document = project.run()
    assert set(outcomes(document).values()) == {"hit"}
    assert project.work() == []


def test_a_killed_worker_fails_its_process_and_loses_none_of_its_finished_steps(tmp_path: Path) -> None:
    project = RealProject(tmp_path)
    run = project.start("--jobs", "2")
    until(lambda: "load.widen" in project.labels("returned"), "no step returns")
    kill(project.notes()[0].pid)
    assert run.wait() == 1
    assert "SIGKILL" in run.text
    since = time.time_ns()
    project.run()
    assert not project.labels("began", since) & {"load.draw", "load.widen"}


def test_what_user_code_started_ends_with_a_killed_run(tmp_path: Path) -> None:
    model = """
        import subprocess
        import sys

        from expops import process

        from notes import note


        @process()
        def load():
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
            note("began", str(child.pid))
            child.wait()
            return {}
    """
    config = "scripts: {main: src/model.py}\nexperiment: {pipeline: {processes: [{name: load}]}}\n"
    project = RealProject(tmp_path, config, "\n".join(line[8:] for line in model.splitlines()))
    run = project.start("--jobs", "2")
    until(lambda: project.notes(), "the process does not begin")
    (note,) = project.notes()
    assert alive(note.pid)
    assert alive(int(note.label))
    run.process.send_signal(signal.SIGKILL)
    run.wait()
    until(lambda: not alive(note.pid) and not alive(int(note.label)), "an orphan is left")
