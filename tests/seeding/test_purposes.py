"""``expops.rng``, ``expops.seed`` and their like: one stream for each step and purpose."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import expops
from expops.errors import UsageError
from expops.seeding.derive import derive_seed
from expops.seeding.session import GIVEN, SeededAction

PURPOSES = st.none() | st.text(min_size=1, max_size=5)


def seeds(step: str = "fit", root: int = 42) -> Callable[..., int]:
    return lambda purpose, bits=32: derive_seed(root, "train", step, purpose=purpose, bits=bits)


@pytest.mark.parametrize(
    ("purpose", "bits", "number"),
    [
        (None, 32, 1999886924),
        ("model", 32, 888591468),
        ("model", 64, 15710317706130529720),
        ("model", 128, 287025754711262415076641209747115339928),
    ],
)
def test_golden_numbers(purpose: str | None, bits: int, number: int) -> None:
    with SeededAction(seeds()):
        assert expops.seed(purpose, bits) == number


@pytest.mark.parametrize(
    ("purpose", "draws"), [(None, [750335163, 1892263359, 1429398463]), ("split", [1039506980, 133708547, 1840761348])]
)
def test_golden_generators(purpose: str | None, draws: list[int]) -> None:
    with SeededAction(seeds()):
        assert expops.rng(purpose).integers(0, 2**32, 3).tolist() == draws


@pytest.mark.parametrize(
    ("purpose", "bits", "number"),
    [
        ("random", 32, 1656057547),
        ("numpy.random", 32, 2705212957),
        ("torch", 32, 2711063353),
        ("tensorflow", 32, 1856231599),
        ("keras", 32, 4104635561),
        ("jax:", 32, 2727694663),
        ("jax:init", 32, 4154723422),
        ("torch:cpu:", 64, 973074845544239713),
        ("torch:cpu:init", 64, 1028728781294858559),
        ("loader 1:train", 128, 142360130630668225759015949503402746352),
    ],
)
def test_golden_seeds_of_sources_and_frameworks(purpose: str, bits: int, number: int) -> None:
    assert seeds()(purpose, bits) == number


def test_a_number_is_the_same_at_each_call_and_a_generator_goes_on() -> None:
    with SeededAction(seeds()):
        assert expops.seed("a") == expops.seed("a")
        assert expops.rng("a") is expops.rng("a")
        first, second = expops.rng("a").random(), expops.rng("a").random()
        assert first != second
    with SeededAction(seeds()):
        assert expops.rng("a").random(2).tolist() == [first, second]


@given(st.lists(PURPOSES, unique=True, min_size=2, max_size=5), st.data())
def test_purposes_are_independent(purposes: list[str | None], data: Any) -> None:
    """What one purpose draws, and in which order purposes are asked for, shifts no other."""
    with SeededAction(seeds()):
        alone = {purpose: (expops.seed(purpose, 64), expops.rng(purpose).random(3).tolist()) for purpose in purposes}
    assert len({str(found) for found in alone.values()}) == len(purposes)
    with SeededAction(seeds()):
        for purpose in data.draw(st.permutations(purposes)):
            random.random()
            np.random.rand()
            assert (expops.seed(purpose, 64), expops.rng(purpose).random(3).tolist()) == alone[purpose]


def test_steps_calls_and_roots_differ_and_actions_nest() -> None:
    found = []
    with SeededAction(seeds("outer")):
        outer = expops.rng()
        found.append(outer.random())
        with SeededAction(seeds("inner")):
            found.append(expops.rng().random())
        assert expops.rng() is outer
        with SeededAction(seeds("inner", root=7)):
            found.append(expops.rng().random())
    assert len(set(found)) == 3


@pytest.mark.parametrize("ask", [expops.seed, expops.rng])
def test_asking_counts_as_drawing_and_moves_no_global_state(ask: Callable[[], object]) -> None:
    with SeededAction(seeds()) as action:
        ask()
    assert action.drew == (GIVEN,)


def test_an_inner_action_that_asks_leaves_the_outer_one_as_it_was() -> None:
    with SeededAction(seeds("outer")) as outer, SeededAction(seeds("inner")) as inner:
        expops.rng()
    assert (inner.drew, outer.drew) == ((GIVEN,), ())


@pytest.mark.parametrize("purpose", ["", 3, b"model"])
def test_a_purpose_is_a_name(purpose: Any) -> None:
    for ask in (expops.seed, expops.rng, expops.jax_key):
        with pytest.raises(UsageError, match="a purpose is a name"):
            ask(purpose)


@pytest.mark.parametrize("bits", [0, 257])
def test_numbers_of_bits_that_cannot_be_are_told(bits: int) -> None:
    with pytest.raises(UsageError, match="1 to 256"):
        expops.seed("model", bits)


def test_threads_of_a_step_get_its_numbers() -> None:
    with SeededAction(seeds()) as action, ThreadPoolExecutor(2) as pool:
        assert list(pool.map(expops.seed, "abab")) == [expops.seed(name) for name in "abab"]
    assert action.drew == (GIVEN,)
    found: list[int] = []
    with SeededAction(seeds()) as action:
        thread = threading.Thread(target=lambda: found.append(expops.seed("in a thread")))
        thread.start()
        thread.join()
    assert action.drew == (GIVEN,)


def _ask(_: int) -> str:
    try:
        return str(expops.rng().random())
    except UsageError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_are_told_to_be_handed_their_seeds(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    with SeededAction(seeds()), ProcessPoolExecutor(1, mp_context=context) as pool:
        assert "hand the number over" in pool.submit(_ask, 0).result()


def test_children_of_joblib_are_told_too() -> None:
    from joblib import Parallel, delayed

    with SeededAction(seeds()):
        told = Parallel(n_jobs=2)(delayed(_ask)(item) for item in range(2))
    assert all("hand the number over" in text for text in told)


def test_a_program_that_a_process_starts_is_told_too() -> None:
    code = "import expops\ntry: expops.seed()\nexcept expops.ExpopsError as error: print(error)"
    told = subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "EXPOPS_RUN_ID": "x"}, text=True)
    assert "hand the number over" in told


def test_outside_any_action_a_program_draws_from_the_default_seed() -> None:
    code = "import expops; print(expops.seed(), expops.seed('a'), *expops.rng().random(2), *expops.rng().random(1))"
    runs = {subprocess.check_output([sys.executable, "-c", code], text=True) for _ in range(2)}
    reference = np.random.Generator(np.random.PCG64(derive_seed(42, "", purpose="rng:", bits=128))).random(3)
    numbers = [derive_seed(42, "", purpose=purpose) for purpose in ("seed:", "seed:a")]
    assert runs == {" ".join(map(str, [*numbers, *reference])) + "\n"}


def test_asking_for_a_number_loads_no_library() -> None:
    code = "import sys, expops; expops.seed(); print('numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
