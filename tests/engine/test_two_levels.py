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
    # The second call of a step is no news of the step, only of its inputs.
    known = {"use/double": "never ran before with these inputs"}
    assert reasons(first) == {**dict.fromkeys(outcomes(first), "never ran before"), **known}
    second = project.run()
    assert outcomes(second) == {"load": "hit", "use": "hit"}
    assert (
        second.metrics
        == first.metrics
        == {"load": {"n": {1: 3}}, "use": {"total": {3: first.metrics["use"]["total"][3]}}}
    )
    assert project.seen.text("load") == "doubling 3\n"


def test_only_missing_steps_execute(project: Sandbox) -> None:
    project.run()
    project.write("src/model.py", MODEL.format(factor=2))
    second = project.run()
    assert outcomes(second) == {"load": "hit", "use/double": "executed", "use": "executed"}
    assert "FACTOR" in reasons(second)["use"]
    project.configure(
        [{"name": "load", "parameters": {"size": 3}}, {"name": "use", "parameters": {"rate": 0.1}}], "load use"
    )
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


def test_an_equal_output_stops_the_rerun(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    source = """
        from expops import process

        @process()
        def first(noise=0):
            return {"a": 5 + noise * 0, "b": noise}

        @process()
        def takes_a(a):
            return {"c": a}

        @process()
        def takes_b(b):
            return {"d": b}
    """
    sandbox.write("src/model.py", source)
    sandbox.configure(["first", "takes_a", "takes_b"], "first takes_a takes_b")
    sandbox.run()
    second = sandbox.run(settings=["first.noise=1"])
    # `a` came out equal, so who takes only `a` stays cached; `b` did not.
    assert outcomes(second) == {"first": "executed", "takes_a": "hit", "takes_b": "executed"}
    assert reasons(second)["takes_b"] == "input 'b' from process 'first' changed"


def test_a_function_of_data_and_hyperparameters_gets_two_dicts(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        """
        from expops.core import process

        @process()
        def one():
            return {"x": 1, "same": 10}

        @process()
        def two():
            return {"y": 2, "same": 20}

        @process()
        def both(data, hyperparameters):
            inputs = data["one"]["x"] + data["two"]["y"] + data["two"]["same"]
            return {"sum": inputs + hyperparameters["k"] + hyperparameters["g"]}
        """,
    )
    sandbox.configure(
        ["one", "two", {"name": "both", "hyperparameters": {"k": 100}}], "one both\ntwo both", parameters={"g": 1000}
    )
    first = sandbox.run()
    assert first.run.status == "done"
    again = sandbox.run(settings=["both.k=101"])
    assert outcomes(again) == {"one": "hit", "two": "hit", "both": "executed"}
    assert reasons(again)["both"] == "parameter k 100 → 101"


def test_metrics_count_on_through_cached_steps(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        """
        from expops import log_metric, process, step

        @step
        def epoch(i):
            log_metric("loss", 1 / i)
            log_metric("fixed", i, step=10 * i)

        @process()
        def train(n=3, flag=0):
            log_metric("loss", 9.0)
            for i in range(1, n + 1):
                epoch(i)
            log_metric("loss", 0.0)
            return {}
        """,
    )
    sandbox.configure(["train"])
    expected = {"train": {"loss": {1: 9.0, 2: 1.0, 3: 0.5, 4: 1 / 3, 5: 0.0}, "fixed": {10: 1, 20: 2, 30: 3}}}
    assert sandbox.run().metrics == expected
    partly = sandbox.run(settings=["train.flag=1"])
    assert outcomes(partly)["train/epoch#2"] == "hit"
    assert partly.metrics == expected
    assert sandbox.run(settings=["train.flag=1"]).metrics == expected
