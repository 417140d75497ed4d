"""Of concurrent runs that need the same action one executes it, and the others take its result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import expops

NOTES = """
import os, time

def note(label):
    os.mkdir(f"@FOLDER@/{time.time_ns()} {label}")
"""
CONFIG = """
scripts: {main: src/model.py}
experiment:
  pipeline:
    process_adjlist: |
      load left right
    processes: [{name: load}, {name: left}, {name: right}]
"""
MODEL = """
import time
from expops import process, step
from notes import note

@step
def shared(x):
    note("shared")
    time.sleep(1)
    return x + 1

@process()
def load():
    note("load")
    time.sleep(1)
    return {"x": 1}

@process()
def left(x):
    note("left")
    return {"y": shared(x)}

@process()
def right(x):
    note("right")
    return {"z": shared(x)}
"""


class Project:
    """A project, runs of which execute beside each other; what they execute they note outside of it."""

    def __init__(self, root: Path, model: str = MODEL, config: str = CONFIG) -> None:
        self.root = root / "project"
        self.notes = root / "notes"
        self.notes.mkdir(parents=True)
        for folder in ("configs", "src"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "configs/project_config.yaml").write_text(config)
        (self.root / "src/notes.py").write_text(NOTES.replace("@FOLDER@", str(self.notes)))
        self.write(model)

    def write(self, model: str) -> None:
        (self.root / "src/model.py").write_text(textwrap.dedent(model))

    def start(self, *options: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(Path(expops.__file__).parents[1])}
        command = [sys.executable, "-m", "expops", "run", *options]
        return subprocess.Popen(
            command, cwd=self.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def executed(self) -> Counter[str]:
        return Counter(name.split(" ")[1] for name in os.listdir(self.notes))

    def wait_for(self, label: str) -> None:
        for _ in range(1000):
            if self.executed()[label]:
                return
            time.sleep(0.02)
        raise AssertionError(f"{label} never executed")


def ended(*runs: subprocess.Popen[str]) -> list[tuple[int, str, str]]:
    told = [run.communicate(timeout=100) for run in runs]
    for _, err in told:
        assert "src/expops" not in err, err
        assert "locked" not in err, err
    return [(run.returncode, out, err) for run, (out, err) in zip(runs, told, strict=True)]


def outcomes(document: str) -> dict[str, str]:
    return {action["path"]: action["outcome"] for action in json.loads(document)["actions"]}


def test_one_executes_and_the_other_waits_says_for_whom_and_takes_the_result(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = project.start("--json", "--jobs", "2")
    project.wait_for("load")
    second = project.start("--jobs", "2")
    (code, document, _), (other_code, out, _) = ended(first, second)
    assert (code, other_code) == (0, 0)
    run = json.loads(document)["run_id"]
    assert f"waits   load: run {run} of " in out
    assert f"(pid {first.pid}) executes it" in out
    assert "taken   load: " in out
    assert project.executed() == Counter(load=1, left=1, right=1, shared=1)
    assert not os.listdir(project.root / ".expops/leases")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["0", "1", "2"])
def test_sixteen_runs_execute_each_action_once(tmp_path: Path, jobs: str) -> None:
    project = Project(tmp_path)
    runs = ended(*[project.start("--json", "--jobs", jobs) for _ in range(16)])
    assert [code for code, _, _ in runs] == [0] * 16
    assert project.executed() == Counter(load=1, left=1, right=1, shared=1)
    found = Counter(item for _, document, _ in runs for item in outcomes(document).items())
    assert {path: found[path, "executed"] for path in ("load", "left", "right")} == {"load": 1, "left": 1, "right": 1}
    assert {path: found[path, "hit"] for path in ("load", "left", "right")} == {"load": 15, "left": 15, "right": 15}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_whoever_waits_takes_over_when_the_other_ends(tmp_path: Path, how: int) -> None:
    project = Project(tmp_path, MODEL.replace("time.sleep(1)", "time.sleep(2)"))
    first = project.start("--jobs", "1")
    project.wait_for("load")
    second = project.start("--json", "--jobs", "1")
    time.sleep(0.5)
    first.send_signal(how)
    first.communicate()
    [(code, document, _)] = ended(second)
    assert code == 0
    assert outcomes(document)["load"] == "executed"
    assert project.executed()["load"] == 2


def test_a_failure_is_everybodys_own(tmp_path: Path) -> None:
    """Who waited for an execution that failed tries for itself."""
    model = MODEL.replace('return {"x": 1}', 'return {"x": 1 / 0}')
    project = Project(tmp_path, model)
    first = project.start("--json")
    project.wait_for("load")
    runs = ended(first, project.start("--json"))
    assert [code for code, _, _ in runs] == [1, 1]
    assert [outcomes(document)["load"] for _, document, _ in runs] == ["failed", "failed"]
    assert project.executed() == Counter(load=2)


def test_a_step_that_two_runs_share_executes_once(tmp_path: Path) -> None:
    """The processes differ, and so both execute; the step in them doesn't."""
    project = Project(tmp_path)
    first = project.start("--json", "--jobs", "1", "--only", "left")
    project.wait_for("load")
    second = project.start("--json", "--jobs", "1", "--only", "right")
    assert [code for code, _, _ in ended(first, second)] == [0, 0]
    assert project.executed() == Counter(load=1, left=1, right=1, shared=1)


def test_forced_and_uncached_runs_wait_for_nobody(tmp_path: Path) -> None:
    project = Project(tmp_path, MODEL.replace("time.sleep(1)", "time.sleep(1.5)"))
    first = project.start("--json", "--jobs", "1", "--only", "load")
    project.wait_for("load")
    others = [["--force", "load"], ["--cache", "off"], ["--cache", "write"], ["--cache", "read"]]
    runs = ended(first, *[project.start("--json", "--jobs", "1", "--only", "load", *options) for options in others])
    assert [code for code, _, _ in runs] == [0] * 5
    assert project.executed() == Counter(load=5)


DRAWS = """
import random, time
from expops import process
from notes import note

@process()
def load():
    note("load")
    time.sleep(1)
    return {"x": random.random()}

@process()
def left(x):
    note("left")
    return {"y": x}

@process()
def right(x):
    note("right")
    return {"z": 1}
"""


def test_a_seed_of_ones_own_is_an_execution_of_ones_own(tmp_path: Path) -> None:
    """Which shows when the first has drawn: until then the others wait, for it may be that nobody draws."""
    project = Project(tmp_path, DRAWS)
    first = project.start("--json", "--seed", "1")
    project.wait_for("load")
    runs = ended(first, *[project.start("--json", "--seed", str(seed)) for seed in (2, 2, 3)])
    assert [code for code, _, _ in runs] == [0] * 4
    assert project.executed()["load"] == 3
    shown = [json.loads(document)["actions"] for _, document, _ in runs]
    marks = [next(a["outputs"]["x"]["fingerprint"] for a in actions if a["path"] == "load") for actions in shown]
    assert marks[1] == marks[2]
    assert len(set(marks)) == 3


RECURSIVE = """
import time
from expops import process, step
from notes import note

@step(ignore=["depth"])
def fall(x, depth):
    time.sleep(0.3)
    return fall(x, depth - 1) if depth else x

@step(ignore=["depth"])
def ping(x, depth):
    note("ping")
    time.sleep(0.5)
    return pong(x, depth - 1) if depth else x

@step(ignore=["depth"])
def pong(x, depth):
    note("pong")
    time.sleep(0.5)
    return ping(x, depth - 1) if depth else x

@process()
def load():
    return {"x": fall(1, 3)}

@process()
def left(x):
    return {"y": ping(x, 4)}

@process()
def right(x):
    return {"z": pong(x, 4)}
"""


def test_steps_that_call_each_other_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Their calls have the same keys all the way down, since what counts the depth is ignored."""
    project = Project(tmp_path, RECURSIVE)
    [(code, document, _)] = ended(project.start("--json", "--jobs", "2"))
    assert code == 0
    assert outcomes(document)["left"] == "executed"


UNKEPT = """
import time
from expops import process
from notes import note

@process()
def load():
    note("load")
    time.sleep(1)
    return {"x": lambda: 1}

@process()
def left():
    return {"y": 1}

@process()
def right():
    return {"z": 1}
"""


def test_what_cannot_be_kept_is_waited_for_once_at_most(tmp_path: Path) -> None:
    """It is known by then that nothing comes of waiting."""
    project = Project(tmp_path, UNKEPT, CONFIG.replace("load left right", "load"))
    ended(project.start("--only", "load"))
    began = [project.start("--json", "--only", "load") for _ in range(2)]
    runs = ended(*began)
    assert [code for code, _, _ in runs] == [0, 0]
    times = sorted(int(name.split(" ")[0]) for name in os.listdir(project.notes))
    assert len(times) == 3
    assert times[2] - times[1] < 900_000_000  # side by side: each takes a second


ASIDE = """
import time
from expops import process
from notes import note

@process()
def load():
    note("load")
    time.sleep(3)
    note("loaded")
    return {"x": 1}

@process()
def left():
    note("left")
    return {"y": 1}

@process()
def right():
    note("right")
    return {"z": 1}
"""


def test_what_nobody_executes_goes_on_meanwhile(tmp_path: Path) -> None:
    """A run with room for one process does not stand before the first one that another run has."""
    project = Project(tmp_path, ASIDE, CONFIG.replace("load left right", "load"))
    first = project.start("--json", "--jobs", "1", "--only", "load")
    project.wait_for("load")
    second = project.start("--json", "--jobs", "1")
    assert [code for code, _, _ in ended(first, second)] == [0, 0]
    order = [name.split(" ")[1] for name in sorted(os.listdir(project.notes))]
    assert order[0] == "load"
    assert sorted(order[1:3]) == ["left", "right"]
    assert order[3:] == ["loaded"]


INTERRUPTED = """
import sys
import expops
from expops.cache.store import ResultCache

cache = expops.Cache(sys.argv[1])

@cache.step
def slow(x):
    return x * 2

look_again = ResultCache.look_again

def interrupted(*arguments):
    ResultCache.look_again = look_again
    raise KeyboardInterrupt

ResultCache.look_again = interrupted
try:
    slow(21)
except KeyboardInterrupt:
    print("interrupted")
print(slow(21))
"""


def test_who_is_interrupted_does_not_wait_for_itself(tmp_path: Path) -> None:
    """In a notebook, whose process goes on."""
    (tmp_path / "script.py").write_text(INTERRUPTED)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "cache")]
    environment = {**os.environ, "PYTHONPATH": str(Path(expops.__file__).parents[1])}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False
    )
    assert done.stdout == "interrupted\n42\n"


SCRIPT = """
import sys, time
import expops

cache = expops.Cache(sys.argv[1])

@cache.step
def slow(x):
    print("executed", flush=True)
    time.sleep(1.5)
    return x * 2

assert slow(21) == 42
print(cache.executed, cache.hits)
"""


def test_scripts_that_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "cache")]
    environment = {**os.environ, "PYTHONPATH": str(Path(expops.__file__).parents[1])}

    def start() -> subprocess.Popen[Any]:
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )

    first = start()
    assert first.stdout is not None
    assert first.stdout.readline() == "executed\n"
    [(_, out, err)] = ended(start())
    assert out == "executed\n0 1\n"  # what it had printed, printed again
    assert err.startswith("expops: step 'slow' waits for ")
    assert err.endswith(f" (pid {first.pid})\n")
    assert first.communicate()[0] == "1 0\n"
