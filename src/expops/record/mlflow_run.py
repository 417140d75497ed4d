"""A run in MLflow: parameters, metrics and artifacts, in a tracking folder or on a server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from ..errors import CorruptData, UsageError
from ..runs.canonical import canonical
from .files import Made

# What MLflow's stores take at most.
_BATCH: Final = {"metrics": 1000, "params": 100}
_LONGEST: Final = 6000
_STATUS: Final = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED", "killed": "KILLED"}
_MISSING: Final = "MLflow is not installed here; `pip install 'expops[mlflow]'` installs what this needs"


def log_run(target: str, document: Mapping[str, Any], files: Sequence[Made]) -> str:
    """Log the run of ``document`` with ``files`` to ``target``, a folder or a tracking URI; gives where it is.

    Raises :class:`UsageError` if MLflow is not installed or can't reach the target.
    """
    try:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow asks to be told that a folder is meant
        client_of: Any = import_module("mlflow.tracking").MlflowClient
        entities: Any = import_module("mlflow.entities")
        faults: Any = import_module("mlflow.exceptions")
    except ImportError as fault:
        raise UsageError(_MISSING) from fault
    uri = target if "://" in target else "file:" + os.path.abspath(target)
    client = client_of(tracking_uri=uri)
    try:
        return f"{target}, as MLflow run {_log(client, entities, document, files)}"
    except faults.MlflowException as fault:
        raise UsageError(f"MLflow can't log to {target}: {fault}") from fault


def _log(client: Any, entities: Any, document: Mapping[str, Any], files: Sequence[Made]) -> str:
    name = (document["configuration"]["resolved"] or {}).get("name") or "expops"
    experiment = client.get_experiment_by_name(name)
    place = experiment.experiment_id if experiment is not None else client.create_experiment(name)
    times, run = document["measurements"], document["run"]
    began = _milliseconds(times["started"])
    made = client.create_run(place, start_time=began, run_name=run["id"], tags=dict(_tags(document)))
    run_id: str = made.info.run_id
    parameters = [entities.Param(key, value[:_LONGEST]) for key, value in _parameters(document)]
    _in_batches(client, run_id, "params", parameters)
    metrics = [entities.Metric(key, value, began, step) for key, value, step in _metrics(document)]
    _in_batches(client, run_id, "metrics", metrics)
    _log_files(client, run_id, document, files)
    ended = _milliseconds(times["finished"] or times["started"])
    client.set_terminated(run_id, _STATUS.get(run["status"], "RUNNING"), ended)
    return run_id


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _in_batches(client: Any, run_id: str, kind: str, items: Sequence[Any]) -> None:
    for start in range(0, len(items), _BATCH[kind]):
        client.log_batch(run_id, **{kind: items[start : start + _BATCH[kind]]})


def _tags(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    run, code = document["run"], document["code"]
    yield "expops.run", run["id"]
    yield "expops.digest", document["digest"]
    yield "expops.seed", str(run["seed"])
    yield "mlflow.source.name", " ".join(run["command"])
    yield "mlflow.source.type", "LOCAL"
    if code["commit"]:
        yield "mlflow.source.git.commit", code["commit"]


def _parameters(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    resolved = document["configuration"]["resolved"] or {}
    yield "seed", str(document["run"]["seed"])
    for name, value in resolved.get("parameters", {}).items():
        yield _key(name), _text(value)
    for process in resolved.get("processes", ()):
        for name, value in process["parameters"].items():
            yield _key(f"{process['name']}.{name}"), _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value).decode()


def _metrics(document: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    for process, series in document["metrics"].items():
        for name, points in series.items():
            for step, value in points.items():
                yield _key(f"{process}.{name}"), float(value), int(step)


def _key(text: str) -> str:
    """``text`` with what MLflow does not take in names as underscores."""
    kept = "".join(char if char.isalnum() or char in "_-. /" else "_" for char in text)
    return kept[:250]


def _log_files(client: Any, run_id: str, document: Mapping[str, Any], files: Sequence[Made]) -> None:
    whole = [("", "run.json", canonical(document)), ("", "pylock.toml", document["environment"]["pylock"].encode())]
    for folder, path, data in [*whole, *((made.process, made.path, made.data) for made in files)]:
        place = "/".join(part for part in (folder, *path.split("/")[:-1]) if part)
        if ".." in place.split("/"):
            raise CorruptData(f"the artifact {path!r} is not inside its process's folder")
        with tempfile.TemporaryDirectory() as scratch:
            local = os.path.join(scratch, path.rpartition("/")[2])
            with open(local, "wb") as file:
                file.write(data)
            client.log_artifact(run_id, local, place or None)
