"""Whatever is cached and however many workers there are: the same outputs, metrics, printed text and files.

Each row is the source of a small project. ``flag`` is a parameter that no step takes: to change it has a process
execute while its steps are hits.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from either_way_rows import HEAD, ROWS, Row

from expops.engine.run import RunResult
from expops.kv.sqlite import SQLiteKV
from sandbox import Sandbox, outcomes, outputs


def facts(sandbox: Sandbox, result: RunResult) -> dict[str, Any]:
    assert result.run.status == "done", [action.error for action in result.actions]
    shelf = sandbox.root / ".expops" / "artifacts"
    files = [path for path in sorted(shelf.rglob("*")) if path.is_file()]
    printed: dict[str, list[tuple[str, str]]] = {}
    for process, stream, text in sandbox.seen.output:
        log = printed.setdefault(process, [])
        text = text.replace(str(sandbox.root), "<project>")
        if log and log[-1][0] == stream:
            log[-1] = (stream, log[-1][1] + text)
        else:
            log.append((stream, text))
    return {
        "outputs": outputs(result),
        "metrics": result.metrics,
        "printed": printed,
        "files": {str(path.relative_to(shelf)): (path.read_bytes(), path.stat().st_mode) for path in files},
        "drew": {action.path: action.drew for action in result.actions if action.kind == "process"},
    }


def make(folder: Path, row: Row) -> Sandbox:
    sandbox = Sandbox(folder)
    sandbox.write("src/model.py", HEAD + row.source)
    for path, text in row.files.items():
        sandbox.write(path, text)
    sandbox.configure(
        row.processes,
        row.edges,
        parameters={"shared": {"list": [1, 2, {"deep": 3}]}} if "shared," in row.source else {},
    )
    return sandbox


def again(row: Row) -> list[str]:
    """Settings with which all processes execute again, and the same is to come out."""
    return [f"{name}.flag=1" for name in row.processes]


LIBRARY = """\
import os, sys, warnings
sys.path.append("library")
os.environ["SANDBOX_LIBRARY"] = "1"
warnings.filterwarnings("always", message="of the library")
V = 1
def warn():
    warnings.warn("of the library")
    warnings.warn("of the library")
"""


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library outside the project, also for worker processes; forgotten, with all it has set, after the test."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "odd_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("SANDBOX_LIBRARY", "")
    monkeypatch.delenv("SANDBOX_LIBRARY")
    monkeypatch.delitem(sys.modules, "odd_library", raising=False)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
@pytest.mark.filterwarnings("default")
def test_with_steps_cached_or_not(row: Row, tmp_path: Path) -> None:
    sandbox = make(tmp_path / "project", row)
    first = sandbox.run()
    expected = facts(sandbox, first)
    assert facts(sandbox, sandbox.run()) == expected
    for item in ([], ["--"]):
        second = sandbox.run(settings=[setting + "0" * len(item) for setting in again(row)])
        assert facts(sandbox, second) == expected
        steps = {path for path, outcome in outcomes(second).items() if outcome != "hit" and "/" in path}
        assert steps == set(row.executes)
    for victim in range(3):
        _forget(sandbox, victim)
        assert facts(sandbox, sandbox.run()) == expected
    assert facts(sandbox, sandbox.run(mode="off")) == expected


def _forget(sandbox: Sandbox, remainder: int) -> None:
    """Lose a third of the results, those of processes always."""
    store = SQLiteKV(str(sandbox.root / ".expops" / "cache.sqlite"))
    found = sorted(store.scan("result/"))
    store.delete([name for index, (name, raw) in enumerate(found) if index % 3 == remainder or b'"process"' in raw])
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
@pytest.mark.filterwarnings("default")
def test_with_any_number_of_workers(row: Row, tmp_path: Path) -> None:
    base = make(tmp_path / "base", row)
    expected = facts(base, base.run(jobs=1))
    for jobs in (2, 3):
        sandbox = make(tmp_path / f"project{jobs}", row)
        assert facts(sandbox, sandbox.run(jobs=jobs)) == expected
        assert facts(sandbox, sandbox.run(jobs=1, settings=again(row))) == expected
