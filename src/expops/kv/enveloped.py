"""KV stores whose values lie in envelopes: what is in none that is accepted is as if it weren't there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ..errors import StoreUnavailable
from .base import KVStore, Listing

SIGNED: Final = b"expops signed 1\n"  # what signed values begin with
_TRIES: Final = 20


class EnvelopedKV(ABC):
    """A :class:`~expops.kv.base.KVStore` over ``store``, which messages call ``place``."""

    def __init__(self, store: KVStore, *, place: str = "the store") -> None:
        self._store = store
        self._place = place

    @abstractmethod
    def _forms(self, key: str, value: bytes) -> Iterator[bytes]:
        """All that may stand for ``value``; the first is what is written."""

    @abstractmethod
    def _opened(self, key: str, raw: bytes) -> bytes | None:
        """What ``raw`` stands for; ``None`` if it is not accepted."""

    @property
    def beneath(self) -> KVStore:
        """The store itself, with what isn't accepted."""
        return self._store

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        found = self._store.get_many(keys)
        return {key: value for key, raw in found.items() if (value := self._opened(key, raw)) is not None}

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self._store.put(key, next(self._forms(key, value)))

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`."""
        self._store.put_many({key: next(self._forms(key, value)) for key, value in items.items()})

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`. Takes the place of what isn't accepted, or anybody could block a key."""
        mine = next(self._forms(key, value))
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
        """See :meth:`KVStore.replace`."""
        mine = None if new is None else next(self._forms(key, new))
        # Equal values have equal forms, so there is no need to read what is there.
        return any(self._store.replace(key, form, mine, ttl) for form in self._forms(key, old))

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
        """See :meth:`Listing.keys`. Where the store has to read the values, only those of what is accepted."""
        return self._store.keys(prefix) if isinstance(self._store, Listing) else (key for key, _ in self.scan(prefix))

    def flush(self) -> None:
        """See :meth:`KVStore.flush`."""
        self._store.flush()

    def close(self) -> None:
        """See :meth:`KVStore.close`."""
        self._store.close()


class UnsignedKV(EnvelopedKV):
    """For a machine without keys: values lie there as they are.

    A store that turns out to hold signed ones is :class:`~expops.errors.StoreUnavailable`, also to all others in this
    process that call it by the same name: what they wrote would hide from others what is signed.
    """

    def _forms(self, key: str, value: bytes) -> Iterator[bytes]:
        if self._place in _found_signed:
            raise self._unavailable()
        yield value

    def _opened(self, key: str, raw: bytes) -> bytes | None:
        if raw.startswith(SIGNED):
            _found_signed.add(self._place)
            raise self._unavailable()
        return raw

    def _unavailable(self) -> StoreUnavailable:
        mend = "put the keys of your team into EXPOPS_SIGNING_KEYS (docs/shared-cache.md)"
        return StoreUnavailable(f"{self._place} holds signed records, and this machine has no keys for them; {mend}")


_found_signed: Final[set[str]] = set()
