"""The example and the templates, their functions called as plain functions, without cache or engine."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from expops.cli.create import create_project, templates

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project, with a working folder that has its data; random numbers are the same in each test."""
    folder = DIGITS
    if request.param != "digits":
        folder = tmp_path / request.param
        create_project(str(folder), request.param)
    work = tmp_path / "work"
    work.mkdir()
    (work / "data").symlink_to(folder / "data")
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    states = random.getstate(), np.random.get_state()
    random.seed(42)
    np.random.seed(42)
    yield folder
    random.setstate(states[0])
    np.random.set_state(states[1])


def load_script(project: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("model_under_test", project / "src" / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_plainly(project: Path) -> dict[str, dict[str, Any]]:
    """Call each process with what its upstream processes gave and the configuration sets; all outputs."""
    experiment = yaml.safe_load((project / "configs" / "project_config.yaml").read_text("utf-8"))["experiment"]
    pipeline = experiment["pipeline"]
    edges = [line.split() for line in pipeline["process_adjlist"].splitlines()]
    module = load_script(project)
    outputs: dict[str, dict[str, Any]] = {}
    for process in pipeline["processes"]:
        provided: dict[str, Any] = {**experiment.get("parameters", {}), **process.get("parameters", {})}
        for upstream in (first for first, *others in edges if process["name"] in others):
            assert provided.keys().isdisjoint(outputs[upstream]), f"{upstream} repeats a name"
            provided |= outputs[upstream]
        function = getattr(module, process["code"].removeprefix("model."))
        taken = inspect.signature(function).parameters
        unused = process.get("parameters", {}).keys() - taken.keys()
        assert not unused, f"{process['name']} does not take {unused}"
        outputs[process["name"]] = function(**{name: provided[name] for name in taken})
    return outputs


def test_all_templates_are_covered() -> None:
    assert set(templates()) == {"minimal", "sklearn-basic"}


@pytest.mark.parametrize("project", ["digits"], indirect=True)
def test_digits_tells_the_digits_apart(project: Path) -> None:
    outputs = run_plainly(project)["evaluate"]
    assert set(outputs["accuracy"]) == {"logistic", "forest"}
    assert min(outputs["accuracy"].values()) > 0.9
    assert outputs["confusion"].sum() == 450
    assert Path("confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("project", ["minimal"], indirect=True)
def test_minimal_fits_the_line_that_textbooks_give(project: Path) -> None:
    outputs = run_plainly(project)
    assert outputs["fit"]["intercept"] == pytest.approx(-17.5791, abs=1e-4)
    assert outputs["fit"]["slope"] == pytest.approx(3.9324, abs=1e-4)
    assert outputs["report"]["r_squared"] == pytest.approx(0.6511, abs=1e-4)
    low, high = outputs["fit"]["slope_interval"]
    assert low < outputs["fit"]["slope"] < high
    assert Path("report.txt").read_text().startswith("distance = -17.6 + 3.93 * speed")


@pytest.mark.parametrize("project", ["sklearn-basic"], indirect=True)
def test_sklearn_basic_tells_the_species_apart(project: Path) -> None:
    outputs = run_plainly(project)
    assert len(outputs["prepare"]["y_train"]) == 105
    assert outputs["evaluate"]["accuracy"] > 0.9
    assert Path("importances.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("project", ["minimal"], indirect=True)
def test_minimal_needs_no_library_beside_expops(project: Path) -> None:
    tree = ast.parse((project / "src" / "model.py").read_text("utf-8"))
    imports = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    imports |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imports - sys.stdlib_module_names == {"expops"}
