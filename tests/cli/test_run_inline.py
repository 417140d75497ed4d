"""Runs without workers iterate over sets in the order in which workers do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cli_project import Project, make_project

CONFIG = """\
scripts: {main: src/main.py}
experiment: {pipeline: {processes: [{name: only}]}}
"""
SCRIPT = """\
import os
import sys

from expops import process


@process()
def only():
    print("order", *{"a", "b", "c", "d", "e", "f", "g"})
    print("pid", os.getpid(), sys.argv[1:])
    return {"order": list({"a", "b", "c", "d", "e", "f", "g"})}
"""
OTHER = {"PYTHONHASHSEED": "5"}


def _order(text: str) -> str:
    return next(line for line in text.splitlines() if "order" in line)


def _project(root: Path) -> Project:
    return make_project(root / "project", CONFIG, SCRIPT)


def test_without_workers_the_order_is_theirs(tmp_path: Path) -> None:
    project = _project(tmp_path)
    theirs = project("run", "--jobs", "1", "--cache", "off", **OTHER)
    here = project("run", "--jobs", "0", "--cache", "off", **OTHER)
    assert (theirs.code, here.code) == (0, 0)
    assert _order(here.out) == _order(theirs.out)
    assert not here.err
    assert "'--jobs', '0'" in here.out


def test_it_is_the_same_os_process(tmp_path: Path) -> None:
    project = _project(tmp_path)
    run = subprocess.Popen(
        project.command("run", "--jobs", "0"),
        cwd=project.root,
        env=project.environment(**OTHER),
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = run.communicate()
    assert f"pid {run.pid} " in out


def test_a_debugger_and_a_calling_program_keep_going_and_are_told(tmp_path: Path) -> None:
    project = _project(tmp_path)
    calls = "from expops.cli.main import run_command_line as run; print('mine'); run(['run', '--jobs', '0'])"
    traced = (
        "import sys, runpy; sys.settrace(lambda *_: None); sys.argv[1:] = ['run', '--jobs', '0', '--force', 'only'];"
    )
    traced += "runpy.run_module('expops', run_name='__main__')"
    for code in (calls, traced):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=project.root,
            env=project.environment(**OTHER),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert "warning: with --jobs 0 under a debugger" in ran.stderr
        assert ran.stdout.count("mine") == (code == calls)


def test_a_run_that_has_the_seed_is_not_told(tmp_path: Path) -> None:
    assert not _project(tmp_path)("run", "--jobs", "0", PYTHONHASHSEED="0").err
