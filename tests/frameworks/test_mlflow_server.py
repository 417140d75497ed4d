"""`expops export --format mlflow` to a real MLflow server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox

MODEL = """
    from expops import log_metric, process

    @process()
    def fit(rate):
        for step in range(3):
            log_metric("loss", rate / (step + 1))
        with open("report.txt", "w") as file:
            file.write("good")
        return {}
"""
PATIENCE = 120  # seconds


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--artifacts-destination", "kept"]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", "sqlite:///runs.db", *options]
    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url + "/health", started)
        yield url
    finally:
        started.terminate()
        started.wait()


def _wait(url: str, started: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and started.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the MLflow server did not start")


@pytest.mark.timeout(300)
def test_parameters_metrics_and_artifacts_arrive(server: str, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    sandbox = Sandbox(tmp_path / "project")
    sandbox.write("src/model.py", MODEL)
    sandbox.configure([{"name": "fit", "parameters": {"rate": 0.5}}])
    sandbox.run()
    command = [sys.executable, "-m", "expops", "export", "last", "--format", "mlflow", "--to", server]
    ran = subprocess.run(command, cwd=sandbox.root, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    client = MlflowClient(server)
    (experiment,) = [item for item in client.search_experiments() if item.name == "sandbox"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["fit.rate"] == "0.5"
    points = client.get_metric_history(run.info.run_id, "fit.loss")
    assert [(point.step, point.value) for point in points] == [(1, 0.5), (2, 0.25), (3, 0.5 / 3)]
    assert {item.path for item in client.list_artifacts(run.info.run_id)} >= {"run.json", "pylock.toml", "fit"}
    (report,) = client.list_artifacts(run.info.run_id, "fit")
    assert Path(client.download_artifacts(run.info.run_id, report.path)).read_text() == "good"
