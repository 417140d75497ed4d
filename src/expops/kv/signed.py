"""Records behind signatures, for stores that others can write to (docs/decisions/0015).

::

    16 bytes   format
    32 bytes   HMAC-SHA-256 of a fixed text, the scope, the key and the value, each behind its length
    value

Scope and key are signed too, so that a record can't stand for another. Neither its expiry nor its age is.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from ..errors import StoreUnavailable
from .base import KVStore, Listing

FORMAT: Final = b"expops signed 1\n"
_HASH: Final = "sha256"
_HEAD: Final = len(FORMAT) + 32
_DOMAIN: Final = b"expops record"
_TRIES: Final = 20
_BATCH: Final = 500
ADVICE: Final = (
    "are not used, since none of this machine's signing keys has signed them; what they held is computed again. "
    "Those from before there were these keys are signed by `expops cache push` on the machines that made them; "
    "others were forged or altered"
)


class SignedKV:
    """A :class:`~expops.kv.base.KVStore` whose values in ``store`` are signed: what isn't is as if it weren't there.

    The first of ``keys`` signs, all of them verify. ``scope`` tells this project's records from those of others that
    have the same keys. ``warn`` is told once that there was something else, in words that begin with ``place``.
    """

    def __init__(
        self,
        store: KVStore,
        keys: Sequence[bytes],
        *,
        scope: str = "",
        place: str = "the store",
        warn: Callable[[str], object] = lambda message: None,
    ) -> None:
        if not keys:
            raise ValueError("nothing can be signed without a key")
        self._store = store
        self._keys = tuple(keys)
        self._prefix = _sized(_DOMAIN) + _sized(_encode(scope))
        self._place = place
        self._warn = warn
        self._warned = False

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        found = self._store.get_many(keys)
        return {key: value for key, raw in found.items() if (value := self._opened(key, raw)) is not None}

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self._store.put(key, self._sealed(key, value))

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`."""
        self._store.put_many({key: self._sealed(key, value) for key, value in items.items()})

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`. Takes the place of what isn't signed, or whoever can write could block a key."""
        mine = self._sealed(key, value)
        for _ in range(_TRIES):
            if self._store.create(key, mine, ttl):
                return True
            there = self._store.get_many([key]).get(key)
            if there is None:
                continue  # it expired or was deleted meanwhile
            if self._opened(key, there) is not None:
                return False
            if self._store.replace(key, there, mine, ttl):
                return True
        raise StoreUnavailable(f"{self._place}: others write '{key}' all the time; try again")

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`. ``old`` may be signed by any of the keys."""
        mine = None if new is None else self._sealed(key, new)
        # Equal values have equal signatures, so there is no need to read what is there.
        return any(self._store.replace(key, self._sealed(key, old, by), mine, ttl) for by in self._keys)

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`."""
        self._store.delete(keys)

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`."""
        for key, raw in self._store.scan(prefix):
            value = self._opened(key, raw)
            if value is not None:
                yield key, value

    def keys(self, prefix: str) -> Iterable[str]:
        """See :meth:`Listing.keys`. Where the store must read the values anyway, only what is signed."""
        return self._store.keys(prefix) if isinstance(self._store, Listing) else (key for key, _ in self.scan(prefix))

    def up_to_date(self, keys: Iterable[str]) -> set[str]:
        """Those of ``keys`` whose records are signed with the first key, and stay valid when the others are retired."""
        found: set[str] = set()
        rest = iter(keys)
        while batch := list(islice(rest, _BATCH)):
            raw = self._store.get_many(batch)
            found |= {key for key, data in raw.items() if _same(data, self._sealed(key, data[_HEAD:]))}
        return found

    def flush(self) -> None:
        """See :meth:`KVStore.flush`."""
        self._store.flush()

    def close(self) -> None:
        """See :meth:`KVStore.close`."""
        self._store.close()

    def _sealed(self, key: str, value: bytes, by: bytes | None = None) -> bytes:
        return FORMAT + self._signature(self._keys[0] if by is None else by, key, value) + value

    def _opened(self, key: str, raw: bytes) -> bytes | None:
        """The value in ``raw``; ``None`` if it is not signed with any of the keys."""
        value = raw[_HEAD:]
        given = raw[len(FORMAT) : _HEAD]
        if raw.startswith(FORMAT):
            for by in self._keys:
                if _same(self._signature(by, key, value), given):
                    return value
        if not self._warned:
            self._warned = True
            self._warn(f"{self._place}: records {ADVICE}")
        return None

    def _signature(self, by: bytes, key: str, value: bytes) -> bytes:
        return hmac.digest(by, self._prefix + _sized(_encode(key)) + _sized(value), _HASH)


def _same(one: bytes, other: bytes) -> bool:
    return hmac.compare_digest(one, other)  # in a time that does not tell where they differ


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(8, "big") + part
