"""Every bad input gets an error with its line, its key, what was expected and the nearest valid name."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from expops.errors import ConfigError, ProjectNotFound
from expops.pipeline.config_load import find_project, load_config

PIPELINE = """\
scripts: {main: src/main.py}
experiment:
  pipeline:
    process_adjlist: |
      load train
      train test
    processes:
      - name: load
      - name: train
      - name: test
"""


def test_no_file(workshop) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(str(workshop.project))
    assert str(caught.value) == (
        "configs/project_config.yaml: no such file; make a project with `expops create NAME`, or name the folder of one"
    )


def test_no_project_here_or_above(tmp_path) -> None:
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    with pytest.raises(ProjectNotFound, match=r"no configs/project_config\.yaml in .*or make one with `expops create"):
        find_project(str(deep))
    with pytest.raises(ProjectNotFound, match="no such folder"):
        find_project(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n", "null\n", "~"])
def test_empty(workshop, text: str) -> None:
    assert workshop.problems(text) == ["empty; describe the project, its scripts and its experiment"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("- a\n- b\n", "a list"), ("hello", "the text 'hello'"), ("42", "the number 42"), ("true", "true")],
)
def test_not_a_mapping(workshop, text: str, found: str) -> None:
    expected = "metadata, scripts, environment, reproducibility, data, experiment, execution, reporting"
    assert workshop.problems(text) == [f"1: expected a mapping of {expected}, found {found}"]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("reproducibilty: {}", "6: reproducibilty: unknown key; did you mean 'reproducibility'?"),
        (
            "reproducibility:\n  random_sed: 1",
            "7: reproducibility.random_sed: unknown key; did you mean 'random_seed'?",
        ),
        ("jobs: 3", "6: jobs: unknown key here; 'jobs' belongs under execution"),
        ("pipeline: {}", "6: pipeline: unknown key here; 'pipeline' belongs under experiment"),
        (
            "execution: {random_seed: 3}",
            "6: execution.random_seed: unknown key here; 'random_seed' belongs under reproducibility",
        ),
        ("execution: {xyzzy: 3}", "6: execution.xyzzy: unknown key; known here: jobs"),
    ],
)
def test_unknown_key(with_lines: Callable[[str], list[str]], lines: str, problem: str) -> None:
    assert with_lines(lines) == [problem]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("metadata: [a]", "6: metadata: expected a mapping of name, description, version, found a list"),
        ("metadata: {name: 5}", "6: metadata.name: expected a name, found the number 5; quote it: '5'"),
        ("metadata: {description: [a]}", "6: metadata.description: expected text, found a list"),
        ("metadata: {version: true}", "6: metadata.version: expected text, found true; quote it: 'true'"),
        (
            "reproducibility:\n  random_seed: abc",
            "7: reproducibility.random_seed: expected a whole number from 0 to "
            f"{2**128 - 1} or null, found the text 'abc'",
        ),
        (
            "reproducibility: {random_seed: -1}",
            "6: reproducibility.random_seed: expected a whole number from 0 to "
            f"{2**128 - 1} or null, found the number -1",
        ),
        (
            "reproducibility: {random_seed: yes}",
            f"6: reproducibility.random_seed: expected a whole number from 0 to {2**128 - 1} or null, found true",
        ),
        (
            "reproducibility: {profile: fats}",
            "6: reproducibility.profile: expected one of fast, stable, portable, found the text 'fats'",
        ),
        ("execution: {jobs: 0}", "6: execution.jobs: expected a whole number from 1 up, found the number 0"),
        ("execution: {jobs: 2.0}", "6: execution.jobs: expected a whole number from 1 up, found the number 2.0"),
        ("environment: [a]", "6: environment: expected a mapping, found a list"),
        (
            "environment: {a: 3}",
            "6: environment.a: expected settings, such as {venv: [requirements.txt]}, found the number 3",
        ),
        ("reporting: 3", "6: reporting: expected a mapping, found the number 3"),
        ("data: 3", "6: data: expected a mapping of paths, found the number 3"),
        ("data: {path: 3}", "6: data.path: expected a list, found the number 3"),
        ("data:\n  - data/train.csv\n  - 3", "8: data.1: expected a name, found the number 3; quote it: '3'"),
    ],
)
def test_wrong_type(with_lines: Callable[[str], list[str]], lines: str, problem: str) -> None:
    assert with_lines(lines) == [problem]


def test_wrong_type_in_a_process(workshop) -> None:
    text = """\
scripts: {main: src/main.py}
experiment:
  pipeline:
    process_adjlist: 3
    processes:
      - name: load
        cache: sometimes
        description: 3
      - train
      - name: no
      - name: test
        parameters: [1]
        code: 7
      - description: without a name
      - name: loose
        tolerance: {loss: -1, model: .nan, path: true}
"""
    at = "experiment.pipeline.processes"
    assert workshop.problems(text) == [
        "4: experiment.pipeline.process_adjlist: expected text, one 'upstream downstream ...' a line, found the "
        "number 3",
        f"7: {at}.load.cache: expected true or false, found the text 'sometimes'",
        f"8: {at}.load.description: expected text, found the number 3; quote it: '3'",
        f"9: {at}.1: expected a mapping of name, description, code, parameters, environment, cache, version, "
        "ignore, tolerance, found the text 'train'",
        f"10: {at}.2.name: expected a name, found false; quote it: 'no'",
        f"12: {at}.test.parameters: expected a mapping, found a list",
        f"13: {at}.test.code: expected a name, found the number 7; quote it: '7'",
        f"14: {at}.4: has no name; add one: name: train",
        f"16: {at}.loose.tolerance.loss: expected a number from 0 up, found the number -1",
        f"16: {at}.loose.tolerance.model: expected a number from 0 up, found the number .nan",
        f"16: {at}.loose.tolerance.path: expected a number from 0 up, found true",
    ]


def test_processes_must_be_a_list_with_something_in_it(workshop) -> None:
    head = "scripts: {main: src/main.py}\n"
    missing = "experiment.pipeline.processes: no process; list at least one: - name: train"
    assert workshop.problems(head) == [missing]
    assert workshop.problems(head + "experiment:\n") == [missing]
    assert workshop.problems(head + "experiment:\n  pipeline:\n    processes: []\n") == [f"4: {missing}"]
    assert workshop.problems(head + "experiment: {pipeline: {processes: {a: {}}}}") == [
        "2: experiment.pipeline.processes: expected a list, found a mapping"
    ]


def test_duplicate_process(workshop) -> None:
    assert workshop.problems(PIPELINE + "      - code: main.x\n        name: train\n") == [
        "12: experiment.pipeline.processes.train.name: duplicate process 'train'; it is defined on line 9 already"
    ]


def test_edge_to_an_undefined_process_points_into_the_adjacency_list(workshop) -> None:
    text = PIPELINE.replace("load train\n", "load train  # comment\n\n      # trian\n      load trian\n")
    assert workshop.problems(text) == [
        "8: experiment.pipeline.process_adjlist: no process is called 'trian'; did you mean 'train'?"
    ]
    far = PIPELINE.replace("train test", "xyzzy test")
    assert workshop.problems(far) == [
        "6: experiment.pipeline.process_adjlist: no process is called 'xyzzy'; defined are: load, train, test"
    ]


def test_a_cycle_is_named_in_full(workshop) -> None:
    text = PIPELINE.replace("train test\n", "train test\n      test load\n")
    assert workshop.problems(text) == [
        "7: experiment.pipeline.process_adjlist: cycle: load -> train -> test -> load; remove one of its edges"
    ]
    own = PIPELINE.replace("train test\n", "train train\n")
    assert workshop.problems(own) == [
        "6: experiment.pipeline.process_adjlist: cycle: train -> train; a process can't be upstream of itself"
    ]


@pytest.mark.parametrize(
    "written",
    [
        "\n      load train\n      train test",
        ' "load train\n      train test"',
        " >\n      load train\n      train test",
    ],
)
def test_lines_that_yaml_joins_are_no_adjacency_list(workshop, written: str) -> None:
    text = PIPELINE.replace(" |\n      load train\n      train test", written)
    assert workshop.problems(text) == [
        "4: experiment.pipeline.process_adjlist: YAML joins these lines into one; write 'process_adjlist: |' and the "
        "lines below it"
    ]


def test_code_that_names_no_script(workshop) -> None:
    text = PIPELINE.replace("- name: train\n", "- name: train\n        code: mian.train\n")
    assert workshop.problems(text) == [
        "10: experiment.pipeline.processes.train.code: no script is called 'mian'; did you mean 'main'?"
    ]
    text = PIPELINE.replace("- name: train\n", "- name: train\n        code: main.\n")
    assert workshop.problems(text) == [
        "10: experiment.pipeline.processes.train.code: names no function; write 'code: main.function'"
    ]


def test_missing_files(workshop) -> None:
    text = PIPELINE.replace("src/main.py", "src/mian.py") + "data:\n  paths:\n    - data/train.csv\n    - data/no.csv\n"
    told = "paths are relative to the project's folder"
    assert workshop.problems(text) == [
        f"1: scripts.main: no such file: 'src/mian.py'; {told}",
        f"14: data.paths.1: no such file: 'data/no.csv'; {told}",
    ]


def test_scripts_are_files_in_the_project(workshop) -> None:
    (workshop.project.parent / "out.py").write_text("")
    outside = PIPELINE.replace("src/main.py", "../out.py")
    assert workshop.problems(outside) == [
        "1: scripts.main: '../out.py' lies outside the project; move it into its folder"
    ]
    assert workshop.problems(PIPELINE.replace("src/main.py", "src")) == [
        "1: scripts.main: no such file: 'src'; paths are relative to the project's folder"
    ]


def test_no_scripts(workshop) -> None:
    missing = "scripts: missing; name the files that hold the code: scripts: {main: src/main.py}"
    body = PIPELINE.split("\n", 1)[1]
    assert workshop.problems(body) == [missing]
    assert workshop.problems("scripts:\n" + body) == [f"1: {missing}"]


def test_an_environment_that_is_not_defined(workshop) -> None:
    text = PIPELINE + "        environment: gpu\nenvironment: {cpu: {venv: [r.txt]}}\n"
    assert workshop.problems(text) == [
        "11: experiment.pipeline.processes.test.environment: no environment is called 'gpu'; did you mean 'cpu'?"
    ]


@pytest.mark.parametrize("name", ["'a/b'", '"a\\nb"', "' a'", '"a\\tb"'])
def test_names_that_would_be_ambiguous(workshop, name: str) -> None:
    [problem] = workshop.problems(PIPELINE.replace("- name: test", f"- name: {name}").replace("train test", "train"))
    assert problem.startswith("10: experiment.pipeline.processes.")
    assert "can't be the name of a process" in problem


@pytest.mark.parametrize(
    "key",
    [
        "data_parallelism: {size: 3}",
        "seed_parallelism: {seeds: [1]}",
        "type: chart",
        "data_aggregation: true",
        "seed_aggregation: true",
        "component: sklearn.x",
        "probe_paths: {a: b}",
        "chart_type: dynamic",
        "input_transform: {a: b}",
    ],
)
def test_what_this_version_does_not_run(workshop, key: str) -> None:
    [problem] = workshop.problems(PIPELINE + f"        {key}\n")
    name = key.split(":")[0]
    assert problem.startswith(
        f"11: experiment.pipeline.processes.test.{name}: not supported by this version of expops; "
    )


def test_all_problems_at_once_in_file_order(workshop) -> None:
    text = """\
metadata: {nam: x}
scripts: {main: src/gone.py}
jobs: 3
2: x
when: 2024-01-01
execution: {jobs: many}
experiment:
  cache: {backend: gsc}
  pipeline:
    process_adjlist: |
      a b
      b c
    processes:
      - {name: a, code: mian.f, nme: x}
      - {name: b, cache: maybe}
      - {name: b}
"""
    found = workshop.problems(text)
    lines = [int(problem.split(":")[0]) for problem in found]
    assert lines == sorted(lines)
    assert lines == [1, 2, 3, 4, 5, 5, 6, 8, 12, 14, 14, 15, 16]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="platform: needs a user whom permissions bind")
def test_unreadable_file(workshop) -> None:
    os.chmod(os.path.join(workshop.write(PIPELINE), "configs/project_config.yaml"), 0)
    with pytest.raises(ConfigError, match="can't be read: Permission denied"):
        load_config(str(workshop.project))


def test_a_folder_instead_of_the_file(workshop) -> None:
    (workshop.project / "configs/project_config.yaml").mkdir()
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load_config(str(workshop.project))
