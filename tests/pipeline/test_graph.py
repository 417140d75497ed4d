"""The graph against simple models of what it should say."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.pipeline.graph import Graph, find_cycle

Edges = list[tuple[str, str]]

NAMES = tuple("abcdefgh")
ANY_EDGES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=20)


@st.composite
def acyclic(draw: st.DrawFn) -> tuple[list[str], Edges]:
    """Names in an order of their own, and edges that all go one way along another order."""
    names = draw(st.permutations(NAMES))
    rank = draw(st.permutations(NAMES))
    edges = draw(ANY_EDGES)
    return list(names), [edge for edge in edges if rank.index(edge[0]) < rank.index(edge[1])]


def reachable(edges: Iterable[tuple[str, str]], start: str) -> set[str]:
    """All that can be reached from ``start`` in one step or more."""
    edges = list(edges)
    found: set[str] = set()
    while True:
        more = {target for source, target in edges if source == start or source in found}
        if more <= found:
            return found
        found |= more


@given(acyclic())
def test_generations_respect_edges_and_are_as_early_as_can_be(drawn: tuple[list[str], Edges]) -> None:
    names, edges = drawn
    generations = Graph(names, edges).generations()
    level = {name: number for number, layer in enumerate(generations) for name in layer}
    assert sorted(level) == sorted(names)
    for name in names:
        above = [level[source] for source, target in edges if target == name]
        assert level[name] == max(above, default=-1) + 1
    for layer in generations:
        assert list(layer) == sorted(layer, key=names.index)


@given(acyclic())
def test_the_order_of_edges_does_not_matter(drawn: tuple[list[str], Edges]) -> None:
    names, edges = drawn
    one, other = Graph(names, edges), Graph(names, edges[::-1] + edges)
    assert one.generations() == other.generations()
    assert one.edges() == other.edges()
    for name in names:
        assert one.upstream(name) == other.upstream(name)
        assert one.downstream(name) == other.downstream(name)
        assert set(one.upstream(name)) == {source for source, target in edges if target == name}
        assert set(one.downstream(name)) == {target for source, target in edges if source == name}


@given(acyclic(), st.sets(st.sampled_from(NAMES)))
def test_ancestors_and_restriction(drawn: tuple[list[str], Edges], wanted: set[str]) -> None:
    names, edges = drawn
    graph = Graph(names, edges)
    ancestors = graph.ancestors(wanted)
    assert ancestors == {name for name in names if wanted & reachable(edges, name)}
    part = graph.restricted(ancestors | wanted)
    assert part.names == tuple(name for name in names if name in ancestors | wanted)
    for name in part.names:
        assert part.upstream(name) == graph.upstream(name)


@given(st.permutations(NAMES), ANY_EDGES)
def test_a_cycle_is_found_if_and_only_if_there_is_one(names: list[str], edges: Edges) -> None:
    cycle = find_cycle(names, edges)
    assert (cycle is not None) == any(name in reachable(edges, name) for name in names)
    if cycle is None:
        Graph(names, edges).generations()
        return
    assert cycle[0] == cycle[-1]
    assert len(set(cycle)) == len(cycle) - 1
    assert set(pairwise(cycle)) <= set(edges)
    with pytest.raises(ValueError, match=r"cycle: . -> "):
        Graph(names, edges).generations()


def test_a_chain_longer_than_the_stack() -> None:
    names = [f"p{number}" for number in range(20_000)]
    edges = list(pairwise(names))
    assert find_cycle(names, edges) is None
    cycle = find_cycle(names, [*edges, (names[-1], names[0])])
    assert cycle == [*names, names[0]]
    assert Graph(names, edges).generations() == [(name,) for name in names]
    assert len(Graph(names, edges).ancestors([names[-1]])) == len(names) - 1


def test_an_edge_to_nowhere() -> None:
    with pytest.raises(ValueError, match="a -> b: no such process"):
        Graph(["a"], [("a", "b")])


def test_no_processes() -> None:
    assert Graph([], []).generations() == []
