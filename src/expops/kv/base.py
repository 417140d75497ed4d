"""The contract of a KV store: what keys, runs and leases are kept in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable


class KVStore(Protocol):
    """Small records (bytes, at most about 1 MiB each) under text keys of any length and alphabet.

    Every method is atomic for each key, safe to call from several threads and processes at once, and raises
    :class:`~expops.errors.StoreUnavailable` when the store can't do it (never ``sqlite3`` or client errors).
    """

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of those ``keys`` that exist, in one round trip where the backend can."""

    def put(self, key: str, value: bytes) -> None:
        """Write ``value`` under ``key``, replacing what was there."""

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Write all of ``items``, in one transaction where the backend has them, else in their order."""

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Write only if ``key`` is absent or expired; say whether it was written.

        ``ttl`` in seconds: afterwards the entry is as if it weren't there.
        """

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """Write ``new`` under ``key``, or delete it for ``None``, if its live value is ``old``; say whether it was.

        What is written expires after ``ttl`` seconds, whatever was agreed for ``old``; never without one. Of several
        that replace the same value by values of their own, one succeeds.
        """

    def delete(self, keys: Iterable[str]) -> None:
        """Remove ``keys``; those that do not exist are no error."""

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """All live entries whose key starts with ``prefix``, ordered by key (code points)."""

    def flush(self) -> None:
        """Make visible to other processes what the store holds back; most hold nothing back."""

    def close(self) -> None:
        """Let go of connections; calling it twice is no error."""


@runtime_checkable
class Listing(Protocol):
    """A store that can tell its keys without reading what lies under them."""

    def keys(self, prefix: str) -> Iterable[str]:
        """All keys that begin with ``prefix``, in no order; some may lead to nothing, since they expired, say."""
