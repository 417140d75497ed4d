"""Values with cycles, shared parts and great depth."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.errors import CannotFingerprint
from expops.hashing.values import fingerprint, graph


class Vertex:
    def __init__(self, name: object = None) -> None:
        self.name = name
        self.near: Any = []


def ring(names: str) -> Vertex:
    vertices = [Vertex(name) for name in names]
    for index, vertex in enumerate(vertices):
        vertex.near.append(vertices[index - 1])
    return vertices[0]


def test_a_list_that_holds_itself_ends() -> None:
    one: list[object] = [1]
    one.append(one)
    other: list[object] = [2]
    other.append(other)
    assert fingerprint(one) == fingerprint(copy.deepcopy(one))
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) != fingerprint([1, [1, []]])


def test_cycles_are_equal_if_they_unfold_to_the_same() -> None:
    one: list[object] = []
    one.append(one)
    first: list[object] = []
    second: list[object] = [first]
    first.append(second)
    assert fingerprint(one) == fingerprint(first)


def test_a_difference_anywhere_on_a_ring_counts() -> None:
    rings = ["abcdefgh", "abcdefgx", "abxdefgh", "abcdefg", "abcdefghi", "bcdefgha"]
    prints = [fingerprint(ring(names)) for names in rings]
    assert len(set(prints)) == len(prints)
    assert fingerprint(ring("abab")) == fingerprint(ring("ab"))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]]]:
    size = draw(st.integers(1, 6))
    edges = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    return draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)), draw(st.lists(edges, max_size=12))


def build(graph: tuple[list[int], list[tuple[int, int]]], kind: type) -> Vertex:
    names, edges = graph
    vertices = [Vertex(name) for name in names]
    for one, other in edges:
        vertices[one].near.append(vertices[other])
    for vertex in vertices:
        vertex.near = kind(vertex.near)
    return vertices[0]


def unfolded(vertex: Vertex, depth: int) -> object:
    near = [unfolded(other, depth - 1) for other in vertex.near] if depth else []
    return (vertex.name, near if isinstance(vertex.near, list) else sorted(near, key=repr))


@given(graphs(), graphs())
def test_graphs_of_objects_are_told_apart_by_their_unfolding(one: Any, other: Any) -> None:
    first, second = build(one, list), build(other, list)
    assert fingerprint(first) == fingerprint(copy.deepcopy(first))
    # Two graphs of at most six vertices each that agree to this depth agree at every depth; most differ early.
    same = unfolded(first, 3) == unfolded(second, 3)
    if not same:
        assert fingerprint(first) != fingerprint(second)


@given(graphs())
def test_graphs_with_sets_do_not_depend_on_the_order_of_sets(graph: Any) -> None:
    names, edges = graph
    assert fingerprint(build(graph, set)) == fingerprint(build((names, edges[::-1]), set))


def test_a_dense_graph_of_objects_takes_no_exponential_time() -> None:
    vertices = [Vertex(index) for index in range(60)]
    for vertex in vertices:
        vertex.near = list(vertices)
    assert fingerprint(vertices) == fingerprint(copy.deepcopy(vertices))


def test_objects_that_cannot_be_told_apart_in_time_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    long = ring("a" * 30 + "b")
    assert len(fingerprint({"ring": long})) == 64
    monkeypatch.setattr(graph, "_MANY_LABELS", 1000)
    with pytest.raises(CannotFingerprint, match=r"^value\['ring'\]: \d+ objects that refer to each other in a circle"):
        fingerprint({"ring": long})


def test_parts_shared_at_every_level_take_no_exponential_time() -> None:
    value: object = ()
    for _ in range(200):
        value = (value, value)
    assert len(fingerprint(value)) == 64


def nested(depth: int, core: object) -> object:
    for _ in range(depth):
        core = [core]
    return core


def test_depth_is_no_limit() -> None:
    prints = {fingerprint(nested(depth, core)) for depth in (9_999, 10_000) for core in (1, 2)}
    assert len(prints) == 4


def test_the_fingerprint_does_not_depend_on_how_deep_the_stack_is() -> None:
    value = nested(50, {"a": (1, 2.0, "x" * 300), "b": {1, 2}})

    def deeper(levels: int) -> str:
        return deeper(levels - 1) if levels else fingerprint(value)

    expected = fingerprint(value)
    room = sys.getrecursionlimit()
    assert deeper(room // 2) == expected
    assert {fingerprint(nested(extra, value)) for extra in (0, 60)} >= {expected}


@pytest.mark.parametrize("depth", range(40, 80))
def test_both_ways_of_encoding_agree_at_every_depth(depth: int) -> None:
    value = nested(depth, (1, [2.5, {"a"}, "long" * 200]))
    cycle: list[object] = []
    cycle.append(cycle)
    with_cycle = fingerprint([value, cycle])
    assert fingerprint([copy.deepcopy(value), cycle]) == with_cycle
    assert fingerprint(nested(1, value)) == fingerprint(nested(depth + 1, (1, [2.5, {"a"}, "long" * 200])))


def test_what_has_no_identity_is_named_at_any_depth() -> None:
    with pytest.raises(CannotFingerprint, match=r"^value(\[0\]){3000}: a generator has no identity; "):
        fingerprint(nested(3000, (index for index in [])))
