"""The contract of an object store: content-addressed, create-only, whole or absent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

Bytes: TypeAlias = bytes | bytearray | memoryview


class ObjectStore(Protocol):
    """Immutable blobs under their BLAKE3 digest.

    Methods raise :class:`~expops.errors.StoreUnavailable` when the store can't do it, ``KeyError`` for a blob
    that isn't there, and :class:`~expops.errors.CorruptData` (after putting the blob aside, so that it can be
    written anew) when its bytes don't match the digest.
    """

    def get(self, digest: str, range: tuple[int, int] | None = None) -> bytes:
        """The blob's bytes, or those from ``range[0]`` up to, not including, ``range[1]``."""

    def map(self, digest: str) -> memoryview:
        """The whole blob as writable private memory; writing to it never alters the store."""

    def put(self, digest: str, source: Bytes | Path) -> None:
        """Store ``source`` under ``digest``, which the caller has computed of it; a blob already there stays.

        The blob becomes visible atomically, and only whole.
        """

    def exists_many(self, digests: Iterable[str]) -> set[str]:
        """Those of ``digests`` that are there, whole (by size where the store knows it)."""

    def delete(self, digests: Iterable[str]) -> None:
        """Remove blobs; those that do not exist are no error."""

    def list(self) -> Iterator[tuple[str, int]]:
        """Digest and size in bytes of every blob."""

    def settled(self, seconds: float) -> Iterator[tuple[str, int]]:
        """Digest and size of every blob that nobody has put for that long, also not in vain because it was there."""

    def check(self, digest: str) -> None:
        """Read the whole blob and compare it with its digest, whatever was trusted so far."""
