"""Random state of actions: seeded, watched, put back, in any nesting."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.errors import UsageError
from expops.seeding.session import SeededAction, active
from expops.seeding.sources import SOURCES

BOTH = ("random", "numpy.random")


def set_numpy_state(n: int) -> None:
    if np.random.get_bit_generator().state["bit_generator"] != "MT19937":
        np.random.set_bit_generator(np.random.MT19937())
    np.random.set_state(np.random.RandomState(n).get_state())


DRAWS: dict[str, tuple[str, Callable[[], object]]] = {
    "random": ("random", random.random),
    "gauss": ("random", lambda: random.gauss(0, 1)),
    "shuffle": ("random", lambda: random.shuffle([1, 2, 3])),
    "state's length": ("random", lambda: random.getrandbits(32 * 624) % 1000),
    "reseed": ("random", lambda: random.seed(999)),
    "setstate": ("random", lambda: random.setstate(random.Random(9).getstate())),
    "rand": ("numpy.random", lambda: np.random.rand(3)),
    "one normal": ("numpy.random", lambda: np.random.randn()),
    "permutation": ("numpy.random", lambda: np.random.permutation(5)),
    "numpy's state's length": ("numpy.random", lambda: np.random.bytes(4 * 624)),
    "numpy reseed": ("numpy.random", lambda: np.random.seed(999)),
    "numpy set_state": ("numpy.random", lambda: set_numpy_state(9)),
    "numpy other generator": ("numpy.random", lambda: np.random.set_bit_generator(np.random.PCG64(3))),
    "other streams": ("", lambda: (random.Random(3).random(), np.random.default_rng(3).random())),
    "reading the state": ("", lambda: (random.getstate(), np.random.get_state(legacy=False))),
}


def state() -> tuple[object, ...]:
    """All of the global random state, as something to compare."""
    found: Any = np.random.get_state(legacy=False)
    inner = found["state"]
    words = inner["key"].tobytes() if "key" in inner else str(inner)
    return random.getstate(), found["bit_generator"], words, inner.get("pos"), found["has_gauss"], found["gauss"]


@pytest.fixture(autouse=True)
def _own_state() -> Any:
    before = random.getstate(), np.random.get_bit_generator(), np.random.get_state(legacy=False)
    np.random.set_bit_generator(np.random.MT19937(1))
    yield
    random.setstate(before[0])
    np.random.set_bit_generator(before[1])
    np.random.set_state(before[2])
    assert active() is None


def seeds(n: int) -> Callable[[str], int]:
    return lambda name: n + 1000 * BOTH.index(name)


def test_draws_are_those_of_the_seed_by_hand() -> None:
    with SeededAction(seeds(7)):
        found = random.random(), random.gauss(0, 1), np.random.rand(3).tolist(), np.random.randn()
    reference = np.random.RandomState(1007)
    by_hand = random.Random(7)
    assert found == (by_hand.random(), by_hand.gauss(0, 1), reference.rand(3).tolist(), reference.randn())
    random.seed(7)
    np.random.seed(1007)
    assert (random.random(), np.random.rand(3).tolist()) == (found[0], found[2])


@pytest.mark.parametrize("name", DRAWS)
def test_drew_names_exactly_what_moved_and_all_is_put_back(name: str) -> None:
    source, draw = DRAWS[name]
    np.random.randn()  # Leaves the second of a pair cached.
    random.gauss(0, 1)
    before = state()
    with SeededAction(seeds(7)) as action:
        draw()
    assert action.drew == ((source,) if source else ())
    assert state() == before


def test_draws_from_both_are_named_in_order() -> None:
    with SeededAction(seeds(7)) as action:
        np.random.rand()
        random.random()
    assert action.drew == BOTH


@pytest.mark.parametrize("draws", [1, 2, 623, 624, 625, 1248])
def test_no_number_of_draws_looks_like_none(draws: int) -> None:
    with SeededAction(seeds(7)) as action:
        for _ in range(draws):
            random.getrandbits(32)
            np.random.randint(0, 2**32, dtype=np.uint32)
    assert action.drew == BOTH


def test_an_exception_passes_through_and_all_is_put_back() -> None:
    before = state()
    action = SeededAction(seeds(7))

    def fail() -> None:
        with action:
            random.random()
            raise LookupError("user's")

    with pytest.raises(LookupError, match="user's"):
        fail()
    assert action.drew == ("random",)
    assert state() == before


def test_a_foreign_bit_generator_is_put_back_as_it_was() -> None:
    theirs = np.random.PCG64(5)
    np.random.set_bit_generator(theirs)
    before = state()
    with SeededAction(seeds(7)):
        found = np.random.rand()
    assert np.random.get_bit_generator() is theirs
    assert state() == before
    assert found == np.random.RandomState(1007).rand()


def test_active_is_the_innermost() -> None:
    assert active() is None
    with SeededAction(seeds(1)) as outer:
        assert active() is outer
        with SeededAction(seeds(2)) as inner:
            assert active() is inner
        assert active() is outer
    assert active() is None


# A program: draws by name, and nested blocks of more, of which each may end in an exception.
Program: TypeAlias = "list[str | tuple[int, bool, Program]]"
PROGRAMS: st.SearchStrategy[Any] = st.recursive(
    st.lists(st.sampled_from(sorted(DRAWS)), max_size=3),
    lambda inner: st.lists(
        st.sampled_from(sorted(DRAWS)) | st.tuples(st.integers(0, 5), st.booleans(), inner), max_size=4
    ),
    max_leaves=12,
)


class Raised(Exception):
    """What a block of a program may end in."""


def run(program: Program, trace: list[object], *, skip: bool) -> set[str]:
    """Run it; the sources that it moved itself. Nested blocks leave no trace, and may be skipped."""
    moved = set()
    for item in program:
        if isinstance(item, str):
            source, draw = DRAWS[item]
            moved |= {source} - {""}
            trace.append(repr(draw()))
        elif not skip:
            block(item, skip=skip)
    trace.append(state())
    return moved


def block(item: tuple[int, bool, Program], *, skip: bool) -> None:
    n, fails, program = item
    action = SeededAction(seeds(n))
    moved: set[str] = set()
    try:
        with action:
            moved = run(program, [], skip=skip)
            if fails:
                raise Raised
    except Raised:
        assert fails
    assert set(action.drew) == moved


@given(PROGRAMS, st.integers(0, 5))
def test_inner_actions_leave_outer_streams_as_if_they_had_not_run(program: Program, n: int) -> None:
    random.seed(3)
    np.random.set_bit_generator(np.random.MT19937(1))
    traces: list[list[object]] = []
    for skip in (False, True):
        trace: list[object] = []
        before = state()
        with SeededAction(seeds(n)):
            run(program, trace, skip=skip)
        assert state() == before
        traces.append(trace)
    assert traces[0] == traces[1]


def test_scikit_learn_without_random_state_is_seeded() -> None:
    from sklearn.cluster import KMeans
    from sklearn.model_selection import train_test_split

    data = np.arange(60.0).reshape(30, 2) % 7

    def fit(n: int) -> tuple[list[Any], list[Any], tuple[str, ...]]:
        with SeededAction(seeds(n)) as action:
            split = train_test_split(np.arange(50))
            model = KMeans(3, n_init=1, init="random").fit(data)
        return [part.tolist() for part in split], model.cluster_centers_.tolist(), action.drew

    first = fit(1)
    np.random.rand(17)
    assert fit(1) == first
    assert fit(2)[0] != first[0]
    assert first[2] == ("numpy.random",)


def test_overlapping_actions_are_told_and_put_back() -> None:
    before = state()
    outer, inner = SeededAction(seeds(1)), SeededAction(seeds(2))
    outer.__enter__()
    inner.__enter__()
    random.random()
    with pytest.raises(UsageError, match="thread"):
        outer.__exit__(None, None, None)
    assert state() == before
    with pytest.raises(UsageError, match="thread"):
        inner.__exit__(None, None, None)
    assert state() == before
    assert active() is None


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_libraries_cannot_take_is_refused_and_nothing_is_left(seed: int) -> None:
    before = state()
    with pytest.raises(UsageError, match="32 bits"):
        SeededAction(lambda name: 1 if name == "random" else seed).__enter__()
    assert state() == before
    assert active() is None


def test_no_library_is_imported_and_no_finder_is_left() -> None:
    modules, finders = set(sys.modules), list(sys.meta_path)
    with SeededAction(seeds(1)):
        pass
    assert set(sys.modules) == modules
    assert sys.meta_path == finders


def test_the_names_of_sources_are_unique() -> None:
    assert len({source.name for source in SOURCES}) == len(SOURCES)


def test_actions_in_turn_from_several_threads() -> None:
    found: list[float] = []

    def work() -> None:
        with SeededAction(seeds(4)):
            found.append(random.random())

    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(set(found)) == 1
