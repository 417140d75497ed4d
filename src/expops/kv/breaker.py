"""A KV store that is left alone for a while after it failed: a run without network waits once, and not each time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from ..errors import StoreUnavailable
from .base import KVStore

T = TypeVar("T")

_REST_SECONDS: Final = 30.0


class CircuitBreaker:
    """A :class:`~expops.kv.base.KVStore` that raises at once, without asking ``store``, for 30 seconds after that one
    was not available. See M. Nygard, "Release It!" (2007), on the pattern."""

    def __init__(self, store: KVStore, *, rest: float = _REST_SECONDS) -> None:
        self._store = store
        self._rest = rest
        self._failed = ""
        self._until = 0.0

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        return self._call(lambda: self._store.get_many(keys))

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self._call(lambda: self._store.put(key, value))

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`."""
        self._call(lambda: self._store.put_many(items))

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`."""
        return self._call(lambda: self._store.create(key, value, ttl))

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`."""
        return self._call(lambda: self._store.replace(key, old, new, ttl))

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`."""
        self._call(lambda: self._store.delete(keys))

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`."""
        entries = self._store.scan(prefix)
        while (entry := self._call(lambda: next(entries, None))) is not None:
            yield entry

    def flush(self) -> None:
        """See :meth:`KVStore.flush`."""
        self._call(self._store.flush)

    def close(self) -> None:
        """See :meth:`KVStore.close`."""
        self._store.close()

    def _call(self, work: Callable[[], T]) -> T:
        if time.monotonic() < self._until:
            raise StoreUnavailable(self._failed)
        try:
            return work()
        except StoreUnavailable as fault:
            self._failed, self._until = str(fault), time.monotonic() + self._rest
            raise
