"""A KV store in a bucket, so that a bucket alone is enough: one object for each record (docs/decisions/0012)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from ..errors import CorruptData, StoreUnavailable
from ._envelope import MARK, Record, pack, unpack
from ._names import LONG, folder_of, key_of, name_of

if TYPE_CHECKING:
    from ..buckets.bucket import Bucket

_LARGEST: Final = 64 << 20  # bytes of a record
_PAGE: Final = 256
_NEVER: Final = 0.0
_EXPIRED: Final = 1.0  # long before any clock
_TRIES: Final = 20


class BucketKV:
    """A :class:`~expops.kv.base.KVStore` in a bucket, which is opened when it is first needed.

    Many keys are read and written in parallel, in no order. A record whose bytes are damaged is as if it weren't there.
    ``scan`` holds all names below its prefix in memory.
    """

    def __init__(self, bucket: Callable[[], Bucket]) -> None:
        self._bucket = bucket

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        found = self._bucket().each(self._read, wanted)
        return {record.key: record.value for record in found if record is not None and _lives(record)}

    def _read(self, key: str) -> Record | None:
        record = self._read_name(name_of(key))
        return record if record is not None and record.key == key else None

    def _read_name(self, name: str) -> Record | None:
        bucket = self._bucket()
        try:
            found = bucket.get(name, _LARGEST)
        except CorruptData as fault:
            bucket.warn(f"{fault}: the record is not used")
            return None
        if found is None:
            return None
        record = unpack(found.data)
        if record is None or name_of(record.key) != name:
            bucket.warn(f"{bucket.place}/{name}: the record is damaged, so it is not used")
            return None
        return record

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self.put_many({key: value})

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`. In parallel, in no order; what was written stays if another write fails."""
        bucket = self._bucket()

        def write(item: tuple[str, bytes]) -> None:
            bucket.put(name_of(item[0]), _packed(item[0], item[1], _NEVER))

        for _ in bucket.each(write, items.items()):
            pass

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`."""
        bucket, name = self._bucket(), name_of(key)
        for _ in range(_TRIES):
            mine = _packed(key, value, _NEVER if ttl is None else time.time() + ttl)
            if bucket.create(name, mine):
                return True
            there = bucket.get(name, _LARGEST)
            if there is None:
                continue  # it went away meanwhile
            if there.data == mine:
                return True  # our own write, of which the reply was lost
            record = unpack(there.data)
            if record is not None and _lives(record):
                return False
            if bucket.replace(name, mine, there.version):
                return True
            again = bucket.get(name, _LARGEST)
            if again is not None and again.data == mine:
                return True
        raise StoreUnavailable(f"{bucket.place}: others write '{key}' all the time; try again")

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`.

        An object can't be deleted on condition, so for ``None`` a record takes its place that has expired; who
        comes upon it may write over it as if it weren't there.
        """
        bucket, name = self._bucket(), name_of(key)
        expires = _EXPIRED if new is None else _NEVER if ttl is None else time.time() + ttl
        mine = _packed(key, new or b"", expires)
        there = bucket.get(name, _LARGEST)
        record = unpack(there.data) if there is not None else None
        if there is None or record is None or record.key != key or not _lives(record) or record.value != old:
            return False
        if bucket.replace(name, mine, there.version):
            return True
        again = bucket.get(name, _LARGEST)
        return again is not None and again.data == mine  # our own write, of which the reply was lost

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`."""
        names = [name_of(key) for key in keys]
        if names:
            self._bucket().delete(names)

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`. What is written meanwhile may or may not show."""
        keys = iter(sorted(self.keys(prefix), key=lambda key: key.encode("utf-8", "surrogatepass")))
        while page := list(islice(keys, _PAGE)):
            found = self.get_many(page)
            yield from ((key, found[key]) for key in page if key in found)

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin with ``prefix``, in no order; those that have expired may be among them."""
        bucket = self._bucket()
        named = (key_of(name) for name, _ in bucket.list(folder_of(prefix)))
        found = [key for key in named if key is not None and key.startswith(prefix)]
        long = bucket.each(self._read_name, [name for name, _ in bucket.list(LONG)])
        return found + [record.key for record in long if record is not None and record.key.startswith(prefix)]

    def flush(self) -> None:
        """See :meth:`KVStore.flush`. Nothing is held back."""

    def close(self) -> None:
        """See :meth:`KVStore.close`. The bucket belongs to others, too, and closes itself."""


def _packed(key: str, value: bytes, expires: float) -> bytes:
    return pack(Record(key, bytes(value), expires, os.urandom(MARK)))


def _lives(record: Record) -> bool:
    return record.expires == _NEVER or record.expires > time.time()
