"""What a wrong command line, project or configuration gets told, and with which exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_project import CONFIG, SCRIPT, Project

import expops
from expops.cli.main import COMMANDS, load_command

DOCS = Path(__file__).parents[2] / "docs"


def test_without_arguments_all_commands_are_shown(project: Project) -> None:
    done = project()
    assert (done.code, done.err) == (0, "")
    assert all(f"  {name} " in done.out for name in COMMANDS)
    assert project("--help").out == project("help").out == done.out


def test_the_version(project: Project) -> None:
    assert project("--version").out == f"expops {expops.__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_by_example(name: str) -> None:
    text = load_command(name).parser().format_help()
    examples = text.partition("\nexamples:\n")[2].splitlines()
    assert len(examples) >= 2
    assert all(line.startswith(f"  expops {name}") for line in examples)
    assert all(" # " in line or " | " in line for line in examples)


def test_the_reference_is_what_the_commands_say() -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, sys.argv[1]); import generate_cli as made;"
        "sys.exit(made.render() != made.TARGET.read_text(encoding='utf-8'))",
        str(DOCS),
    ]
    source = str(Path(expops.__file__).parents[1])
    ran = subprocess.run(command, env={"PYTHONPATH": source}, check=False)
    assert ran.returncode == 0, "docs/cli.md is out of date: run `python docs/generate_cli.py`"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["rnu"], "there is no command 'rnu'; did you mean 'run'?"),
        (["--jobs", "2"], "there is no option '--jobs'"),
        (["run", "--jbos", "2"], "expops run has no option --jbos; did you mean --jobs?"),
        (["run", "--job=2"], "has no option --job; did you mean --jobs?"),
        (["run", ".", "again"], "there is no place for the argument 'again'"),
        (["run", "--jobs", "two"], "--jobs: 'two' is not a whole number"),
        (["run", "--jobs", "-1"], "--jobs"),
        (["run", "--seed", "1.5"], "--seed: '1.5' is not a whole number from 0"),
        (["run", "--cache", "reed"], "'reed' is not known; did you mean 'read'?"),
        (["run", ".", "--project", "."], "the project is given twice"),
        (["run", "--force", "lode"], "there is no process 'lode'; did you mean 'load'?"),
        (["run", "--only", "fitt"], "there is no process 'fitt'; did you mean 'fit'?"),
        (["run", "--set", "fti.factor=1"], "no process is called 'fti'; did you mean 'fit'?"),
        (["run", "--set", "factor"], "write --set process.parameter=value"),
        (["run", "nowhere"], "nowhere: no such folder"),
        (["status", "--only", "x"], "there is no process 'x'; the processes are: load, fit, aside, report"),
        (["explain"], "PROCESS[/STEP]"),
        (["explain", "fat"], "there is no process 'fat'; did you mean 'fit'?"),
        (["explain", "fit/scale"], "no recorded run of 'fit' called a step 'fit/scale'"),
        (["show"], "nothing has run in this project yet"),
        (["show", "last~3"], "there is no run 'last~3': the ledger has 0 in all"),
        (["diff", "a", "b", "c"], "two runs can be compared, not 3"),
        (["cache", "inof"], "there is no `cache inof`; did you mean 'info'?"),
        (["cache", "clear"], "say --yes"),
        (["create"], "a project needs a name"),
        (["create", "x", "-t", "minmal"], "there is no template 'minmal'; did you mean 'minimal'?"),
    ],
)
def test_a_mistake_is_told_with_what_was_meant(project: Project, args: list[str], told: str) -> None:
    done = project(*args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("expops: error: ")
    assert told in done.err
    assert "Traceback" not in done.err
    assert not (project.root / "x").exists()


def test_a_folder_without_a_project(tmp_path: Path) -> None:
    done = Project(tmp_path)("run")
    assert (done.code, done.out) == (2, "")
    assert "no configs/project_config.yaml in" in done.err


def test_all_problems_of_a_configuration_are_listed_and_counted(make: Callable[[str, str], Project]) -> None:
    bad = CONFIG.replace("process_adjlist: |", "proces_adjlist: |").replace(
        "- name: aside", "- name: asid\n        x: 1"
    )
    done = make(bad, SCRIPT)("run")
    assert (done.code, done.out) == (2, "")
    *problems, last = done.err.splitlines()
    assert len(problems) >= 2
    assert all(line.startswith("configs/project_config.yaml:") for line in problems)
    assert last == f"expops: error: {len(problems)} problems in the configuration"


@pytest.mark.parametrize("command", [["run"], ["status"], ["explain", "fit"], ["runs"], ["show"], ["diff"]])
def test_for_a_program_an_error_is_one_document(make: Callable[[str, str], Project], command: list[str]) -> None:
    broken = make(CONFIG.replace("name: report", "nmae: report"), SCRIPT)
    done = broken(*command, "--json")
    assert done.code == 2
    error = done.json["error"]
    assert error["type"] == "ConfigError"
    assert {"file", "line", "key", "message"} == set(error["problems"][0])
    assert error["problems"][0]["message"] in error["message"]
    assert error["message"] in done.err


def test_for_a_program_a_wrong_option_is_a_document_too(project: Project) -> None:
    done = project("run", "--json", "--jbos", "1")
    assert done.code == 2
    assert done.json["error"]["type"] == "UsageError"
    assert done.json["error"]["problems"] == []


def test_a_file_in_place_of_the_hidden_folder_costs_the_cache_and_not_the_run(project: Project) -> None:
    project.write(".expops", "in the way")
    done = project("run")
    assert done.code == 0
    assert "warning: the cache can't be written, so results are not kept" in done.err
    assert "Traceback" not in done.err


def test_the_project_is_found_from_a_folder_in_it_or_named(project: Project, tmp_path: Path) -> None:
    assert project("status", cwd=project.root / "src").code == 0
    assert project("status", "demo", cwd=tmp_path).code == 0
    assert project("status", "-p", "demo/src", cwd=tmp_path).code == 0


def test_create_lists_files_and_says_what_comes_next(tmp_path: Path) -> None:
    done = Project(tmp_path)("create", "my project")
    assert done.code == 0
    lines = done.out.splitlines()
    assert "  configs/project_config.yaml" in lines
    assert lines[lines.index("next:") + 1 :] == ["  cd 'my project'", "  expops run"]
    listed = Project(tmp_path)("create", "--list")
    assert {line.split()[0] for line in listed.out.splitlines()[1:]} == {"minimal", "sklearn-basic"}


def test_a_created_project_runs(tmp_path: Path) -> None:
    new = Project(tmp_path)
    new("create", "first")
    done = new("run", "first")
    assert done.code == 0, done.err
    assert "[report] distance =" in done.out
