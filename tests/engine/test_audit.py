"""``expops run --audit-code``: finds code that a fingerprint doesn't follow, and finds none in what we ship."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from closure_cases import TABLE, USES, WHOLE, projects

from code_cases import TABLES, cases, files
from expops.engine.audit import check_available
from expops.errors import UsageError
from interpreters import Interpreter, with_libraries

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SHIPPED = [*sorted((ROOT / "examples").glob("*/")), *sorted((ROOT / "src/expops/cli/templates").glob("*/"))]

CONFIG = """
scripts: {main: src/model.py}
experiment:
  pipeline:
    processes: [{name: clean}, {name: dirty}]
"""
# A name that is put together at run time leads to a class that nothing mentions, and builtins hold a function.
MODEL = """
import builtins
import base
import plugin
from expops import process, step

def planted(x):
    return x

@step
def through_builtins(x):
    return hidden(x)

@step
def through_subclasses(x):
    (found,) = getattr(base.Base, "__sub" + "classes__")()
    return found().go(x)

@step
def follows(x):
    return base.helper(x)

@process()
def clean():
    return {"x": follows(1)}

@process()
def dirty():
    builtins.hidden = planted
    return {"x": through_builtins(1), "y": through_subclasses(1), "z": follows(2)}
"""
BASE = "class Base: pass\ndef helper(x):\n    return [y for y in (x, x + 1)]\n"
PLUGIN = "import base\n\nclass Plugin(base.Base):\n    def go(self, x):\n        return x\n"


def test_a_python_without_monitoring_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys, "monitoring", raising=False)
    with pytest.raises(UsageError, match=r"needs Python 3\.12 or newer.*python3\.12 -m expops run --audit-code"):
        check_available()


@pytest.fixture(scope="module", params=["3.12", "3.13"])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    names = ("blake3", "PyYAML", "rich", "numpy", "scikit-learn", "matplotlib", "pandas")
    return with_libraries(request.param, tmp_path_factory.mktemp("libraries"), *names)


def planted(root: Path) -> Path:
    for path, text in (
        ("configs/project_config.yaml", CONFIG),
        ("src/model.py", MODEL),
        ("src/base.py", BASE),
        ("src/plugin.py", PLUGIN),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


BUILTINS = {"file": "src/model.py", "line": 7, "symbol": "planted"}
SUBCLASS = {"file": "src/plugin.py", "line": 4, "symbol": "Plugin.go"}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("jobs", ["0", "2"])
def test_code_that_is_not_followed_is_told_and_its_results_are_not_kept(
    python: Interpreter, tmp_path: Path, jobs: str
) -> None:
    root = planted(tmp_path)

    def run(*options: str) -> tuple[int, Any, str]:
        done = python.run("-m", "expops", "run", "--json", "--jobs", jobs, *options, cwd=root)
        return done.returncode, json.loads(done.stdout), done.stderr

    code, document, told = run("--audit-code")
    assert code == 3, told
    expected = [
        {"action": "dirty/through_builtins", **BUILTINS},
        {"action": "dirty/through_subclasses", **SUBCLASS},
        {"action": "dirty", **SUBCLASS},  # of what it puts into builtins, its own code says which it is
    ]
    assert document["audit"] == {"checked": 6, "unfollowed": expected}
    by_path = {action["path"]: action.get("unfollowed", []) for action in document["actions"]}
    assert by_path["dirty/through_subclasses"] == [SUBCLASS]
    assert by_path["clean"] == by_path["clean/follows"] == []
    assert "process 'dirty' ran code that its fingerprint doesn't follow" in told
    assert "src/plugin.py:4 Plugin.go" in told
    code, document, told = run()
    outcomes = {action["path"]: action["outcome"] for action in document["actions"]}
    assert (code, outcomes) == (
        0,
        {
            "clean": "hit",
            "dirty/through_builtins": "executed",
            "dirty/through_subclasses": "executed",
            "dirty/follows": "hit",
            "dirty": "executed",
        },
    )
    code, document, told = run("--audit-code")
    assert (code, document["audit"]) == (0, {"checked": 0, "unfollowed": []})
    # What was kept while nobody looked is gone once somebody has.
    assert run("--audit-code", "--force", "dirty")[0] == 3
    assert {a["path"]: a["outcome"] for a in run()[1]["actions"]}["dirty"] == "executed"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_summary_names_what_is_not_followed(python: Interpreter, tmp_path: Path) -> None:
    done = python.run("-m", "expops", "run", "--audit-code", cwd=planted(tmp_path))
    assert done.returncode == 3
    assert "ran code that isn't followed" in done.stdout
    assert "dirty/through_builtins" in done.stdout
    assert "src/model.py:7" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_what_we_ship_is_followed(python: Interpreter, tmp_path: Path, folder: Path) -> None:
    project = shutil.copytree(folder, tmp_path / "project", ignore=shutil.ignore_patterns(".expops"))
    for options in (("--cache", "off"), ()):
        done = python.run("-m", "expops", "run", "--json", "--audit-code", "--jobs", "2", *options, cwd=project)
        assert done.returncode == 0, done.stderr
        audit = json.loads(done.stdout)["audit"]
        assert audit["unfollowed"] == []
        assert audit["checked"] > 2


def findings(python: Interpreter, folder: Path, kind: str, given: dict[str, dict[str, str]]) -> dict[str, Any]:
    (folder / "given.json").write_text(json.dumps(given))
    script = str(HERE / "audited_projects.py")
    done = python.run(script, kind, str(folder / "given.json"), cwd=folder, path=(HERE, HERE.parent))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_way_to_reach_code_is_followed(python: Interpreter, tmp_path: Path) -> None:
    given = projects(TABLE, USES, WHOLE)
    found = findings(python, tmp_path, "projects", given)
    assert {name: result for name, result in found.items() if result} == {}
    assert len(found) == len(given)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_functions_of_the_case_tables_are_followed(python: Interpreter, tmp_path: Path) -> None:
    rows = [row for table in TABLES for row in cases(table)]
    given = {f"{index} {row.title}": files(row.source) for index, row in enumerate(rows)}
    found = findings(python, tmp_path, "functions", given)
    called = {name: result for name, result in found.items() if not isinstance(result, str)}
    assert {name: result for name, result in called.items() if result} == {}
    assert len(called) > 240  # the others import what is not there
