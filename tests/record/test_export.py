"""``expops export``: JSON, a lock file, an RO-Crate that the validator accepts, a run in MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from crate_validator import validate
from recorded import document_of, expops, make, validator

from sandbox import Sandbox

_PROFILES = ("provenance-run-crate", "workflow-run-crate", "process-run-crate", "ro-crate-1.1")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = make(tmp_path_factory.mktemp("export") / "project")
    assert sandbox.run().run.status == "done"
    return sandbox


def entities(folder: Path) -> dict[str, dict[str, Any]]:
    graph = json.loads((folder / "ro-crate-metadata.json").read_text("utf-8"))["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph)
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [value["@id"]] if value.keys() == {"@id"} else [i for part in value.values() for i in references(part)]
    return [i for part in value for i in references(part)] if isinstance(value, list) else []


def test_json_is_the_document_on_standard_output(project: Sandbox) -> None:
    ran = expops("export", "last", cwd=project.root)
    document = json.loads(ran.stdout)
    assert document == document_of(project.root)
    assert list(validator().iter_errors(document)) == []


def test_a_lock_file_can_be_had_alone(project: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "pylock.toml"
    assert expops("export", "last", "--format", "pylock", "-o", str(target), cwd=project.root).returncode == 0
    assert tomllib.loads(target.read_text())["lock-version"] == "1.0"


def test_a_crate_refers_to_nothing_that_it_has_not_got(project: Sandbox, tmp_path: Path) -> None:
    crate = tmp_path / "crate"
    ran = expops("export", "last", "--format", "ro-crate", "-o", str(crate), cwd=project.root)
    assert ran.returncode == 0, ran.stderr
    found = entities(crate)
    outside = {uri for entity in found.values() for uri in references(list(entity.values())) if uri not in found}
    assert all(uri.startswith("https://") for uri in outside), outside
    files = {uri for uri, entity in found.items() if "File" in entity["@type"]}
    assert all((crate / uri).is_file() for uri in files)
    assert {"artifacts/fit/report.txt", "src/helpers.py", "src/settings.json", "run.json"} <= files
    assert found["#execution/fit"]["result"][0] == {"@id": "artifacts/fit/report.txt"}
    assert found["#value/fit/factor"]["value"] == 2
    assert found["#input/project%2Fdata%2Frows.txt"]["identifier"].startswith("blake3:")
    assert (crate / "artifacts/fit/report.txt").read_text().startswith("[2.0, 4.0,")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["done", "cached", "failed", "cleared", "odd names"])
def test_the_validator_accepts_the_crate(tmp_path: Path, kind: str) -> None:
    sandbox = make(tmp_path / "project")
    if kind == "failed":
        sandbox.write("data/rows.txt", "no number")
    if kind == "odd names":
        sandbox.configure([{"name": "aside é:1 #x", "code": "main.aside", "parameters": {"factor": "ü €"}}])
    sandbox.run()
    if kind == "cached":
        sandbox.run()
    if kind == "cleared":
        assert expops("cache", "clear", "--yes", cwd=sandbox.root).returncode == 0
    crate = tmp_path / "crate"
    licence = () if kind == "done" else ("--license", "https://spdx.org/licenses/Apache-2.0")
    ran = expops("export", "last", "--format", "ro-crate", "-o", str(crate), *licence, cwd=sandbox.root)
    assert ran.returncode == 0, ran.stderr
    for profile in _PROFILES if kind == "done" else _PROFILES[:1]:
        assert validate(crate, tmp_path, profile) == {"passed": True, "issues": []}


@pytest.mark.slow
def test_the_validator_rejects_a_crate_without_its_workflow(project: Sandbox, tmp_path: Path) -> None:
    crate = tmp_path / "crate"
    expops("export", "last", "--format", "ro-crate", "-o", str(crate), cwd=project.root)
    metadata = crate / "ro-crate-metadata.json"
    text = metadata.read_text("utf-8")
    metadata.write_text(text.replace("ComputationalWorkflow", "CreativeWork"), "utf-8")
    assert not validate(crate, tmp_path, _PROFILES[0])["passed"]


# In a process of its own: MLflow's warnings and threads are no concern of other tests.
_LOOK = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri="file:" + sys.argv[1])
(experiment,) = [item for item in client.search_experiments() if item.name == "sandbox"]
(run,) = client.search_runs([experiment.experiment_id])
def files(path=None):
    for item in client.list_artifacts(run.info.run_id, path):
        yield from files(item.path) if item.is_dir else [item.path]
def points(key):
    return [[point.step, point.value] for point in client.get_metric_history(run.info.run_id, key)]
history = {key: points(key) for key in run.data.metrics}
print(json.dumps({"params": run.data.params, "metrics": history, "status": run.info.status, "name": run.info.run_name,
    "tags": run.data.tags, "files": sorted(files()), "times": [run.info.start_time, run.info.end_time]}))
"""


@pytest.mark.slow
def test_mlflow_has_parameters_metrics_and_artifacts(
    project: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = expops("export", "last", "--format", "mlflow", "--to", str(tmp_path / "runs"), cwd=project.root)
    assert ran.returncode == 0, ran.stderr
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    looked = subprocess.run(
        [sys.executable, "-c", _LOOK, str(tmp_path / "runs")], capture_output=True, text=True, check=True
    )
    found = json.loads(looked.stdout)
    document = document_of(project.root)
    assert found["params"] == {"seed": "42", "load.count": "2", "fit.factor": "2", "aside.factor": "3"}
    total = document["metrics"]["fit"]["total"]["1"]
    assert found["metrics"] == {"fit.total": [[1, total]]}
    assert (found["status"], found["name"]) == ("FINISHED", document["run"]["id"])
    assert found["files"] == ["fit/report.txt", "pylock.toml", "run.json"]
    assert found["tags"]["expops.digest"] == document["digest"]
    assert found["times"][0] == round(document["measurements"]["started"] * 1000)


def test_without_mlflow_the_mend_is_told(project: Sandbox, tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['mlflow'] = None; sys.modules['mlflow.tracking'] = None\n"
        "from expops.cli.main import run_command_line\n"
        "sys.exit(run_command_line(['export', 'last', '--format', 'mlflow', '-o', sys.argv[1]]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "runs")],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "pip install 'expops[mlflow]'" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--format", "ro-crates"), "'ro-crates' is not known; did you mean 'ro-crate'?"),
        (("--format", "ro-crate"), "needs -o with a new folder"),
        (("--format", "ro-crate", "-o", "src"), "src is there and not empty"),
        (("-o", "nowhere/run.json"), "nowhere/run.json can't be written: No such file or directory"),
    ],
)
def test_wrong_usage_is_told_with_the_mend(project: Sandbox, arguments: tuple[str, ...], told: str) -> None:
    ran = expops("export", "last", *arguments, cwd=project.root)
    assert ran.returncode == 2
    assert told in ran.stderr
