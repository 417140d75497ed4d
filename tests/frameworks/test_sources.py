"""Global random state of PyTorch, TensorFlow and Keras: seeded, watched and put back, in any nesting."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.backend.common import global_state
from tensorflow.python.eager import context

from expops.seeding.session import SeededAction

SEEDS = {"random": 1, "numpy.random": 2, "torch": 3, "tensorflow": 4, "keras": 5}


@tf.function
def traced_plain(x: Any) -> Any:
    return x + 1


def trace_noise() -> Any:
    return tf.function(lambda: tf.random.normal([2]))().numpy().tolist()


# What it does, and the sources that it moves.
DRAWS: dict[str, tuple[set[str], Callable[[], Any]]] = {
    "rand": ({"torch"}, lambda: torch.rand(3).tolist()),
    "one normal": ({"torch"}, lambda: torch.randn(1).item()),
    "permutation": ({"torch"}, lambda: torch.randperm(4).tolist()),
    "layer": ({"torch"}, lambda: torch.nn.Linear(2, 2).weight.tolist()),
    "dropout": ({"torch"}, lambda: torch.nn.functional.dropout(torch.ones(4)).tolist()),
    "torch reseed": ({"torch"}, lambda: torch.manual_seed(999).initial_seed()),
    "set_rng_state": ({"torch"}, lambda: torch.set_rng_state(torch.Generator().manual_seed(8).get_state())),
    "own generator": (set(), lambda: torch.rand(2, generator=torch.Generator().manual_seed(1)).tolist()),
    "reading torch": (set(), lambda: torch.get_rng_state().sum().item()),
    "normal": ({"tensorflow"}, lambda: tf.random.normal([2]).numpy().tolist()),
    "seeded operation": ({"tensorflow"}, lambda: tf.random.normal([2], seed=1).numpy().tolist()),
    "traced": ({"tensorflow"}, trace_noise),
    "shuffled data": ({"tensorflow"}, lambda: [int(x) for x in tf.data.Dataset.range(30).shuffle(30)]),
    "tf reseed": ({"tensorflow"}, lambda: tf.random.set_seed(999)),
    "stateless": (set(), lambda: tf.random.stateless_normal([2], [1, 2]).numpy().tolist()),
    "generator": (set(), lambda: tf.random.Generator.from_seed(1).normal([2]).numpy().tolist()),
    "traced plain": (set(), lambda: traced_plain(tf.constant(1)).numpy().tolist()),
    "keras normal": ({"random"}, lambda: keras.random.normal((2,)).numpy().tolist()),
    "dense": ({"random"}, lambda: keras.layers.Dense(2)(np.ones((1, 2))).numpy().tolist()),
    "keras seeded": (set(), lambda: keras.random.normal((2,), seed=3).numpy().tolist()),
    "set_random_seed": (
        {"random", "numpy.random", "tensorflow"},
        lambda: keras.utils.set_random_seed(5),
    ),
    "random": ({"random"}, random.random),
}


def state() -> tuple[object, ...]:
    """All of the global random state, as something to compare; of the counter of TensorFlow, if it has one."""
    eager = vars(context.context())
    counter = eager["_rng"].getstate() if "_rng" in eager else None
    generator = global_state.get_global_attribute("global_seed_generator")
    keras_state = None if generator is None else generator.state.numpy().tolist()
    numpy = np.random.get_state()
    return (
        *(random.getstate(), numpy[1].tobytes(), numpy[2]),
        *(torch.get_rng_state().numpy().tobytes(), torch.initial_seed()),
        *(eager["_seed"], counter, id(generator), keras_state),
    )


def seeds(n: int) -> Callable[..., int]:
    return lambda name, bits=32: 10 * n + SEEDS[name]


@pytest.fixture(autouse=True)
def _own_state() -> Any:
    with SeededAction(seeds(100)):
        yield


def test_draws_are_those_of_the_seed_by_hand() -> None:
    with SeededAction(seeds(0)):
        found = torch.rand(3).tolist(), tf.random.normal([2]).numpy().tolist()
    torch.manual_seed(3)
    tf.random.set_seed(4)
    assert found == (torch.rand(3).tolist(), tf.random.normal([2]).numpy().tolist())


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("seeded", [True, False], ids=["after others", "first"])
def test_drew_names_exactly_what_moved_and_all_is_put_back(name: str, seeded: bool) -> None:
    moves, draw = DRAWS[name]
    if seeded:
        tf.random.set_seed(5)
        keras.random.normal((2,))
        torch.randn(3)
    else:
        vars(context.context()).pop("_rng", None)
        context.context()._seed = None
    before = state()
    with SeededAction(seeds(7)) as action:
        first = draw()
    assert set(action.drew) == moves
    assert state() == before
    with SeededAction(seeds(7)):
        assert draw() == first


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_drawn_follows_the_seed_if_it_is_said_to(name: str) -> None:
    moves, draw = DRAWS[name]
    found = []
    for n in (1, 2):
        with SeededAction(seeds(n)):
            found.append(draw())
    if found[0] is not None and name not in ("torch reseed", "reading torch"):
        assert (found[0] != found[1]) == bool(moves)


def test_a_function_that_was_traced_earlier_and_is_traced_again_counts() -> None:
    noise = tf.function(lambda shape: tf.random.normal(shape))
    with SeededAction(seeds(1)):
        noise([2])
    with SeededAction(seeds(2)) as action:
        noise([3])
    assert "tensorflow" in action.drew


def test_an_exception_passes_through_and_all_is_put_back() -> None:
    before = state()

    def fail() -> None:
        with SeededAction(seeds(7)):
            torch.rand(1)
            tf.random.normal([1])
            keras.random.normal((1,))
            raise LookupError("user's")

    with pytest.raises(LookupError, match="user's"):
        fail()
    assert state() == before


def test_no_device_is_initialised() -> None:
    with SeededAction(seeds(1)):
        pass
    assert not torch.cuda.is_initialized()


# A program: draws by name, and nested blocks of more, each of which may end in an exception.
Program: TypeAlias = "list[str | tuple[int, bool, Program]]"
# Skipping a block must not show. With a seed of their own TensorFlow's operations go on where they were, and setting
# any seed starts them anew, as docs/seeds.md says.
NAMES = sorted(set(DRAWS) - {"seeded operation"})
PROGRAMS: st.SearchStrategy[Any] = st.recursive(
    st.lists(st.sampled_from(NAMES), max_size=3),
    lambda inner: st.lists(st.sampled_from(NAMES) | st.tuples(st.integers(0, 5), st.booleans(), inner), max_size=4),
    max_leaves=8,
)


class Raised(Exception):
    """What a block of a program may end in."""


def run(program: Program, trace: list[object], *, skip: bool) -> set[str]:
    """Run it; the sources that it moved itself. Nested blocks leave no trace, and may be skipped."""
    moved: set[str] = set()
    for item in program:
        if isinstance(item, str):
            moves, draw = DRAWS[item]
            moved |= moves
            trace.append(repr(draw()))
        elif not skip:
            block(item, skip=skip)
    return moved


def block(item: tuple[int, bool, Program], *, skip: bool) -> None:
    n, fails, program = item
    action = SeededAction(seeds(n))
    before = state()
    moved: set[str] = set()
    try:
        with action:
            moved = run(program, [], skip=skip)
            if fails:
                raise Raised
    except Raised:
        assert fails
    assert moved <= set(action.drew)
    assert state() == before


@given(PROGRAMS, st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_inner_actions_leave_outer_streams_as_if_they_had_not_run(program: Program, n: int) -> None:
    traces: list[list[object]] = []
    for skip in (False, True):
        trace: list[object] = []
        with SeededAction(seeds(n)):
            run(program, trace, skip=skip)
        traces.append(trace)
    assert traces[0] == traces[1]
