"""``expops.rng`` and ``expops.seed`` in runs, and what must hold of random numbers in any pipeline."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expops.hashing.values import fingerprint
from expops.seeding.derive import derive_seed
from sandbox import Sandbox, outcomes, outputs, reasons

MODEL = """
    import expops
    from expops import process, step

    @step
    def split(n):
        return expops.rng("split").permutation(n).tolist()

    @step
    def number():
        return expops.seed("model")

    @step
    def plain(x):
        return x + 1

    @process()
    def work(flag):
        return {"split": split(5), "again": split(5), "number": number(), "plain": plain(1), "own": expops.seed()}

    @process()
    def still():
        return {"x": plain(1)}
"""


def _project(folder: Path, seed: int | None = 42) -> Sandbox:
    sandbox = Sandbox(folder)
    sandbox.configure([{"name": "work", "parameters": {"flag": 0}}, "still"], seed=seed)
    sandbox.write("src/model.py", MODEL)
    return sandbox


def test_who_asks_depends_on_the_seed(tmp_path: Path) -> None:
    sandbox = _project(tmp_path / "project")
    first = sandbox.run()
    assert {action.path for action in first.actions if action.drew} == {
        *("work", "work/split", "work/split#2", "work/number"),
    }
    second = sandbox.run(seed=7)
    assert outcomes(second) == {
        "work/split": "executed",
        "work/split#2": "executed",
        "work/number": "executed",
        "work/plain": "hit",
        "work": "executed",
        "still": "hit",
    }
    assert reasons(second)["work/split"] == "random seed 42 → 7"
    assert outputs(first)["work"] != outputs(second)["work"]
    assert outputs(sandbox.run(settings=["work.flag=1"])) == outputs(first)


def test_the_numbers_are_those_of_the_documented_formula(tmp_path: Path) -> None:
    sandbox = _project(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        """
        import expops
        from expops import process, step

        @step
        def number():
            return expops.seed("model")

        @process()
        def work(flag):
            number()
            print(expops.seed("model"), expops.seed("model", 128), number())
            return {}

        @process()
        def still():
            return {}
        """,
    )
    sandbox.run(targets=["work"])
    expected = [
        derive_seed(42, "work", purpose="seed:model"),
        derive_seed(42, "work", purpose="seed:model", bits=128),
        derive_seed(42, "work", "number", 2, purpose="seed:model"),
    ]
    assert sandbox.seen.text("work").split() == [str(number) for number in expected]


@pytest.mark.parametrize("jobs", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_generator_of_the_project_at_import_is_told_as_any_other(tmp_path: Path, jobs: int) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["work"])
    sandbox.write(
        "src/model.py",
        """
        import expops
        from expops import process, step

        RNG = expops.rng("module")
        SEED = expops.seed("module")

        @step
        def draw():
            return RNG.random() + SEED

        @process()
        def work():
            return {"x": draw()}
        """,
    )
    first = sandbox.run(jobs=jobs)
    assert any("drew from the generator 'RNG'" in warning for warning in sandbox.seen.warnings)
    assert outputs(sandbox.run(jobs=jobs, mode="off")) == outputs(first)
    assert outputs(sandbox.run(jobs=jobs, seed=7)) != outputs(first)


@pytest.mark.parametrize("seed", [2**128 - 1, 2**64, 0])
def test_large_seeds_are_recorded_as_text(tmp_path: Path, seed: int) -> None:
    sandbox = _project(tmp_path / "project", seed=seed)
    first = sandbox.run()
    assert first.run.seed == str(seed)
    assert outcomes(sandbox.run(seed=seed)) == {"work": "hit", "still": "hit"}


def test_a_seed_that_is_drawn_is_recorded_and_can_be_given_again(tmp_path: Path) -> None:
    sandbox = _project(tmp_path / "project", seed=None)
    first, second = sandbox.run(), sandbox.run()
    assert first.run.seed != second.run.seed
    assert max(int(first.run.seed), int(second.run.seed)) > 2**64
    assert outcomes(second)["work/split"] == "executed"
    again = sandbox.run(seed=int(first.run.seed))
    assert outcomes(again) == {"work": "hit", "still": "hit"}
    assert outputs(again) == outputs(first)


def test_children_that_ask_are_told(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["work"])
    sandbox.write(
        "src/model.py",
        """
        import expops
        from expops import process
        from joblib import Parallel, delayed

        def ask(_):
            return expops.seed()

        @process()
        def work():
            return {"x": Parallel(n_jobs=2)(delayed(ask)(item) for item in range(2))}
        """,
    )
    (action,) = sandbox.run(jobs=1).actions
    assert action.outcome == "failed"
    assert "call expops.seed() in the step and hand the number over" in action.error


# Names of steps, and what each draws from.
KINDS = {
    "python": "random.random()",
    "numpy": "float(np.random.rand())",
    "pairs": "(random.gauss(0, 1), float(np.random.randn()))",
    "own": 'float(expops.rng("a").random())',
    "asked": "expops.seed()",
    "reseeds": "(random.seed(1), np.random.seed(2), random.random())",
    "still": "1",
    "raises": "1 / 0",
}
STEPS = "\n".join(f"@step\ndef {name}():\n    return {code}\n" for name, code in KINDS.items())
FOREIGN = ["random.random()", "np.random.rand(3)", 'expops.rng("b").random(2)', "expops.seed('c')", "random.seed(5)"]
HEAD = "import random\nimport numpy as np\nimport expops\nfrom expops import process, step\n\n"
CALLS = st.lists(st.sampled_from([*KINDS, *FOREIGN]), max_size=8)


def _source(calls: list[str], wrapped: str) -> str:
    body = ["found = {}"]
    for call in calls:
        if call in KINDS:
            body += [f"try: found.setdefault('{call}', []).append({call}())", "except ZeroDivisionError: pass"]
        else:
            body.append(call)
    return f"{HEAD}{STEPS}\n@process()\ndef work():\n" + "".join(f"    {line}\n" for line in body) + wrapped


def _run(folder: Path, calls: list[str]) -> dict[str, Any]:
    sandbox = Sandbox(folder)
    sandbox.configure(["work"])
    sandbox.write("src/model.py", _source(calls, "    print(found)\n    return {'found': found}\n"))
    sandbox.run()
    found: dict[str, Any] = eval(sandbox.seen.text("work"))
    return found


@given(CALLS, CALLS)
@settings(max_examples=15, deadline=None)
def test_other_steps_and_foreign_draws_shift_no_step(calls: list[str], others: list[str]) -> None:
    """The first calls of a step give the same, whatever is called and drawn before, between and after them."""
    with tempfile.TemporaryDirectory() as folder:
        one = _run(Path(folder) / "one", calls)
        two = _run(Path(folder) / "two", [item for pair in zip(others, calls, strict=False) for item in pair])
    for name in one.keys() & two.keys():
        shared = min(len(one[name]), len(two[name]))
        assert one[name][:shared] == two[name][:shared]


WATCHED = """
def state():
    kind, words, *rest = np.random.get_state()
    return random.getstate(), kind, words.tolist(), rest

@process()
def work(flag):
    changed = []
    for call in ({calls}):
        before = state()
        try:
            call()
        except ZeroDivisionError:
            pass
        if state() != before:
            changed.append(call.__name__)
        random.random(), np.random.randn()
    return {{"changed": changed}}
"""


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_global_state_is_the_same_before_and_after_any_step(names: list[str]) -> None:
    """Executed, taken from the cache, or ended by an exception."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder) / "project")
        sandbox.configure([{"name": "work", "parameters": {"flag": 0}}])
        sandbox.write("src/model.py", HEAD + STEPS + WATCHED.format(calls=", ".join(names) + ","))
        none = fingerprint([])
        assert outputs(sandbox.run())["work"] == {"changed": none}
        again = sandbox.run(settings=["work.flag=1"])
        assert outputs(again)["work"] == {"changed": none}
        assert {action.outcome for action in again.actions if action.kind == "step"} <= {"hit", "failed"}
