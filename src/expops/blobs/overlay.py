"""Two object stores as one: writes go to the upper, reads fall through to the lower."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .base import Bytes, ObjectStore

if TYPE_CHECKING:
    from pathlib import Path


class OverlayStore:
    """For runs that must not write to a cache but still hand values from process to process."""

    def __init__(self, upper: ObjectStore, lower: ObjectStore) -> None:
        self._upper = upper
        self._lower = lower

    def get(self, digest: str, range: tuple[int, int] | None = None) -> bytes:
        """From the upper store, else the lower."""
        return self._holder(digest).get(digest, range)

    def map(self, digest: str) -> memoryview:
        """From the upper store, else the lower."""
        return self._holder(digest).map(digest)

    def put(self, digest: str, source: Bytes | Path) -> None:
        """Into the upper store."""
        self._upper.put(digest, source)

    def exists_many(self, digests: Iterable[str]) -> set[str]:
        """Those that are in either."""
        wanted = set(digests)
        found = self._upper.exists_many(wanted)
        return found | self._lower.exists_many(wanted - found)

    def delete(self, digests: Iterable[str]) -> None:
        """From the upper store only."""
        self._upper.delete(digests)

    def list(self) -> Iterator[tuple[str, int]]:
        """Blobs of both, once each."""
        upper = dict(self._upper.list())
        yield from upper.items()
        yield from ((digest, size) for digest, size in self._lower.list() if digest not in upper)

    def settled(self, seconds: float) -> Iterator[tuple[str, int]]:
        """Blobs of both, once each."""
        upper = dict(self._upper.settled(seconds))
        yield from upper.items()
        yield from ((digest, size) for digest, size in self._lower.settled(seconds) if digest not in upper)

    def check(self, digest: str) -> None:
        """In the store that has it."""
        self._holder(digest).check(digest)

    def _holder(self, digest: str) -> ObjectStore:
        return self._upper if self._upper.exists_many((digest,)) else self._lower
