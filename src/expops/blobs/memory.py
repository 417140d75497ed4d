"""Blobs in the memory of one process: for tests, and for caches that need not outlive it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..errors import CorruptData
from ..hashing.digest import digest_bytes
from ._stamp import check_digest, check_range

if TYPE_CHECKING:
    from pathlib import Path

    from .base import Bytes


class MemoryStore:
    """An :class:`~expops.blobs.base.ObjectStore` that is gone when its process ends."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._put: dict[str, float] = {}

    def get(self, digest: str, range: tuple[int, int] | None = None) -> bytes:
        """See :meth:`ObjectStore.get`. A range that reaches past the end gives what is there.

        Raises ``ValueError`` for a range that begins below 0 or ends before it begins.
        """
        check_digest(digest)
        part = slice(None) if range is None else check_range(range)
        return self._blobs[digest][part]

    def map(self, digest: str) -> memoryview:
        """See :meth:`ObjectStore.map`."""
        return memoryview(bytearray(self.get(digest)))

    def put(self, digest: str, source: Bytes | Path) -> None:
        """See :meth:`ObjectStore.put`. The content of a file is hashed, as in a folder of blobs."""
        check_digest(digest)
        self._put[digest] = time.monotonic()
        if isinstance(source, bytes | bytearray | memoryview):
            self._blobs.setdefault(digest, bytes(source))
            return
        with open(source, "rb") as file:
            data = file.read()
        if digest_bytes(data) != digest:
            raise CorruptData(f"{source} changed while it was stored: let its writer end, and run again")
        self._blobs.setdefault(digest, data)

    def exists_many(self, digests: Iterable[str]) -> set[str]:
        """See :meth:`ObjectStore.exists_many`."""
        wanted = set(digests)
        for digest in wanted:
            check_digest(digest)
        return wanted & self._blobs.keys()

    def delete(self, digests: Iterable[str]) -> None:
        """See :meth:`ObjectStore.delete`."""
        for digest in digests:
            check_digest(digest)
            self._blobs.pop(digest, None)

    def list(self) -> Iterator[tuple[str, int]]:
        """See :meth:`ObjectStore.list`. Gives the blobs that are there when it begins."""
        for digest, data in tuple(self._blobs.items()):
            yield digest, len(data)

    def settled(self, seconds: float) -> Iterator[tuple[str, int]]:
        """See :meth:`ObjectStore.settled`."""
        latest = time.monotonic() - seconds
        yield from ((digest, size) for digest, size in self.list() if self._put[digest] <= latest)

    def check(self, digest: str) -> None:
        """See :meth:`ObjectStore.check`."""
        if digest_bytes(self.get(digest)) != digest:
            del self._blobs[digest]
            raise CorruptData(f"the blob {digest} is damaged; what it held is computed again")
