"""A memory that may forget, kept in a KV store: parse results, file digests, validated configurations."""

from __future__ import annotations

from ..errors import StorageError
from ..kv.base import KVStore


class KVMemo:
    """Memoised derivations under ``memo/``. Losing an entry costs time, never correctness."""

    def __init__(self, kv: KVStore) -> None:
        self._kv = kv
        self._pending: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """What was last put under ``key``, if it is still known."""
        if key in self._pending:
            return self._pending[key]
        name = "memo/" + key
        return self._kv.get_many((name,)).get(name)

    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        """Those of ``keys`` that are known, in one look-up."""
        found = self._kv.get_many(["memo/" + key for key in keys])
        return {name[5:]: value for name, value in found.items()} | {
            key: self._pending[key] for key in keys if key in self._pending
        }

    def put(self, key: str, value: bytes) -> None:
        """Remember ``value``; written down at the next :meth:`flush`."""
        self._pending[key] = value

    def flush(self) -> None:
        """Write down what is new. A store that can't take it is no fault: the next run derives it again."""
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        try:
            self._kv.put_many({"memo/" + key: value for key, value in pending.items()})
        except StorageError:
            return
