"""A KV store in the memory of one process: for tests, and for caches that need not outlive it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping


class MemoryKV:
    """A :class:`~expops.kv.base.KVStore` that is gone when its process ends."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[bytes, float | None]] = {}
        self._lock = threading.Lock()

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        wanted = list(keys)
        with self._lock:
            return {key: self._entries[key][0] for key in wanted if self._alive(key)}

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self.put_many({key: value})

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`."""
        entries = {key: (bytes(value), None) for key, value in items.items()}
        with self._lock:
            self._entries.update(entries)

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`."""
        with self._lock:
            if self._alive(key):
                return False
            self._entries[key] = (bytes(value), None if ttl is None else time.time() + ttl)
            return True

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`."""
        with self._lock:
            if not self._alive(key) or self._entries[key][0] != old:
                return False
            if new is None:
                del self._entries[key]
            else:
                self._entries[key] = (bytes(new), None if ttl is None else time.time() + ttl)
            return True

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`."""
        unwanted = list(keys)
        with self._lock:
            for key in unwanted:
                self._entries.pop(key, None)

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`. Gives the entries as they are when it begins."""
        with self._lock:
            keys = sorted(key for key in self._entries if key.startswith(prefix) and self._alive(key))
            entries = [(key, self._entries[key][0]) for key in keys]
        yield from entries

    def flush(self) -> None:
        """See :meth:`KVStore.flush`. Nothing is held back."""

    def close(self) -> None:
        """See :meth:`KVStore.close`. The entries stay."""

    def _alive(self, key: str) -> bool:
        entry = self._entries.get(key)
        return entry is not None and (entry[1] is None or entry[1] > time.time())
