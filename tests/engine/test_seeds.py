"""Seeds per action: drawing counts, skipping shifts nobody, and only what draws follows the seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import Sandbox, outcomes, outputs, reasons

MODEL = """
    import random
    import numpy as np
    from expops import process, step

    @step
    def noise(n):
        return np.random.rand(n).tolist()

    @step
    def shuffle(items):
        items = list(items)
        random.shuffle(items)
        return items

    @step
    def plain(x):
        return x + 1

    @process()
    def draw(n=4, {extra}):
        {first}
        a = noise(n)
        b = shuffle(range(10))
        c = noise(n)
        return {{"a": a, "b": b, "c": c, "own": random.random(), "numpy": float(np.random.rand())}}

    @process()
    def still():
        return {{"x": plain(1)}}
"""


def _project(folder: Path, first: str = "pass", extra: str = "flag=0", seed: int = 42) -> Sandbox:
    sandbox = Sandbox(folder)
    sandbox.configure(["draw", "still"], seed=seed)
    sandbox.write("src/model.py", MODEL.format(first=first, extra=extra))
    return sandbox


def test_a_changed_seed_reruns_what_draws(tmp_path: Path) -> None:
    sandbox = _project(tmp_path / "project")
    sandbox.run()
    second = sandbox.run(seed=7)
    assert outcomes(second) == {
        "draw/noise": "executed",
        "draw/shuffle": "executed",
        "draw/noise#2": "executed",
        "draw": "executed",
        "still": "hit",
    }
    assert reasons(second)["draw"] == "random seed 42 → 7"
    assert outcomes(sandbox.run(seed=7)) == {"draw": "hit", "still": "hit"}
    assert outcomes(sandbox.run(seed=42)) == {"draw": "hit", "still": "hit"}


def test_calls_of_one_step_draw_different_numbers(tmp_path: Path) -> None:
    result = _project(tmp_path / "project").run()
    marks = outputs(result)["draw"]
    assert marks["a"] != marks["c"]


@pytest.mark.parametrize("first", ["plain(5)", "random.random(); np.random.rand(3)", "plain(1); plain(2)"])
def test_other_steps_and_draws_shift_no_step(tmp_path: Path, first: str) -> None:
    base = outputs(_project(tmp_path / "base").run())["draw"]
    other = outputs(_project(tmp_path / "other", first=first).run())["draw"]
    assert {name: other[name] for name in "abc"} == {name: base[name] for name in "abc"}


def test_skipped_steps_leave_the_streams_as_executed_ones(tmp_path: Path) -> None:
    sandbox = _project(tmp_path / "project")
    first = sandbox.run()
    second = sandbox.run(settings=["draw.flag=1"])
    assert outcomes(second) == {
        "draw/noise": "hit",
        "draw/shuffle": "hit",
        "draw/noise#2": "hit",
        "draw": "executed",
        "still": "hit",
    }
    assert outputs(second)["draw"] == outputs(first)["draw"]


def test_a_nested_step_is_numbered_under_its_caller(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure([{"name": "p", "parameters": {"flag": 0}}])
    sandbox.write(
        "src/model.py",
        """
        import random
        from expops import process, step

        @step
        def inner():
            return random.random()

        @step
        def outer():
            return inner() + 1

        @process()
        def p(flag):
            first = outer()
            return {"first": first, "second": inner()}
        """,
    )
    first = sandbox.run()
    assert outcomes(first) == {
        "p/outer/inner": "executed",
        "p/outer": "executed",
        "p/inner": "executed",
        "p": "executed",
    }
    second = sandbox.run(settings=["p.flag=1"])
    assert outcomes(second) == {"p/outer": "hit", "p/inner": "hit", "p": "executed"}
    assert outputs(second) == outputs(first)
    third = sandbox.run(settings=["p.flag=1"], seed=1)
    assert {name for name, outcome in outcomes(third).items() if outcome == "executed"} == set(outcomes(first))


def test_importing_a_library_draws_for_nobody(tmp_path: Path) -> None:
    """sklearn.linear_model draws from `random` as it is imported: neither the first importer nor any key may notice."""
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["late", "plain"])
    sandbox.write(
        "src/model.py",
        """
        import random
        from expops import process

        @process()
        def late():
            import sklearn.linear_model
            return {"x": random.random()}

        @process()
        def plain():
            import sklearn.linear_model
            return {"y": 1}
        """,
    )
    first = sandbox.run(jobs=1)
    drew = {action.path: action.drew for action in first.actions}
    assert drew == {"late": True, "plain": False}
    # In a worker that has the library already, and in one that has not.
    again = sandbox.run(jobs=1, forced=["late"])
    assert outputs(again)["late"] == outputs(first)["late"]
    sandbox.write("src/extra.py", "")
    assert outcomes(sandbox.run()) == {"late": "hit", "plain": "hit"}


def test_a_project_module_that_draws_at_import(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["one", "two", "other"])
    sandbox.write("src/noise.py", "import random\nNOISE = random.random()\n")
    sandbox.write(
        "src/model.py",
        """
        import random
        from expops import process

        @process()
        def one():
            import noise
            return {"x": noise.NOISE, "own": random.random()}

        @process()
        def two():
            import noise
            return {"y": noise.NOISE}

        @process()
        def other():
            return {"z": 1}
        """,
    )
    first = sandbox.run(jobs=1)
    assert outputs(first)["one"]["x"] == outputs(first)["two"]["y"]
    forced = sandbox.run(jobs=1, forced=["two"])
    assert outputs(forced) == outputs(first)
    assert outcomes(sandbox.run(jobs=1, seed=3)) == {"one": "executed", "two": "executed", "other": "hit"}


def test_what_draws_becomes_a_step_or_is_none_any_more(tmp_path: Path) -> None:
    """A step draws from a seed of its own, so its process executes anew; what doesn't draw stays cached."""
    sandbox = Sandbox(tmp_path)
    sandbox.configure(["p", "q"])
    source = """
        import random
        from expops import process, step

        STEP
        def draw(x):
            return random.random()

        STEP
        def double(x):
            return x * 2

        @process()
        def p():
            return {"x": draw(1)}

        @process()
        def q():
            return {"x": double(1)}
    """
    found = []
    for decorator in ("", "@step", "", "@step()"):
        sandbox.write("src/model.py", source.replace("STEP", decorator))
        found.append(sandbox.run())
        assert outputs(found[-1]) == outputs(sandbox.run(mode="off"))
    assert outputs(found[0])["p"] != outputs(found[1])["p"]
    assert outcomes(found[1]) == {"p/draw": "executed", "p": "executed", "q": "hit"}
    assert outcomes(found[2]) == outcomes(found[3]) == {"p": "hit", "q": "hit"}
