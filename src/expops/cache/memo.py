"""A memory that may forget, kept in a KV store: parse results, file digests, validated configurations."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import StorageError
from ..kv.base import KVStore


class KVMemo:
    """Memoised derivations under ``memo/``. Losing an entry costs time, never correctness.

    After the first ``fault`` of the store, nothing more is asked of it.
    """

    def __init__(self, kv: KVStore) -> None:
        self._kv = kv
        self._pending: dict[str, bytes] = {}
        self.fault = ""

    def get(self, key: str) -> bytes | None:
        """What was last put under ``key``, if it is still known."""
        if key in self._pending:
            return self._pending[key]
        name = "memo/" + key
        return self._stored((name,)).get(name)

    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        """Those of ``keys`` that are known, in one look-up."""
        found = self._stored(["memo/" + key for key in keys])
        return {name[5:]: value for name, value in found.items()} | {
            key: self._pending[key] for key in keys if key in self._pending
        }

    def _stored(self, names: Sequence[str]) -> dict[str, bytes]:
        if self.fault:
            return {}
        try:
            return self._kv.get_many(names)
        except StorageError as fault:
            self.fault = f"what is derived from files can't be remembered, so it is derived anew: {fault}"
            return {}

    def put(self, key: str, value: bytes) -> None:
        """Remember ``value``; written down at the next :meth:`flush`."""
        self._pending[key] = value

    def close(self) -> None:
        """Write down what is new and let the store go."""
        self.flush()
        self._kv.close()

    def flush(self) -> None:
        """Write down what is new. What the store can't take, the next run derives again."""
        if not self._pending or self.fault:
            return
        pending, self._pending = self._pending, {}
        try:
            self._kv.put_many({"memo/" + key: value for key, value in pending.items()})
        except StorageError as fault:
            self.fault = f"what is derived from files can't be remembered: {fault}"
