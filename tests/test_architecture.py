"""The walls: layers, public names, what an import costs, the size of files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import expops

ROOT = Path(__file__).parents[1]

PUBLIC = {
    "Cache",
    "ConfigError",
    "ExpopsError",
    "InputFile",
    "SerializableData",
    "__version__",
    "jax_key",
    "log_metric",
    "process",
    "rng",
    "seed",
    "step",
    "torch_generator",
}
MOST_PUBLIC_NAMES = 15
CORE = {"SerializableData", "log_metric", "process", "step"}

# A run in which all is cached has a budget of some 100 ms, and each of these takes a good part of it.
TOO_HEAVY = {
    *("ast", "asyncio", "dataclasses", "importlib.metadata", "inspect", "logging", "multiprocessing"),
    *("pathlib", "subprocess", "tempfile", "uuid"),
    *("joblib", "numpy", "pandas", "pyarrow", "rich", "sklearn", "torch", "yaml"),
}
LONGEST_FILE = 500


def test_imports_go_one_way() -> None:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as main; main()",
        "--no-cache",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_public_names_are_pinned() -> None:
    assert set(expops.__all__) == PUBLIC
    assert len(PUBLIC) <= MOST_PUBLIC_NAMES
    assert all(hasattr(expops, name) for name in PUBLIC)


def test_core_has_the_names_that_expops_projects_import() -> None:
    import expops.core

    assert set(expops.core.__all__) == CORE
    for name in CORE:
        assert getattr(expops.core, name) is getattr(expops, name)


@pytest.mark.parametrize("module", ["expops", "expops.core", "expops.__main__"])
def test_an_import_loads_nothing_heavy(module: str) -> None:
    script = (
        "import sys, json; before = set(sys.modules);"
        f"import {module}; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert TOO_HEAVY.isdisjoint(json.loads(ran.stdout)), TOO_HEAVY.intersection(json.loads(ran.stdout))


def test_no_source_file_is_too_long_to_read() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / "src").rglob("*.py")}
    assert lengths
    assert {str(path): length for path, length in lengths.items() if length > LONGEST_FILE} == {}
