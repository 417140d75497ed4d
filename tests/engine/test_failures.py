"""What goes wrong in user code or in the store costs only what depends on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import Sandbox, outcomes, outputs


@pytest.fixture
def project(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "project")


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_failure_stops_only_what_depends_on_it(project: Sandbox, jobs: int) -> None:
    project.configure(["good", "bad", "below", "apart"], "bad below\ngood apart")
    project.write(
        "src/model.py",
        """
        from expops import process, step

        @step
        def fine():
            return 1

        @step
        def check(x):
            raise ValueError(f"x is {x}")

        @process()
        def good():
            return {"a": 1}

        @process()
        def bad():
            fine()
            return {"b": check(3)}

        @process()
        def below(b):
            return {"c": b}

        @process()
        def apart(a):
            return {"d": a}
        """,
    )
    result = project.run(jobs=jobs)
    assert result.run.status == "failed"
    assert outcomes(result) == {
        "bad/fine": "executed",
        "bad/check": "failed",
        "bad": "failed",
        "below": "skipped",
        "good": "executed",
        "apart": "executed",
    }
    error = next(action.error for action in result.actions if action.path == "bad")
    assert "ValueError: x is 3" in error
    assert 'raise ValueError(f"x is {x}")' in error
    assert "expops/engine" not in error
    again = project.run(jobs=jobs)
    assert outcomes(again) == {
        "good": "hit",
        "apart": "hit",
        "bad/fine": "hit",
        "bad/check": "failed",
        "bad": "failed",
        "below": "skipped",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("value = [1]", "returned list, not a dict"),
        ("value = {1: 2}", "output names are strings"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
    ],
)
def test_a_broken_contract_is_a_failure_with_a_message(project: Sandbox, body: str, message: str) -> None:
    project.configure(["p"])
    project.write(
        "src/model.py",
        f"""
        from expops import process

        @process()
        def p(flag=1):
            value = {{}}
            {body}
            return value
        """,
    )
    result = project.run()
    assert outcomes(result) == {"p": "failed"}
    assert message in result.actions[0].error


def test_a_dying_worker_fails_its_process_only(project: Sandbox) -> None:
    project.configure(["dies", "lives"])
    project.write(
        "src/model.py",
        """
        import os, signal
        from expops import process

        @process()
        def dies():
            os.kill(os.getpid(), signal.SIGKILL)
            return {}

        @process()
        def lives():
            return {"x": 1}
        """,
    )
    result = project.run(jobs=2)
    assert outcomes(result) == {"dies": "failed", "lives": "executed"}
    assert "SIGKILL" in next(action.error for action in result.actions if action.path == "dies")


def test_an_output_that_cannot_be_stored_runs_each_time(project: Sandbox) -> None:
    project.configure(["p", "q"], "p q")
    project.write(
        "src/model.py",
        """
        from expops import process, step

        @step
        def make():
            return lambda: 3

        @process()
        def p():
            f = make()
            return {"value": f(), "function": f}

        @process()
        def q(value):
            return {"x": value}
        """,
    )
    first = project.run()
    assert outcomes(first) == {"p/make": "executed", "p": "executed", "q": "executed"}
    assert any("'function'" in message for message in project.seen.warnings)
    assert any("step 'p/make'" in message for message in project.seen.warnings)
    second = project.run()
    assert outcomes(second) == {"p/make": "executed", "p": "executed", "q": "hit"}


def test_a_step_that_alters_its_argument_is_not_cached(project: Sandbox) -> None:
    project.configure([{"name": "p", "parameters": {"flag": 0}}])
    project.write(
        "src/model.py",
        """
        from expops import process, step

        @step
        def grow(items):
            items.append(1)
            return len(items)

        @process()
        def p(flag):
            items = [flag - flag]
            grow(items)
            return {"items": items}
        """,
    )
    first = project.run()
    assert any("altered its argument 'items'" in message for message in project.seen.warnings)
    second = project.run(settings=["p.flag=1"])
    assert outcomes(second)["p/grow"] == "executed"
    assert outputs(first) == outputs(second)


def _damage(project: Sandbox, how: str) -> None:
    for blob in (project.root / ".expops" / "blobs").glob("??/*"):
        if how == "remove":
            blob.unlink()
        else:
            data = bytearray(blob.read_bytes())
            data[len(data) // 2] ^= 1
            blob.chmod(0o644)
            blob.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["remove", "flip"])
def test_a_lost_output_is_made_again_when_it_is_needed(project: Sandbox, how: str) -> None:
    project.configure(["make", {"name": "use", "parameters": {"k": 0}}], "make use")
    project.write(
        "src/model.py",
        """
        from expops import process, step

        @step
        def big():
            return bytes(100_000)

        @process()
        def make():
            return {"data": big() + b"1"}

        @process()
        def use(data, k):
            return {"n": len(data) + k}
        """,
    )
    project.run()
    _damage(project, how)
    assert outcomes(project.run()) == {"make": "hit", "use": "hit"}
    result = project.run(settings=["use.k=1"])
    assert result.run.status == "done"
    last = outcomes(result)
    assert last["make"] == last["make/big"] == last["use"] == "executed"
    assert any("runs again" in message for message in project.seen.warnings)
    assert outcomes(project.run(settings=["use.k=2"])) == {"make": "hit", "use": "executed"}
