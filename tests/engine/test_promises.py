"""The promises over random pipelines: any mix of cached and executed, any order, any worker count, gives the same."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expops.engine.run import RunResult
from expops.kv.sqlite import SQLiteKV
from sandbox import Sandbox, outputs

STEPS = """
    import random
    import numpy as np
    from expops import process, step, log_metric

    @step
    def draw(n):
        log_metric("drawn", n)
        return [random.random() for _ in range(n)] + np.random.rand(2).tolist()

    @step
    def add(items, k):
        print("adding", k)
        return [item + k for item in items]

    @step
    def write(name, items):
        with open(name, "w") as file:
            file.write(repr(items))
        return len(items)
"""

PROCESS = """
    @process()
    def p{index}({arguments}):
        items = [{inputs}]
        items = [value for item in items for value in item]
        {body}
        log_metric("size", len(items))
        return {{"out{index}": items, "tail{index}": items[-1:]}}
"""

CALLS = (
    "items = items + draw(2)",
    "items = add(items, 1)",
    "items = add(items, 2)",
    "write('note.txt', items)",
    "items = items + [random.random()]",
    "write('sub.txt', draw(1))",
)


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[str, list[str], str]:
    """Source, process names and edges of a random pipeline."""
    count = draw(st.integers(2, 5))
    source, edges = STEPS, []
    for index in range(count):
        above = draw(st.sets(st.integers(0, index - 1), max_size=2)) if index else set()
        edges += [f"p{up} p{index}" for up in sorted(above)]
        names = [f"out{up}" for up in sorted(above)]
        body = draw(st.lists(st.sampled_from(CALLS), min_size=1, max_size=4))
        source += PROCESS.format(
            index=index,
            arguments=", ".join([*names, "flag=0"]),
            inputs=", ".join([*names, "[0.0]"]),
            body="\n        ".join(body),
        )
    return source, [f"p{index}" for index in range(count)], "\n".join(edges)


def facts(sandbox: Sandbox, result: RunResult) -> dict[str, Any]:
    """Everything that must be the same: outputs, metrics, printed lines, artifacts."""
    shelf = sandbox.root / ".expops" / "artifacts"
    return {
        "outputs": outputs(result),
        "metrics": result.metrics,
        "printed": {
            action.path: sandbox.seen.text(action.path) for action in result.actions if action.kind == "process"
        },
        "files": {str(path.relative_to(shelf)): path.read_bytes() for path in shelf.rglob("*") if path.is_file()},
        "drew": {action.path: action.drew for action in result.actions if action.kind == "process"},
    }


def forget_some(sandbox: Sandbox, seed: int) -> None:
    """Lose a random half of all results, as a cache that others clean up may."""
    store = SQLiteKV(str(sandbox.root / ".expops" / "cache.sqlite"))
    names = [name for name, _ in store.scan("result/")]
    store.delete(random.Random(seed).sample(names, len(names) // 2))
    store.close()


def make(folder: Path, pipeline: tuple[str, list[str], str]) -> Sandbox:
    source, names, edges = pipeline
    sandbox = Sandbox(folder)
    sandbox.write("src/model.py", source)
    sandbox.configure(names, edges)
    return sandbox


@settings(max_examples=25)
@given(pipeline=pipelines(), seed=st.integers(0, 2**32))
def test_any_cached_subset_gives_the_same(pipeline: tuple[str, list[str], str], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sandbox = make(Path(folder) / "project", pipeline)
        first = facts(sandbox, sandbox.run())
        forget_some(sandbox, seed)
        assert facts(sandbox, sandbox.run()) == first
        again = sandbox.run()
        assert facts(sandbox, again) == first
        assert {action.outcome for action in again.actions} == {"hit"}


@pytest.mark.slow
@settings(max_examples=12)
@given(pipeline=pipelines(), seed=st.integers(0, 2**32))
def test_any_worker_count_gives_the_same(pipeline: tuple[str, list[str], str], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = make(Path(folder) / "base", pipeline)
        expected = facts(base, base.run(jobs=0))
        sandbox = make(Path(folder) / "project", pipeline)
        assert facts(sandbox, sandbox.run(jobs=3)) == expected
        forget_some(sandbox, seed)
        assert facts(sandbox, sandbox.run(jobs=2)) == expected
        for mode in ("off", "read", "write"):
            assert facts(sandbox, sandbox.run(jobs=2, mode=mode)) == expected
