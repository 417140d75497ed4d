"""Control over caching: what each option of ``@step``, ``@process`` and the configuration does to the next run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import expops
from sandbox import Sandbox, outcomes, outputs, reasons

SOURCE = """\
    import random
    from expops import process, step

    DECORATED_STEP
    def s(x, verbose):
        return x + random.random()

    DECORATED_PROCESS
    def p(lr, verbose):
        return {"y": s(lr, verbose), "own": random.random()}

    @process
    def q(y):
        return {"z": y}
"""
HIT = {"p": "hit", "q": "hit"}
ALL = {"p/s": "executed", "p": "executed"}


class Look(NamedTuple):
    """A project's options, and what a run with them must do: outcomes of ``p`` and its step, and their reasons."""

    outcomes: dict[str, str]
    reasons: Mapping[str, str] = MappingProxyType({})
    step: str = "@step"
    process: str = "@process"
    config: Mapping[str, Any] = MappingProxyType({})
    lr: int = 1
    verbose: int = 0


CASES = {
    "spellings of no options": [
        Look(ALL),
        Look(HIT, step="@step()"),
        Look(HIT, step="@step(cache=True, version=None)"),
        Look(HIT, process="@process()"),
        Look(HIT, process="@process(cache=True, ignore=[])"),
        Look(HIT, config={"cache": True, "ignore": []}),
    ],
    "a step that is not cached": [
        Look(ALL, step="@step(cache=False)"),
        # What encloses it is cached all the same.
        Look(HIT, step="@step(cache=False)"),
        Look(
            {"p/s": "executed", "p": "executed"},
            {"p/s": "caching is off for it", "p": "parameter lr 1 → 2"},
            step="@step(cache=False)",
            lr=2,
        ),
    ],
    "a step that is not cached for a while": [
        Look(ALL),
        Look(HIT, step="@step(cache=False)"),
        Look({"p/s": "hit", "p": "executed"}, process="@process(version=1)"),
    ],
    "a process that is not cached, in code": [
        Look(ALL),
        Look(
            {"p/s": "hit", "p": "executed", "q": "hit"}, {"p": "caching is off for it"}, process="@process(cache=False)"
        ),
        Look(HIT),
    ],
    "a process that is not cached, in either place": [
        Look(ALL),
        Look({"p": "executed"}, {"p": "caching is off for it"}, config={"cache": False}),
        Look({"p": "executed"}, process="@process(cache=False)", config={"cache": True}),
        Look({"p": "executed"}, process="@process(cache=True)", config={"cache": False}),
    ],
    "version of a step": [
        Look(ALL, step="@step(version='1')"),
        Look(HIT, step="@step(version=1)"),
        Look(ALL, {"p/s": "version 1 → 2", "p": "version of 's' in src/model.py 1 → 2"}, step="@step(version=2)"),
        Look(ALL, {"p/s": "version 2 → none"}),
        Look(HIT, step="@step(version='1')"),
    ],
    "version of a process": [
        Look(ALL),
        Look({"p/s": "hit", "p": "executed", "q": "hit"}, {"p": "version none → 1"}, process="@process(version='1')"),
        Look({"p/s": "hit", "p": "executed"}, {"p": "version 1 → 2"}, process="@process(version='2')"),
        Look({"p": "executed"}, {"p": "version none → 3"}, process="@process(version='2')", config={"version": "3"}),
        Look({"p": "executed"}, {"p": "version 3 → 4"}, process="@process(version='2')", config={"version": 4}),
        Look(HIT, process="@process(version='2')"),
    ],
    "ignored argument of a process": [
        Look(ALL, process="@process(ignore=['verbose'])"),
        Look(HIT, process="@process(ignore=('verbose',))", verbose=1),
        Look(HIT, config={"ignore": ["verbose"]}, verbose=2),
        Look(ALL, {"p": "parameter lr 1 → 2"}, config={"ignore": ["verbose"]}, lr=2),
        Look({"p": "executed"}, {"p": "parameter lr 2 → 1; parameter verbose is new: 0"}),
        Look({"p": "executed"}, {"p": "parameter verbose 0 → 1"}, verbose=1),
    ],
    "ignored names are united": [
        Look(ALL, process="@process(ignore=['verbose'])", config={"ignore": ["lr"]}),
        Look(HIT, process="@process(ignore=['verbose'])", config={"ignore": ["lr"]}, lr=5, verbose=5),
    ],
    "ignored argument of a step": [
        Look(ALL, step="@step(ignore=['verbose'])"),
        Look(
            {"p/s": "hit", "p": "executed"},
            {"p": "parameter verbose 0 → 1"},
            step="@step(ignore=['verbose'])",
            verbose=1,
        ),
        # The result of p for verbose=1 was made from the step's for 0: without the option, that is no longer right.
        Look(
            ALL,
            {"p": "ignored arguments of 's' in src/model.py verbose → none"},
            verbose=1,
        ),
    ],
    "seed_by re-runs what draws": [
        Look(ALL),
        Look(ALL, {"p/s": "the random seed changed", "p": "the random seed changed"}, step="@step(seed_by='x')"),
        Look(HIT, step="@step(seed_by='x')"),
        Look(HIT),
    ],
}


@pytest.mark.parametrize("looks", CASES.values(), ids=CASES)
def test_what_an_option_does(tmp_path: Path, looks: list[Look]) -> None:
    project = Sandbox(tmp_path)
    for look in looks:
        project.write(
            "src/model.py", SOURCE.replace("DECORATED_STEP", look.step).replace("DECORATED_PROCESS", look.process)
        )
        p = {"name": "p", "parameters": {"lr": look.lr, "verbose": look.verbose}, **look.config}
        project.configure([p, "q"], edges="p q")
        result = project.run()
        found = outcomes(result)
        assert {path: found.get(path) for path in look.outcomes} == look.outcomes, look
        assert {path: reasons(result)[path] for path in look.reasons} == look.reasons


def test_seed_by_leaves_alone_what_draws_nothing(tmp_path: Path) -> None:
    project = Sandbox(tmp_path)
    source = """\
        from expops import process, step

        @step
        def s(x):
            return x

        @process
        def p():
            return {"y": s(1)}
    """
    project.write("src/model.py", source)
    project.configure(["p"])
    project.run()
    project.write("src/model.py", source.replace("@step", "@step(seed_by='x')"))
    assert outcomes(project.run()) == {"p": "hit"}


def test_what_is_ignored_needs_no_identity_and_may_be_altered(tmp_path: Path) -> None:
    project = Sandbox(tmp_path)
    project.write(
        "src/model.py",
        """\
        import logging
        from expops import process, step

        @step(ignore=["log", "file", "seen", "more"])
        def s(x, log, *, file, seen, **more):
            log.info("x is %s", x)
            file.write("x")
            seen.append(x)
            return x

        @process
        def p(n):
            seen = []
            with open("out.txt", "w") as file:
                y = s(1, logging.getLogger(), file=file, seen=seen, late=iter(()))
            return {"y": y, "seen": seen, "n": n}
        """,
    )
    project.configure([{"name": "p", "parameters": {"n": 1}}])
    project.run()
    assert project.seen.warnings == []
    result = project.run(settings=["p.n=2"])
    assert outcomes(result) == {"p/s": "hit", "p": "executed"}


def test_a_step_that_is_not_cached_takes_anything_and_is_on_record(tmp_path: Path) -> None:
    project = Sandbox(tmp_path)
    project.write(
        "src/model.py",
        """\
        import random
        from expops import log_metric, process, step

        @step(cache=False)
        def s(stream):
            log_metric("drawn", random.random())
            print("made")
            return next(stream)

        @process
        def p():
            return {"y": s(iter([3]))}
        """,
    )
    project.configure(["p"])
    result = project.run()
    assert project.seen.warnings == []
    step = next(action for action in result.actions if action.path == "p/s")
    assert (step.outcome, step.reason, step.stored, step.result, step.drew) == (
        *("executed", "caching is off for it", False, ""),
        True,
    )
    again = project.run()
    assert (outcomes(again), again.metrics) == ({"p": "hit"}, result.metrics)
    assert project.seen.text("p") == "made\n"
    assert outcomes(project.run(seed=7)) == {"p/s": "executed", "p": "executed"}


def test_the_options_of_a_process_with_two_dicts(tmp_path: Path) -> None:
    project = Sandbox(tmp_path)
    project.write(
        "src/model.py",
        """\
        from expops import process

        @process
        def a(v):
            return {"x": v, "w": v}

        @process(ignore=["w"])
        def p(data, hyperparameters):
            return {"y": data["a"]["x"]}

        @process
        def k(w, **rest):
            return {"z": 1}
        """,
    )

    def configure(v: int, verbose: int, ignore: list[str]) -> None:
        p = {"name": "p", "parameters": {"verbose": verbose}, "ignore": ignore}
        k = {"name": "k", "parameters": {"w": 1, "loud": verbose}, "ignore": ["rest"]}
        project.configure([{"name": "a", "parameters": {"v": v}}, p, k], edges="a p")

    configure(1, 0, ["verbose"])
    project.run()
    configure(1, 1, ["verbose"])
    assert set(outcomes(project.run()).values()) == {"hit"}
    configure(2, 1, ["verbose"])
    assert outcomes(project.run()) == {"a": "executed", "p": "executed", "k": "hit"}
    configure(3, 1, ["verbose", "data"])
    project.run()
    configure(4, 2, ["data", "hyperparameters"])
    project.run()
    configure(5, 3, ["data", "hyperparameters"])
    assert outcomes(project.run()) == {"a": "executed", "p": "hit", "k": "hit"}


FOLDS = """\
    import random
    from expops import process, step

    @step(seed_by="fold")
    def fit(fold, scale):
        return inner() * scale

    @step
    def inner():
        return random.random()

    @process
    def p(folds, scale):
        return {"scores": {str(fold): fit(fold, scale) for fold in folds}}
"""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(st.tuples(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.booleans()), min_size=2, max_size=4)
)
def test_any_order_of_calls_draws_the_same_numbers(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[list[int], bool]]
) -> None:
    project = Sandbox(tmp_path_factory.mktemp("folds"))
    project.write("src/model.py", FOLDS)
    known: dict[int, str] = {}
    for folds, cached in runs:
        project.configure([{"name": "p", "parameters": {"folds": folds, "scale": 1}}])
        result = project.run(mode="readwrite" if cached else "off")
        calls = [action for action in result.actions if action.path.startswith("p/fit") and action.path.count("/") == 1]
        for fold, call in zip(folds, calls, strict=False):
            mark, _ = call.outputs["return"]
            assert known.setdefault(fold, mark) == mark
    assert len(set(known.values())) == len(known)


def test_results_of_reordered_calls_are_found_again(tmp_path: Path) -> None:
    project = Sandbox(tmp_path)
    project.write("src/model.py", FOLDS)
    project.configure([{"name": "p", "parameters": {"folds": [0, 1, 2], "scale": 1}}])
    first = project.run()
    project.configure([{"name": "p", "parameters": {"folds": [2, 0], "scale": 1}}])
    found = outcomes(project.run())
    assert (found["p/fit"], found["p/fit#2"], found["p"]) == ("hit", "hit", "executed")
    project.configure([{"name": "p", "parameters": {"folds": [0, 1, 2], "scale": 1}}])
    assert outputs(project.run()) == outputs(first)


def test_with_a_cache_of_its_own(tmp_path: Path) -> None:
    cache = expops.Cache(tmp_path / "cache")
    made: list[object] = []

    @cache.step(ignore=["log"], version="1", seed_by="x")
    def s(x: int, log: list[object]) -> int:
        log.append(x)
        return x

    @cache.step(cache=False)
    def t(x: int) -> int:
        return x

    assert [s(1, made), s(1, made), s(2, made), t(1), t(1)] == [1, 1, 2, 1, 1]
    assert (made, cache.hits, cache.executed) == ([1, 2], 1, 4)


def test_a_version_that_is_computed_counts(tmp_path: Path) -> None:
    cache = expops.Cache(tmp_path / "cache")

    def made(version: str) -> object:
        return cache.step(version=version)(_plain)

    for version in ("1", "2", "1"):
        made(version)(3)  # type: ignore[operator]
    assert (cache.hits, cache.executed) == (1, 2)


def _plain(x: int) -> int:
    return x


class Opaque:
    def __reduce__(self) -> str:
        raise TypeError("no identity")


def test_a_seed_that_depends_on_what_has_no_identity(tmp_path: Path) -> None:
    cache = expops.Cache(tmp_path / "cache")

    @cache.step(seed_by="x")
    def s(x: object) -> int:
        return 1

    with pytest.raises(TypeError, match=r"seed_by='x'.*the seed can't depend on it"):
        s(iter(()))
