"""Commands that look: ``status``, ``explain``, ``runs``, ``show``, ``diff``, ``cache``."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
from cli_project import History, Project


def test_status_plans_without_running_anything(project: Project) -> None:
    fresh = project("status", "--json").json
    assert [(item["path"], item["plan"]) for item in fresh["actions"]] == [
        ("load", "miss"),
        ("fit", "unknown"),
        ("aside", "unknown"),
        ("report", "unknown"),
    ]
    assert all(set(item) == {"path", "plan", "reason", "reasons"} for item in fresh["actions"])
    assert project("runs", "--json").json == {"runs": []}


def test_status_says_what_would_run_and_why(history: History) -> None:
    status = history.project
    assert status("status").out == "nothing to do: all 4 processes are cached\n"
    assert {item["plan"] for item in status("status", "--json").json["actions"]} == {"hit"}
    done = status("status", "--set", "fit.factor=9")
    lines = [line.split() for line in done.out.splitlines()]
    assert ["load", "cached", "nothing", "changed"] in lines
    assert "report   unknown  waits for 'fit'" in done.out
    assert done.out.endswith("4 processes: 2 cached, 1 to run, 1 unknown until then\n")
    only = status("status", "--only", "aside", "--force", "load", "--json").json["actions"]
    assert [(item["path"], item["plan"], item["reason"]) for item in only] == [
        ("load", "miss", "forced"),
        ("aside", "unknown", "waits for 'load'"),
    ]


def test_a_process_that_cannot_be_called_is_no_hit(project: Project) -> None:
    project.edit("src/main.py", 'return {"size": len(rows)}', "found = {}; found['size'] = 1; return found")
    project.edit("configs/project_config.yaml", "fit report", "fit report\n      aside report")
    project.edit("src/main.py", "def report(scaled):", "def report(scaled, missing):")
    assert project("run", "-q").code == 1
    done = project("status", "--json")
    assert done.code == 0, done.err
    report = done.json["actions"][-1]
    assert (report["path"], report["plan"]) == ("report", "miss")
    assert "missing" in report["reason"]
    told = project("status").out
    assert "report   fails" in told
    assert "1 can't run" in told


def test_many_cached_processes_are_folded(project: Project) -> None:
    names = [f"p{number}" for number in range(30)]
    project.write(
        "configs/project_config.yaml",
        "scripts: {main: src/main.py}\nexperiment:\n  pipeline:\n    processes:\n"
        + "".join(f"      - {{name: {name}, code: main.{name}}}\n" for name in names),
    )
    project.write(
        "src/main.py",
        "from expops import process\n" + "".join(f"@process()\ndef {name}():\n    return {{}}\n" for name in names),
    )
    assert project("run", "-q", "--jobs", "1").code == 0
    done = project("status", "--force", "p3")
    assert done.out.splitlines()[1:3] == ["  p3       runs  forced", "  and 29 processes cached (--all lists them)"]
    assert len(project("status", "--force", "p3", "--all").out.splitlines()) == 33


def test_explain_of_a_hit_names_its_run_and_what_it_depends_on(history: History) -> None:
    document = history.project("explain", "fit", "--json").json
    assert (document["path"], document["kind"], document["plan"]) == ("fit", "process", "hit")
    runs = history.project("runs", "--json").json["runs"]
    assert document["result"]["run_id"] == runs[-1]["run_id"]
    assert document["result"]["current"] is True
    assert set(document["result"]["outputs"]) == {"scaled"}
    depends = document["depends_on"]
    assert {"src/main.py::fit", "src/main.py::scale"} <= set(depends["code"])
    assert depends["parameters"] == {"factor": "2", "fail": "False"}
    assert depends["inputs"] == {"rows": "output of load"}
    told = history.project("explain", "fit").out
    assert told.startswith("process 'fit' is cached: nothing changed\n")
    assert f"made by  run {runs[-1]['run_id']} on " in told
    assert "parameters  factor = 2, fail = False" in told
    assert "src/main.py::scale" in history.project("explain", "fit", "-v").out


def test_explain_of_a_miss_names_all_causes(history: History) -> None:
    done = history.project("explain", "fit", "--set", "fit.factor=9", "--set", "fit.fail=true")
    assert done.code == 0
    first = done.out.splitlines()[0]
    assert first.startswith("process 'fit' would run: ")
    assert "parameter factor 3 → 9" in first or "parameter factor 2 → 9" in first
    assert "parameter fail False → True" in first
    below = history.project("explain", "report", "--set", "fit.factor=9")
    assert "process 'report' can't be told yet: waits for 'fit'" in below.out
    assert "before it, 'fit' would run: parameter factor" in below.out


def test_explain_of_a_file_that_was_read(project: Project) -> None:
    project.write("data/rows.txt", "1 2 3")
    project.edit("src/main.py", "[1, 2, 3]", '[int(word) for word in open("data/rows.txt").read().split()]')
    project("run", "-q")
    assert "  files  data/rows.txt\n" in project("explain", "load").out
    project.write("data/rows.txt", "1 2 4")
    assert project("explain", "load", "--json").json["reason"] == "file data/rows.txt changed"


def test_explain_of_a_step_is_what_its_latest_run_recorded(history: History) -> None:
    document = history.project("explain", "fit/scale", "--json").json
    failed = history.failed.json["run_id"]
    assert document["latest"]["run_id"] == failed
    assert document["latest"]["outcome"] == "failed"
    told = history.project("explain", "fit/scale").out
    assert told.startswith(f"step 'fit/scale' in run {failed}: failed; ")
    assert "ValueError: weights are NaN" in told
    wrong = history.project("explain", "fit/scael")
    assert (wrong.code, wrong.err) == (
        2,
        "expops: error: no recorded run called 'fit/scael'; did you mean 'fit/scale'?\n",
    )


def test_runs_are_listed_newest_first(history: History) -> None:
    runs = history.project("runs", "--json").json["runs"]
    assert [run["status"] for run in runs] == ["failed", "done", "done", "done"]
    assert [run["counts"] for run in runs[1:]] == [{"hit": 2, "executed": 2}, {"hit": 4}, {"executed": 4}]
    assert runs[1]["overrides"] == ["fit.factor=3"]
    assert runs[1]["command"] == ["expops", "run", "--set", "fit.factor=3", "--json"]
    lines = history.project("runs", "-n", "2").out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", runs[0]["run_id"], runs[1]["run_id"], "and"]
    assert lines[-1] == "  and 2 earlier runs (-n 0 lists all)"


def test_show_is_the_document_of_the_run(history: History) -> None:
    printed = history.third.json
    shown = history.project("show", printed["run_id"], "--json").json
    shown.pop("artifacts")
    assert shown == printed
    assert history.project("show", "last~1", "--json").json["run_id"] == printed["run_id"]


def test_show_for_people(history: History) -> None:
    done = history.project("show", "last~3", "--log")
    assert done.code == 0
    assert "never ran before" in done.out
    lines = [line.split() for line in done.out.splitlines()]
    assert ["fit", "value", "6", "3,", "the", "last", "of", "3"] in lines
    assert ["report", "report.txt", "replaced", "by", "a", "later", "run's"] in lines
    assert "load:\n  three rows\n" in done.out


def test_artifacts_can_be_opened_where_show_says(history: History) -> None:
    document = history.project("show", "last~1", "--json").json
    place = document["artifacts"]["report"]["report.txt"]
    assert Path(place).read_text() == "[3, 6, 9]"


def test_diff_names_results_causes_and_metrics(history: History) -> None:
    document = history.project("diff", "last~2", "last~1", "--json").json
    actions = {action["path"]: action for action in document["actions"]}
    assert list(actions["fit"]["outputs"]) == ["scaled"]
    assert actions["fit"]["causes"] == ["parameter factor 2 → 3"]
    assert actions["fit"]["outcomes"] == ["hit", "executed"]
    assert actions["report"]["causes"] == ["input 'scaled' from process 'fit' changed"]
    assert "load" not in actions
    assert "fit/scale" not in actions
    assert document["metrics"]["fit"]["value"]["3"] == {"values": [6, 9], "delta": 3}
    assert document["metrics"]["fit"]["undefined"]["1"] == {"values": ["NaN", "NaN"], "delta": "NaN"}
    assert document["settings"]["overrides"] == [[], ["fit.factor=3"]]
    told = history.project("diff", "last~2", "last~1").out
    assert "parameter factor 2 → 3" in told
    assert "+3\n" in told
    assert told.endswith("2 results differ\n")


def test_diff_of_a_run_and_its_cached_repetition_finds_no_difference(history: History) -> None:
    done = history.project("diff", "last~3", "last~2")
    assert done.out.endswith("all results are the same\n")


def test_cache_info_and_ls_tell_the_same(history: History) -> None:
    info = history.project("cache", "info", "--json").json
    listed = history.project("cache", "ls", "-n", "0", "--json").json["results"]
    assert info["results"]["process"] == sum(item["kind"] == "process" for item in listed) == 6
    assert info["results"]["step"] == sum(item["kind"] == "step" for item in listed) == 2
    assert (info["runs"], info["hits"], info["executed"]) == (4, 8, 7)
    assert info["saved_seconds"] > 0
    assert sum(entry["bytes"] for entry in info["by_process"].values()) == sum(item["bytes"] for item in listed)
    assert listed == sorted(listed, key=lambda item: item["created"], reverse=True)
    assert len(history.project("cache", "ls", "-n", "3").out.splitlines()) == 1 + 3 + 1
    assert "4 runs: 8 process hits" in history.project("cache", "info").out
    assert sum(entry["hits"] for entry in info["by_process"].values()) >= 8
    assert [run["hits"] for run in info["by_run"]] == [2, 2, 4, 0]


def test_clear_removes_results_and_keeps_the_runs(project: Project) -> None:
    project.edit("src/main.py", "[1, 2, 3]", "list(range(5000))")
    project("run", "-q")
    assert project("cache", "info", "--json").json["blobs"]["count"] > 0
    done = project("cache", "clear", "--yes", "--json")
    assert done.json["results"] == 5
    info = project("cache", "info", "--json").json
    assert (info["results"]["process"], info["blobs"]["count"], info["runs"]) == (0, 0, 1)
    assert {item["plan"] for item in project("status", "--json").json["actions"]} == {"miss", "unknown"}
    assert project("show", "--log").code == 0
    assert project("run", "-q").code == 0


@pytest.mark.parametrize(("answer", "left"), [("n", 5), ("", 5), ("y", 0)])
def test_clear_asks_on_a_terminal(project: Project, answer: str, left: int) -> None:
    project("run", "-q")
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        project.command("cache", "clear"),
        cwd=project.root,
        env=project.environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    os.write(ours, answer.encode() + b"\n")
    _, err = command.communicate()
    os.close(ours)
    assert b"[y/N]" in err
    assert command.returncode == (0 if answer == "y" else 1)
    info = project("cache", "info", "--json").json
    assert info["results"]["process"] + info["results"]["step"] == left
