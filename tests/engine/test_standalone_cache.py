"""``expops.Cache`` in a script, test or notebook, without any project."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import expops


@expops.step
def squares(n: int) -> list[int]:
    print("squaring", n)
    return [index * index for index in range(n)]


def test_outside_any_cache_a_step_simply_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert squares(3) == squares(3) == [0, 1, 4]
    assert capsys.readouterr().out == "squaring 3\n" * 2
    expops.log_metric("anything", 1.0)


def test_with_cache_serves_decorated_functions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = expops.Cache(tmp_path / "cache")
    with cache:
        assert squares(3) == [0, 1, 4]
        assert squares(n=3) == [0, 1, 4]
    assert (cache.hits, cache.executed) == (1, 1)
    assert capsys.readouterr().out == "squaring 3\n" * 2
    with expops.Cache(tmp_path / "cache") as again:
        squares(3)
    assert (again.hits, again.executed) == (1, 0)


def test_decorated_by_the_cache_itself(tmp_path: Path) -> None:
    cache = expops.Cache(tmp_path / "cache", seed=1)

    @cache.step
    def noisy(n: int) -> np.ndarray:
        return np.random.rand(n)

    first = noisy(3)
    second = noisy(3)
    # Two calls draw two results; each is found again under its own number.
    assert not np.array_equal(first, second)
    other = expops.Cache(tmp_path / "cache", seed=1)
    again = other.step(noisy.__wrapped__)
    assert np.array_equal(again(3), first)
    assert (cache.executed, other.executed, other.hits) == (2, 0, 1)


def test_results_are_private_and_writable(tmp_path: Path) -> None:
    cache = expops.Cache(tmp_path / "cache")

    @cache.step
    def ones(n: int) -> np.ndarray:
        return np.ones(n)

    ones(50_000)
    loaded = ones(50_000)
    loaded[:] = 7
    assert ones(50_000).sum() == 50_000


def test_an_argument_without_identity_runs_each_time(tmp_path: Path) -> None:
    cache = expops.Cache(tmp_path / "cache")

    @cache.step
    def first_line(file: object) -> str:
        return next(file)  # type: ignore[call-overload]

    for _ in range(2):
        with open(__file__) as file, pytest.warns(UserWarning, match="runs each time"):
            assert first_line(file).startswith('"""')
    assert (cache.hits, cache.executed) == (0, 2)


SCRIPT = """
    import expops, sys
    cache = expops.Cache({folder!r}, seed=42)
    OFFSET = {offset}

    def helper(x):
        return x + OFFSET

    @cache.step
    def work(x):
        print("working", flush=True)
        return helper(x)

    print(work(1), cache.hits)
"""


def test_a_script_sees_its_helpers_change(tmp_path: Path) -> None:
    def run(offset: int) -> str:
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(SCRIPT).format(folder=str(tmp_path / "cache"), offset=offset))
        return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout

    assert run(1) == "working\n2 0\n"
    assert run(1) == "working\n2 1\n"
    assert run(2) == "working\n3 0\n"


def test_what_a_script_calls_does_not_count_for_what_it_defines(tmp_path: Path) -> None:
    def run(last: str) -> str:
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(SCRIPT).format(folder=str(tmp_path / "cache"), offset=1) + last)
        return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout

    assert run("") == "working\n2 0\n"
    assert run("print(work(2), cache.hits)\n") == "working\n2 1\nworking\n3 1\n"
    # Of the four calls, only work(3) is new.
    assert run("for i in range(1, 4):\n    print(work(i), cache.hits)\n").endswith("working\n4 3\n")


def test_another_policy_for_libraries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose from exact, minor, ignore"):
        expops.Cache(tmp_path, libraries="loose")
    assert expops.Cache(tmp_path, libraries="minor").folder == str(tmp_path)
