"""A small project whose runs are recorded, and a look at what the record says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from expops.kv.base import KVStore
from expops.record.document import Run, run_document
from expops.runs.ledger import Ledger
from expops.wiring import close, load_project
from sandbox import Sandbox

MODEL = """
    import json
    import os
    import random

    from expops import log_metric, process, step
    from helpers import scale
    import unused_here

    @step()
    def draw(count):
        return [random.random() for _ in range(count)]

    @process()
    def load(count):
        with open("data/rows.txt") as file:
            rows = [float(line) for line in file]
        return {"rows": rows + draw(count)}

    @process()
    def fit(rows, factor):
        with open(os.path.join(os.path.dirname(__file__), "settings.json")) as file:
            shift = json.load(file)["shift"]
        log_metric("total", sum(rows) * factor + shift)
        with open("report.txt", "w") as file:
            file.write(repr(scale(rows, factor)))
        return {"scaled": scale(rows, factor)}

    @process()
    def aside(factor):
        return {"double": factor * 2}
"""


def make(root: Path) -> Sandbox:
    """A project with a data file, a settings file, a helper module, and one that is imported and not used."""
    sandbox = Sandbox(root)
    sandbox.write("src/model.py", MODEL)
    sandbox.write("src/helpers.py", "def scale(rows, factor):\n    return [row * factor for row in rows]\n")
    sandbox.write("src/unused_here.py", "from pieces import more\n")
    sandbox.write("src/pieces/__init__.py", "more = 1\n")
    sandbox.write("src/settings.json", '{"shift": 3}')
    sandbox.write("data/rows.txt", "1\n2\n")
    sandbox.configure(
        [
            {"name": "load", "parameters": {"count": 2}},
            {"name": "fit", "parameters": {"factor": 2}},
            {"name": "aside", "parameters": {"factor": 3}},
        ],
        "load fit\naside",
    )
    return sandbox


def document_of(root: Path, name: str = "last") -> dict[str, Any]:
    loaded = load_project(str(root))
    try:
        return from_store(loaded.project.cache.kv, name)
    finally:
        close(loaded)


def from_store(kv: KVStore, name: str) -> dict[str, Any]:
    ledger = Ledger(kv)
    run = ledger.find(name)
    return run_document(Run(run, run.status, ledger.actions(run.run_id), ledger.metrics(run.run_id)), kv)


@cache
def validator() -> Draft202012Validator:
    schema = json.loads(files("expops.record").joinpath("run.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def expops(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "expops", *arguments]
    given = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, env=given, capture_output=True, text=True, check=False)
