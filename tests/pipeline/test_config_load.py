"""Finding, remembering and overriding a configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from expops.errors import ConfigError, UnknownName, UsageError
from expops.pipeline import config_build
from expops.pipeline.config_load import find_project, load_config
from expops.pipeline.override import override

TEXT = """\
metadata: {name: digits, description: d, version: 1.10}
scripts: {main: src/main.py}
environment: {cpu: {venv: [requirements.txt]}, gpu: [gpu.txt, venv]}
reproducibility: {seed: 340282366920938463463374607431768211455, profile: stable}
data: data/train.csv
execution: {jobs: 3}
reporting: {static_entrypoint: charts/plot.py, charts: [{name: c, probe_paths: {a: b}}]}
experiment:
  cache: gs://b/p
  parameters: {lr: 0.1, deep: {a: [1, 2.5, null]}}
  pipeline:
    process_adjlist: |
      load train
    processes:
      - name: load
      - name: train
        environment: gpu
        parameters: {optim: {name: sgd, lr: .inf}, a.b: 1}
        description: trains
        cache: false
        tolerance: {loss: 1e-9, fit: 0}
"""


class DictMemo(dict[str, bytes]):
    """A memo in memory."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value


def test_a_project_is_found_upward(workshop) -> None:
    project = workshop.write(TEXT)
    assert find_project(project) == project
    assert find_project(os.path.join(project, "data")) == project
    assert find_project(os.path.join(project, "configs")) == project


def test_everything_arrives(workshop) -> None:
    config = workshop.load(TEXT)
    assert (config.name, config.description, config.version) == ("digits", "d", "1.10")
    assert config.path == "configs/project_config.yaml"
    assert config.seed == 2**128 - 1
    assert config.profile == "stable"
    assert config.data == ("data/train.csv",)
    assert config.jobs == 3
    assert config.environment == {"cpu": {"venv": ["requirements.txt"]}, "gpu": ["gpu.txt", "venv"]}
    assert config.reporting == {
        "static_entrypoint": "charts/plot.py",
        "charts": [{"name": "c", "probe_paths": {"a": "b"}}],
    }
    assert config.edges == (("load", "train"),)
    load, train = config.processes
    assert load == ("load", 15, "src/main.py", "load", {}, "", "cpu", True, "", (), {})
    assert train == (
        *("train", 16, "src/main.py", "train", {"optim": {"name": "sgd", "lr": float("inf")}, "a.b": 1}),
        *("trains", "gpu", False, "", (), {"loss": 1e-9, "fit": 0}),
    )


def test_the_name_defaults_to_the_folder(workshop) -> None:
    assert workshop.load(TEXT.replace("name: digits, ", "")).name == "demo"


def test_the_memo_gives_the_same_configuration(workshop) -> None:
    memo = DictMemo()
    project = workshop.write(TEXT)
    first = load_config(project, memo=memo)
    assert len(memo) == 1
    assert load_config(project, memo=memo) == first == load_config(project)
    assert repr(load_config(project, memo=memo)) == repr(first)


def test_the_memo_is_used_and_a_changed_file_is_read_anew(workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = DictMemo()
    load_config(workshop.write(TEXT), memo=memo)
    changed = load_config(workshop.write(TEXT.replace("0.1", "0.2")), memo=memo)
    assert changed.parameters["lr"] == 0.2
    monkeypatch.setattr(config_build, "draft", None)
    assert load_config(workshop.write(TEXT), memo=memo).parameters["lr"] == 0.1


def test_files_are_looked_for_on_a_memo_hit_too(workshop) -> None:
    memo = DictMemo()
    project = workshop.write(TEXT)
    load_config(project, memo=memo)
    os.remove(os.path.join(project, "data/train.csv"))
    with pytest.raises(ConfigError) as caught:
        load_config(project, memo=memo)
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [(5, "data")]


def test_a_bad_configuration_is_not_remembered(workshop) -> None:
    memo = DictMemo()
    with pytest.raises(ConfigError):
        load_config(workshop.write(TEXT + "jobs: 3\n"), memo=memo)
    assert memo == {}


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"\xff\xfe", b"[]"])
def test_a_damaged_memo_is_no_memo(workshop, damage: bytes) -> None:
    memo = DictMemo()
    project = workshop.write(TEXT)
    first = load_config(project, memo=memo)
    for key in memo:
        memo[key] = damage
    assert load_config(project, memo=memo) == first


def test_a_memo_hit_imports_no_yaml_and_nothing_slow(workshop) -> None:
    project = workshop.write(TEXT)
    memo = DictMemo()
    load_config(project, memo=memo)
    program = f"""
import sys
class M(dict):
    def put(self, key, value): raise AssertionError("not a hit")
before = set(sys.modules)
from expops.pipeline import binding, graph
from expops.pipeline.config_load import find_project, load_config
config = load_config(find_project({project!r}), memo=M({dict(memo)!r}))
assert config.name == "digits"
slow = "yaml dataclasses inspect ast pathlib subprocess tempfile logging difflib uuid numpy".split()
print(sorted(name for name in slow if name in set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("setting", "process", "parameters"),
    [
        ("load.n=3", "load", {"n": 3}),
        ("load.n=1e-3", "load", {"n": 0.001}),
        ("load.n=[1, a]", "load", {"n": [1, "a"]}),
        ("load.n={x: y}", "load", {"n": {"x": "y"}}),
        ("load.n=a=b", "load", {"n": "a=b"}),
        ("load.n=", "load", {"n": None}),
        ("load.n='3'", "load", {"n": "3"}),
        ("load.n.m=true", "load", {"n": {"m": True}}),
        ("train.optim.lr=2", "train", {"optim": {"name": "sgd", "lr": 2}, "a.b": 1}),
        ("train.optim=2", "train", {"optim": 2, "a.b": 1}),
        ("train.a.b=2", "train", {"optim": {"name": "sgd", "lr": float("inf")}, "a.b": 2}),
    ],
)
def test_override(workshop, setting: str, process: str, parameters: dict[str, object]) -> None:
    config = workshop.load(TEXT)
    before = repr(config)
    changed = override(config, [setting])
    assert next(one.parameters for one in changed.processes if one.name == process) == parameters
    assert repr(config) == before
    assert changed._replace(processes=config.processes) == config


def test_overrides_apply_in_turn_and_reach_names_with_dots(workshop) -> None:
    config = workshop.load(TEXT.replace("- name: load", "- name: load.v1").replace("load train", "load.v1 train"))
    changed = override(config, ["load.v1.n=1", "load.v1.n=2", "load.v1.m=3"])
    assert changed.processes[0].parameters == {"n": 2, "m": 3}


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("load.n", UsageError, "--set load.n: has no '='; write --set process.parameter=value"),
        ("n=3", UsageError, "--set n=3: names no parameter; write --set process.parameter=value"),
        ("load.=3", UsageError, "--set load.=3: names no parameter; write --set process.parameter=value"),
        ("laod.n=3", UnknownName, "--set laod.n=3: no process is called 'laod'; did you mean 'load'?"),
        (
            "train.optim.name.x=3",
            UsageError,
            "--set train.optim.name.x=3: 'name' is no mapping but 'sgd', so nothing in it can be set",
        ),
        (
            "load.n=2024-01-01",
            ConfigError,
            "--set load.n=2024-01-01: 2024-01-01 reads as a date in YAML; quote it: '2024-01-01'",
        ),
    ],
)
def test_settings_that_can_not_be_read(workshop, setting: str, error: type[Exception], message: str) -> None:
    config = workshop.load(TEXT)
    with pytest.raises(error) as caught:
        override(config, [setting])
    assert str(caught.value) == message


@pytest.mark.parametrize("setting", ["load.n=[1", "load.n=a: b: c", "load.n=!!python/name:os.system", "load.n=\udcff"])
def test_values_that_are_no_yaml(workshop, setting: str) -> None:
    with pytest.raises(UsageError):
        override(workshop.load(TEXT), [setting])


LIBRARIES = """
scripts: {main: main.py}
experiment: {cache: {@POLICY@}, pipeline: {processes: [{name: a}]}}
"""


def with_policy(root: Path, written: str) -> str:
    (root / "configs").mkdir()
    (root / "configs/project_config.yaml").write_text(LIBRARIES.replace("@POLICY@", written))
    (root / "main.py").write_text("")
    return str(root)


@pytest.mark.parametrize(("written", "policy"), [("", "exact"), ("libraries: minor", "minor")])
def test_the_policy_for_versions_of_libraries(tmp_path: Path, written: str, policy: str) -> None:
    assert load_config(with_policy(tmp_path, written)).cache.libraries == policy


def test_a_policy_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(with_policy(tmp_path, "libraries: loose"))
    told = "experiment.cache.libraries: expected one of exact, minor, ignore, found the text 'loose'"
    assert [str(problem) for problem in caught.value.problems] == [f"configs/project_config.yaml:3: {told}"]
