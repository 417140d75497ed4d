"""Projects of their own folders, as if on machines of their own, whose cache is one bucket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import expops

MODEL = """
import random

from expops import process, step


@step
def draw(count):
    return [random.random() for _ in range(count)]


@process()
def load():
    with open("table.csv", "w") as file:
        file.write("a,b\\n" * 10000)
    return {"items": draw(5000), "aside": bytes(range(256)) * 200, "name": "x"}


@process()
def total(items):
    return {"total": sum(items) + draw(1)[0]}
"""
CONFIG = """
metadata: {{name: shared}}
scripts: {{main: src/model.py}}
experiment:
  cache: {cache}
  pipeline:
    process_adjlist: load total
    processes: [{{name: load}}, {{name: total}}]
"""
SCHEMES = {"s3": "s3", "gcs": "gs", "azure": "az", "folder": "file"}


def address(kind: str, bucket: str) -> str:
    return f"{SCHEMES[kind]}://{bucket}/team" if kind != "folder" else f"file://{bucket}"


class Machine:
    """A checkout of the project, and the environment of its user."""

    def __init__(self, root: Path, cache: str, environment: dict[str, str], model: str = MODEL) -> None:
        self.root = root
        self.environment = environment
        for folder in ("configs", "src"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.configure(cache)
        self.write(model)

    def configure(self, cache: str) -> None:
        (self.root / "configs/project_config.yaml").write_text(CONFIG.format(cache=cache))

    def write(self, model: str) -> None:
        (self.root / "src/model.py").write_text(model)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "AZURE_STORAGE", "EXPOPS_SIGNING"))
        }
        environment = {**clean, "PYTHONPATH": str(Path(expops.__file__).parents[1]), **self.environment}
        given = [sys.executable, "-m", "expops", *words]
        return subprocess.run(
            given, cwd=self.root, capture_output=True, text=True, env=environment, check=False, timeout=100
        )

    def run(self, *words: str) -> tuple[dict[str, Any], str]:
        done = self.command("run", "--json", "--jobs", "1", *words)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document, done.stderr

    def blobs(self) -> int:
        """How many blobs have come to, or been made on, this machine."""
        return sum(path.is_file() and len(path.parent.name) == 2 for path in (self.root / ".expops/blobs").glob("*/*"))


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {action["path"]: action["outcome"] for action in document["actions"]}


def outputs(document: dict[str, Any]) -> dict[str, Any]:
    return {action["path"]: action["outputs"] for action in document["actions"] if action["kind"] == "process"}


HITS = {"load": "hit", "total": "hit"}
