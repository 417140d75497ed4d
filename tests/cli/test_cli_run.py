"""``expops run`` as people and programs see it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from cli_project import SCRIPT, History, Project

ACTION_KEYS = {"path", "kind", "outcome", "reason", "seconds", "outputs"}
HEAVY = {"rich", "yaml", "subprocess", "numpy", "pandas", "multiprocessing", "pathlib", "inspect", "dataclasses", "ast"}
SLOW = """\
import os
import time

from expops import process


@process()
def first():
    return {"x": 1}


@process()
def second(x):
    open(os.environ["SIGN"], "w").close()
    time.sleep(60)
    return {"y": x}
"""
SLOW_CONFIG = """\
scripts: {main: src/main.py}
experiment:
  pipeline:
    process_adjlist: |
      first second
    processes:
      - name: first
      - name: second
"""


def test_a_first_run_shows_output_by_process_and_says_why_each_ran(history: History) -> None:
    done = history.first
    assert done.code == 0
    assert "[load] three rows\n[load] and a half line\n" in done.out
    assert done.err == "[load] careful\n"
    assert done.out.count("never ran before") == 8
    assert "done: 4 processes executed\n" in done.out


def test_a_cached_run_says_so_in_two_lines_and_gives_the_output_again(history: History) -> None:
    done = history.second
    assert done.code == 0
    assert done.out.startswith("[load] three rows\n[load] and a half line\n")
    told = [line for line in done.out.splitlines() if not line.startswith("[")]
    assert len(told) == 2
    assert told[0].startswith("all 4 processes are cached; the cache saved ")
    assert done.err == "[load] careful\n"


def test_the_document_of_a_run(history: History) -> None:
    done = history.third
    assert done.code == 0
    document = done.json
    assert {"run_id", "status", "seed", "actions", "metrics"} <= set(document)
    assert (document["status"], document["seed"]) == ("done", 42)
    actions = {action["path"]: action for action in document["actions"]}
    assert {path: (action["kind"], action["outcome"]) for path, action in actions.items()} == {
        "load": ("process", "hit"),
        "aside": ("process", "hit"),
        "fit": ("process", "executed"),
        "fit/scale": ("step", "executed"),
        "report": ("process", "executed"),
    }
    assert actions["fit"]["reason"] == "parameter factor 2 → 3"
    for action in document["actions"]:
        assert set(action) >= ACTION_KEYS
        assert all(set(output) == {"fingerprint", "bytes"} for output in action["outputs"].values())
    assert document["metrics"]["fit"] == {
        "value": {"1": 3, "2": 6, "3": 9},
        "undefined": {"1": "NaN"},
        "endless": {"1": "-Infinity"},
    }
    assert done.out.count("\n") == 1
    assert "[load] three rows" in done.err


def test_a_failure_is_shown_with_process_step_and_the_frames_of_user_code(history: History) -> None:
    done = history.failed
    assert done.code == 1
    document = done.json
    assert document["status"] == "failed"
    actions = {action["path"]: action for action in document["actions"]}
    assert actions["fit"]["outcome"] == "failed"
    assert actions["report"]["outcome"] == "skipped"
    assert "weights are NaN" in actions["fit"]["error"]
    assert "process 'fit', step 'scale' failed:" in done.err
    assert "ValueError: weights are NaN" in done.err
    assert "in scale" in done.err
    assert os.path.join("expops", "engine") not in done.err


def test_for_people_a_failure_is_on_stderr_and_the_summary_counts_it(project: Project) -> None:
    done = project("run", "--set", "fit.fail=true")
    assert done.code == 1
    assert "ValueError: weights are NaN" in done.err
    assert "failed: 2 processes executed, 1 failed, 1 skipped\n" in done.out
    assert "skipped report: 'fit' failed\n" in done.out


def test_quiet_prints_failures_and_nothing_else(project: Project) -> None:
    assert vars(project("run", "-q")) == {"code": 0, "out": "", "err": ""}
    done = project("run", "-q", "--set", "fit.fail=true")
    assert (done.code, done.out) == (1, "")
    assert "ValueError" in done.err


def test_what_runs_can_be_chosen(project: Project) -> None:
    def ran(*args: str) -> dict[str, str]:
        done = project("run", "--json", *args)
        assert done.code == 0, done.err
        return {item["path"]: item["outcome"] for item in done.json["actions"] if item["kind"] == "process"}

    assert ran("--only", "aside") == {"load": "executed", "aside": "executed"}
    assert ran("--only", "fit", "--only", "aside") == {"load": "hit", "fit": "executed", "aside": "hit"}
    assert ran("--force", "load") == {"load": "executed", "fit": "hit", "aside": "hit", "report": "executed"}
    assert set(ran("--cache", "off").values()) == {"executed"}
    assert set(ran("--cache", "write", "--jobs", "1").values()) == {"executed"}
    assert set(ran("--cache", "read", "--local").values()) == {"hit"}
    assert ran("--set", "fit.factor=5", "--cache", "read", "--jobs", "0")["fit"] == "executed"
    assert ran("--set", "fit.factor=5")["fit"] == "executed"
    assert project("run", "--json", "--seed", "7").json["seed"] == 7


def test_a_forced_step_that_is_never_called_is_told(project: Project) -> None:
    done = project("run", "--force", "fit/scael")
    assert done.code == 0
    assert "warning: --force fit/scael: no step of that name was called" in done.err
    assert "warning" not in project("run", "--force", "fit/scale").err


@pytest.mark.parametrize("jobs", ["0", "2"])
def test_whatever_user_code_writes_to_the_descriptor_the_document_stands_alone(project: Project, jobs: str) -> None:
    project.edit("src/main.py", 'print("three rows")', 'os.write(1, b"raw bytes\\n"); print("three rows")')
    done = project("run", "--json", "--jobs", jobs)
    assert done.json["status"] == "done"
    assert "raw bytes" in done.err
    assert "[load] three rows" in done.err


def test_a_bar_that_redraws_itself_leaves_one_line(project: Project) -> None:
    project.edit("src/main.py", 'print("three rows")', 'print("10%\\r50%", end="\\r"); print("100%")')
    assert "[load] 100%\n" in project("run").out


def test_a_reader_that_goes_away_does_not_end_the_run(project: Project) -> None:
    command = subprocess.Popen(
        project.command("run"),
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    assert command.stdout.readline().startswith(b"run ")
    command.stdout.close()
    _, err = command.communicate()
    assert (command.returncode, err) == (0, b"[load] careful\n")
    assert project("runs", "--json").json["runs"][0]["status"] == "done"


def test_a_list_whose_reader_goes_away_ends_without_a_word(history: History) -> None:
    project = history.project
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        project.command("show"),
        cwd=project.root,
        env=project.environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, b"")


def started(project: Project, *args: str) -> subprocess.Popen[bytes]:
    """A run that is in the middle of its second process."""
    sign = project.root / "sign"
    sign.unlink(missing_ok=True)
    command = subprocess.Popen(
        project.command("run", *args),
        cwd=project.root,
        env=project.environment(SIGN=str(sign)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not sign.exists():
        assert command.poll() is None
        time.sleep(0.01)
    return command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_the_ledger_knows(make: Callable[[str, str], Project], number: int) -> None:
    project = make(SLOW_CONFIG, SLOW)
    command = started(project, "--json")
    # To the whole group, as a terminal does it.
    os.killpg(command.pid, number)
    out, err = command.communicate()
    assert command.returncode == 130, err
    document = json.loads(out)
    assert document["status"] == "interrupted"
    assert {item["path"]: item["outcome"] for item in document["actions"]} == {"first": "executed", "second": "skipped"}
    assert project("runs", "--json").json["runs"][0]["status"] == "interrupted"
    assert project("status", "--json").json["actions"][0]["plan"] == "hit"


def test_a_killed_run_is_shown_as_killed(make: Callable[[str, str], Project]) -> None:
    project = make(SLOW_CONFIG, SLOW)
    command = started(project)
    assert project("runs", "--json").json["runs"][0]["status"] == "running"
    os.kill(command.pid, signal.SIGKILL)
    command.communicate()
    assert project("runs", "--json").json["runs"][0]["status"] == "killed"
    assert "killed" in project("show").out
    assert project("status", "--json").json["actions"][0]["plan"] == "hit"


def test_a_cached_run_imports_nothing_heavy_and_no_user_code(project: Project) -> None:
    project.write("src/main.py", SCRIPT.replace("import os\n", "import os\nimport wave\n"))
    project("run", "-q")
    code = (
        "import sys, json; from expops.cli.main import run_command_line as run; code = run(['run', '-q']);"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=project.environment(), capture_output=True, check=True
    )
    code_, modules = json.loads(ran.stdout)
    assert code_ == 0
    assert HEAVY.isdisjoint(modules), HEAVY.intersection(modules)
    assert not {"wave", "main"}.intersection(modules)


def test_the_summary_of_a_cached_run_is_as_light(project: Project) -> None:
    project("run", "-q")
    code = (
        "import sys, json; from expops.cli.main import run_command_line as run; code = run(['run']);"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=project.environment(), capture_output=True, check=True
    )
    assert HEAVY.isdisjoint(json.loads(ran.stderr.splitlines()[-1]))


def test_a_name_outside_the_terminal_encoding_is_printed_all_the_same(make: Callable[[str, str], Project]) -> None:
    project = make(
        SLOW_CONFIG.replace("second", "größe"),
        "from expops import process\n\n\n"
        "@process()\ndef first():\n    return {'x': 1}\n\n\n@process()\ndef größe(x):\n    return {'y': x}\n",
    )
    done = project("run", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.code == 0, done.err
    assert "gr\\xf6\\xdfe" in done.out
