"""The smallest set that fails, and the mixes of cached and executed steps."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from expops.engine.verify.bench import orders
from expops.engine.verify.covering import mixes
from expops.engine.verify.search import smallest
from expops.pipeline.graph import Graph


@given(st.integers(1, 20), st.data())
def test_the_smallest_set_is_found_when_all_of_it_is_needed(count: int, data: st.DataObject) -> None:
    items = list(range(count))
    needed = data.draw(st.sets(st.sampled_from(items), min_size=1))
    assert smallest(items, needed.issubset) == sorted(needed)


@given(st.integers(1, 10), st.data())
def test_no_item_of_the_smallest_set_can_be_left_out(count: int, data: st.DataObject) -> None:
    items = list(range(count))
    causes = data.draw(st.lists(st.sets(st.sampled_from(items), min_size=1), min_size=1, max_size=3))

    def fails(some: list[int]) -> bool:
        return any(cause.issubset(some) for cause in causes)

    found = smallest(items, fails)
    assert fails(found)
    assert not any(fails([item for item in found if item != left]) for left in found)


@given(st.integers(0, 4))
def test_up_to_four_steps_all_mixes_are_made(count: int) -> None:
    paths = [f"p/{number}" for number in range(count)]
    assert len(mixes(paths)) == 2**count - 1


@given(st.integers(5, 60))
def test_each_pair_of_steps_is_met_in_every_combination(count: int) -> None:
    paths = [f"p/{number}" for number in range(count)]
    made = [frozenset(), *mixes(paths)]
    for first, second in combinations(paths, 2):
        assert {(first in one, second in one) for one in made} == {(a, b) for a in (0, 1) for b in (0, 1)}
    assert len(made) <= 10


def test_steps_within_a_step_that_is_served_are_left_out() -> None:
    assert frozenset({"p/a", "p/a/b"}) not in mixes(["p/a/b", "p/a", "p/c"])
    assert frozenset({"p/a/b", "p/c"}) in mixes(["p/a/b", "p/a", "p/c"])


@given(st.integers(1, 8), st.data(), st.booleans())
def test_processes_come_after_those_that_they_need(count: int, data: st.DataObject, backward: bool) -> None:
    names = [f"p{number}" for number in range(count)]
    edges = [pair for pair in combinations(names, 2) if data.draw(st.booleans())]
    graph = Graph(names, edges)
    line = orders(graph, names, backward=backward)
    assert sorted(line) == sorted(names)
    assert all(line.index(one) < line.index(other) for one, other in edges)


def test_independent_processes_come_in_either_order() -> None:
    graph = Graph(["a", "b", "c"], [("a", "b")])
    assert orders(graph, ["a", "b", "c"], backward=False) == ["a", "b", "c"]
    assert orders(graph, ["a", "b", "c"], backward=True) == ["c", "a", "b"]
