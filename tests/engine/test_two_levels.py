"""Both levels of the cache: a process hit skips its steps, a miss executes only the missing steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import Sandbox, outcomes, reasons

MODEL = """
    import random
    from expops import process, step, log_metric

    FACTOR = {factor}

    def helper(x):
        return x * FACTOR

    @step
    def double(x):
        print("doubling", x)
        return x * 2

    @process()
    def load(size):
        @step()
        def draw(n):
            log_metric("n", n)
            return [random.random() for _ in range(n)]

        values = draw(size)
        with open("note.txt", "w") as file:
            file.write(f"{{size}} values")
        return {{"values": values, "size": double(size)}}

    @process
    def use(values, rate=0.5):
        total = double(helper(sum(values)))
        log_metric("total", total, step=3)
        return {{"total": total * rate}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Sandbox:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write("src/model.py", MODEL.format(factor=1))
    sandbox.configure([{"name": "load", "parameters": {"size": 3}}, "use"], "load use")
    return sandbox


def test_first_run_executes_all_and_second_nothing(project: Sandbox) -> None:
    first = project.run()
    assert first.run.status == "done"
    assert outcomes(first) == {
        "load/draw": "executed",
        "load/double": "executed",
        "load": "executed",
        "use/double": "executed",
        "use": "executed",
    }
    assert set(reasons(first).values()) == {"never ran before"}
    second = project.run()
    assert outcomes(second) == {"load": "hit", "use": "hit"}
    assert second.metrics == first.metrics == {"load": {"n": {1: 3}}, "use": {"total": {3: first.metrics["use"]["total"][3]}}}
    assert project.seen.text("load") == "doubling 3\n"


def test_only_missing_steps_execute(project: Sandbox) -> None:
    project.run()
    project.write("src/model.py", MODEL.format(factor=2))
    second = project.run()
    assert outcomes(second) == {"load": "hit", "use/double": "executed", "use": "executed"}
    assert "FACTOR" in reasons(second)["use"]
    project.configure([{"name": "load", "parameters": {"size": 3}}, {"name": "use", "parameters": {"rate": 0.1}}], "load use")
    third = project.run()
    assert outcomes(third) == {"load": "hit", "use/double": "hit", "use": "executed"}
    assert reasons(third)["use"] == "parameter rate is new: 0.1"


def test_worker_processes_give_the_same_as_this_process(project: Sandbox, tmp_path: Path) -> None:
    other = Sandbox(tmp_path / "other")
    other.write("src/model.py", MODEL.format(factor=1))
    other.configure([{"name": "load", "parameters": {"size": 3}}, "use"], "load use")
    here, there = project.run(jobs=0), other.run(jobs=2)
    assert [a.outputs for a in here.actions] == [a.outputs for a in there.actions]
    assert here.metrics == there.metrics
    assert outcomes(other.run(jobs=1)) == {"load": "hit", "use": "hit"}
