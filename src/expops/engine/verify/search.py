"""The smallest set that still fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def smallest(items: Sequence[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """A part of ``items``, in their order, that fails while no part with one item less does.

    ``fails`` must hold for all ``items``; it is called with lists of them, most often not twice with the same. This is
    delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
    """
    kept = list(items)
    parts = 2
    while len(kept) > 1:
        pieces = _split(kept, parts)
        for index, piece in enumerate(pieces):
            rest = [item for other in pieces[:index] + pieces[index + 1 :] for item in other]
            if fails(piece):
                kept, parts = piece, 2
                break
            if parts > 2 and fails(rest):
                kept, parts = rest, parts - 1
                break
        else:
            if parts >= len(kept):
                break
            parts = min(2 * parts, len(kept))
    return kept


def _split(items: list[T], parts: int) -> list[list[T]]:
    bounds = [len(items) * number // parts for number in range(parts + 1)]
    return [items[start:end] for start, end in pairwise(bounds) if end > start]
