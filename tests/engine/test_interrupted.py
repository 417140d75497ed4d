"""Ctrl-C and SIGTERM end a run at once, leave nobody behind, and lose nothing that was finished."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from real_runs import RealProject, alive, outcomes, until

import expops
from expops.kv.sqlite import SQLiteKV
from expops.runs.ledger import Ledger
from expops.runs.model import RunRecord

MODEL = """
import os
import signal
import subprocess
import sys
import time

from expops import process, step

from notes import note

BUSY = "@BUSY@"


@step
def quick():
    return 1


@step
def busy():
    note("began", "busy")
    if BUSY == "sleeps":
        time.sleep(100)
    elif BUSY == "computes in C":
        print((3 ** (10**9)) % 7)
    elif BUSY == "waits for a child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
        note("child", str(child.pid))
        child.wait()
    elif BUSY == "does not listen":
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        note("child", str(os.getpid()))
        while True:
            try:
                time.sleep(100)
            except BaseException:
                pass
    return 2


@process()
def first():
    return {"x": quick()}


@process()
def second(x):
    value = quick() + x
    note("returned", "quick")
    return {"y": value if os.path.exists("data/go") else busy()}


@process()
def third(y):
    return {"z": y}
"""

CONFIG = """
scripts: {main: src/model.py}
experiment:
  pipeline:
    process_adjlist: |
      first second
      second third
    processes: [{name: first}, {name: second}, {name: third}]
"""


# As a shell would start it: the terminal is its own, and it is the foreground group.
IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, sys.argv[1:])
"""


def make(root: Path, busy: str) -> RealProject:
    project = RealProject(root, CONFIG, MODEL.replace("@BUSY@", busy))
    project.write("data/readme", "")
    return project


def _is_busy(project: RealProject, busy: str) -> bool:
    wanted = "child" if busy in ("waits for a child", "does not listen") else "began"
    return bool(project.labels(wanted))


def _last_run(project: RealProject) -> RunRecord:
    store = SQLiteKV(project.hidden / "cache.sqlite")
    record = Ledger(store).runs()[-1]
    store.close()
    return record


def _check_end(project: RealProject) -> None:
    children = [int(note.label) for note in project.notes() if note.what == "child"]
    pids = {note.pid for note in project.notes()} | set(children)
    until(lambda: not any(map(alive, pids)), "somebody is left behind")
    assert project.work() == []
    record = _last_run(project)
    assert record.status == "interrupted"
    assert record.finished > 0
    assert record.counts == {"executed": 1, "skipped": 2}
    project.write("data/go", "")
    document = project.run()
    assert outcomes(document) == {
        "first": "hit", "second/quick": "hit", "second": "executed", "third": "executed",
    }  # fmt: skip


SIGNALS = [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("busy", ["sleeps", "computes in C", "waits for a child", "does not listen"])
def test_a_signal_ends_the_run_whatever_a_step_is_doing(tmp_path: Path, busy: str, number: int) -> None:
    project = make(tmp_path, busy)
    run = project.start("--jobs", "2")
    until(lambda: _is_busy(project, busy), run.text)
    run.process.send_signal(number)
    assert run.wait() == 130
    assert "Traceback" not in run.text
    _check_end(project)


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_a_signal_ends_a_run_in_one_process(tmp_path: Path, number: int) -> None:
    project = make(tmp_path, "sleeps")
    run = project.start("--jobs", "0")
    until(lambda: _is_busy(project, "sleeps"), run.text)
    run.process.send_signal(number)
    assert run.wait() == 130
    assert "Traceback" not in run.text
    _check_end(project)


@pytest.mark.parametrize("jobs", ["0", "2"])
def test_ctrl_c_in_a_terminal(tmp_path: Path, jobs: str) -> None:
    """The terminal signals its whole foreground group."""
    project = make(tmp_path, "waits for a child")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", IN_TERMINAL, *project.command("run", "--jobs", jobs)]
    process = subprocess.Popen(
        command, env=project.environment(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(ours, 4096):
                shown.append(data)
        except OSError:
            return  # how Linux tells that nobody has the terminal open any more

    reader = threading.Thread(target=read)
    reader.start()
    try:
        until(lambda: _is_busy(project, "waits for a child"), "the step does not begin")
        os.write(ours, b"\x03")
        assert process.wait(20) == 130
        reader.join(20)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    # Without workers the child that the step waits for has the terminal too, and may tell of its own interruption.
    own = Path(expops.__file__).parent.as_posix().encode()
    assert own not in b"".join(shown)
    assert jobs == "0" or b"Traceback" not in b"".join(shown)
    _check_end(project)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["0", "1"])
def test_signals_at_any_moment_leave_a_project_that_runs(tmp_path: Path, jobs: str) -> None:
    """Also while workers start and while it ends; nobody is left, and every run has an end in the ledger."""
    project = make(tmp_path, "nothing")
    for number in range(8):
        run = project.start("--jobs", jobs, "--force", "third", "--force", "first")
        until(partial(len, run.out), run.text)
        time.sleep(0.03 * number)
        run.process.send_signal(signal.SIGINT)
        code = run.wait()
        assert code in (0, 130, -signal.SIGINT), run.text  # minus: while the interpreter itself ends
        assert "Traceback" not in run.text
        assert _last_run(project).status in ("done", "interrupted")
    until(lambda: not any(alive(note.pid) for note in project.notes()), "somebody is left behind")
    project.run()
    assert project.work() == []


def test_ctrl_c_twice(tmp_path: Path) -> None:
    """Who presses it again does not wait for farewells, and still nobody is left behind."""
    project = make(tmp_path, "does not listen")
    run = project.start("--jobs", "2")
    until(lambda: _is_busy(project, "does not listen"), run.text)
    for _ in range(2):
        run.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert run.wait() == 130
    _check_end(project)
