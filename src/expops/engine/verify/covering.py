"""Which steps to take from the cache together: all mixes if there are few, else every pair in every combination."""

from __future__ import annotations

from itertools import combinations, product
from math import comb
from typing import Final

_ALL_MIXES: Final = 4  # up to this many steps, each of their 2**n subsets


def mixes(paths: list[str]) -> list[frozenset[str]]:
    """Sets of steps to serve from the cache while all others execute; without the empty one.

    Up to four steps: every subset. Beyond, the fewest sets in which every two steps are met as cached and cached,
    cached and executed, executed and cached, executed and executed (the empty set included). Steps within a step that
    is served are not called at all, so they are left out.
    """
    sets = _subsets(paths) if len(paths) <= _ALL_MIXES else _pairwise(paths)
    return list(dict.fromkeys(served for one in sets if (served := _outermost(one))))


def _subsets(paths: list[str]) -> list[frozenset[str]]:
    chosen = product((False, True), repeat=len(paths))
    return [frozenset(path for path, taken in zip(paths, row, strict=True) if taken) for row in chosen]


def _pairwise(paths: list[str]) -> list[frozenset[str]]:
    """The optimal covering array of strength two with two levels (Kleitman and Spencer 1973, Katona 1973).

    Each factor is a different set of ``ceil(n / 2)`` out of ``n - 1`` rows: no set contains another and any two meet;
    the row that none is in is the empty mix.
    """
    rows = 2
    while comb(rows - 1, -(-rows // 2)) < len(paths):
        rows += 1
    columns = combinations(range(rows - 1), -(-rows // 2))
    found: list[set[str]] = [set() for _ in range(rows - 1)]
    for path, column in zip(paths, columns, strict=False):
        for row in column:
            found[row].add(path)
    return [frozenset(row) for row in found]


def _outermost(served: frozenset[str]) -> frozenset[str]:
    return frozenset(path for path in served if not any(path.startswith(other + "/") for other in served))
