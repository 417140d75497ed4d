"""Cheap durable writes in front of a KV store: an entry is appended to a journal first, and handed on in batches.

A commit of a database costs tens of microseconds and dirties a page for every key; an append costs two. Each writer
has a journal of its own, locked while it lives, and serves its own reads from memory; what it appended survives
``kill -9``, since it is the kernel's by then. Others find entries that the store hasn't got yet by reading the journals
of living writers; those of killed ones are handed over by :func:`recover`. Only bursts are held back: an entry that
comes a while after the last hand-over is handed over at once.

A journal is a sequence of entries: ``length of key, length of value, CRC-32 of both, key, value``. A torn last entry
is one whose put never returned.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ..errors import StorageError, StoreUnavailable
from .base import KVStore

_HEAD: Final = struct.Struct("<III")
_UNLOCKED: Final = "."  # how the name of a journal begins that is being made
_HAND_OVER_ENTRIES: Final = 2000
_HAND_OVER_BYTES: Final = 8 << 20
_HAND_OVER_SECONDS: Final = 0.05


class JournaledKV:
    """A :class:`~expops.kv.base.KVStore` that journals :meth:`put_many` in ``folder`` before it reaches ``store``.

    All other writes go to ``store`` at once, after what was journaled before them.
    """

    def __init__(self, store: KVStore, folder: str) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.RLock()
        self._pending: dict[str, bytes] = {}
        self._bytes = 0
        self._handed_over = 0.0
        self._file = -1
        self._path = ""
        self._owner = 0
        self._others: dict[str, bytes] = {}
        self._read: dict[str, int] = {}

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        wanted = list(keys)
        with self._lock:
            own = {key: self._pending[key] for key in wanted if key in self._pending}
            missing = [key for key in wanted if key not in own]
            found = self._store.get_many(missing) if missing else {}
            if len(found) < len(missing):
                self._read_others()
                found = {key: self._others[key] for key in missing if key in self._others} | found
        return found | own

    def _read_others(self) -> None:
        """Take note of what other writers hold back now."""
        try:
            names = os.listdir(self._folder)
        except OSError:
            return
        for name in names:
            path = os.path.join(self._folder, name)
            if path != self._path and not name.startswith(_UNLOCKED):
                self._read_other(path)

    def _read_other(self, path: str) -> None:
        start = self._read.get(path, 0)
        try:
            size = os.stat(path).st_size
            if size < start:
                # It was handed over since: what was read of it is in the store.
                start = self._read[path] = 0
                self._others.clear()
            if size == start:
                return
            with open(path, "rb") as file:
                file.seek(start)
                data = file.read()
        except OSError:
            return
        for key, value in _entries(data):
            self._others[key] = value
            self._read[path] = self._read.get(path, 0) + len(_entry(key, value))

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self.put_many({key: value})

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`; when it returns, ``kill -9`` can't undo it."""
        with self._lock:
            if self._owner != os.getpid():
                self._begin()
            data = b"".join([_entry(key, value) for key, value in items.items()])
            self._append(data)
            self._pending.update(items)
            self._bytes += len(data)
            if self._due():
                self.flush()

    def _due(self) -> bool:
        return (
            len(self._pending) >= _HAND_OVER_ENTRIES
            or self._bytes >= _HAND_OVER_BYTES
            or time.monotonic() - self._handed_over > _HAND_OVER_SECONDS
        )

    def _begin(self) -> None:
        """A journal of this process's own; a forked child leaves its parent's alone."""
        self._owner = os.getpid()
        self._pending, self._bytes = {}, 0
        name = f"{self._owner}-{os.urandom(6).hex()}"
        self._path = os.path.join(self._folder, name)
        unlocked = os.path.join(self._folder, _UNLOCKED + name)
        try:
            os.makedirs(self._folder, exist_ok=True)
            self._file = os.open(unlocked, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o666)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            os.rename(unlocked, self._path)  # only now may others look whether it is locked
        except OSError as fault:
            self._owner = 0
            raise _unavailable(self._folder, fault) from fault

    def _append(self, data: bytes) -> None:
        try:
            written = os.write(self._file, data)
            if written != len(data):
                os.ftruncate(self._file, self._bytes)
                raise OSError(28, "no space left for the journal")
        except OSError as fault:
            raise _unavailable(self._path, fault) from fault

    def flush(self) -> None:
        """See :meth:`KVStore.flush`: write what is journaled into the store, and begin the journal anew."""
        with self._lock:
            if not self._pending or self._owner != os.getpid():
                return
            self._store.put_many(self._pending)
            self._pending, self._bytes = {}, 0
            os.ftruncate(self._file, 0)
            self._handed_over = time.monotonic()

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`."""
        self.flush()
        return self._store.create(key, value, ttl)

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`."""
        self.flush()
        self._store.delete(keys)

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`."""
        self.flush()
        return self._store.scan(prefix)

    def close(self) -> None:
        """See :meth:`KVStore.close`. The journal is handed over and removed."""
        with self._lock:
            if self._owner == os.getpid():
                self.flush()
                os.unlink(self._path)
                os.close(self._file)
                self._owner = 0
        self._store.close()


def recover(store: KVStore, folder: str) -> int:
    """Hand over the journals that killed writers left in ``folder``; gives the number of entries."""
    count = 0
    try:
        names = os.listdir(folder)
    except OSError:
        return 0
    for name in names:
        if not name.startswith(_UNLOCKED):
            count += _recover_one(store, os.path.join(folder, name))
    return count


def _recover_one(store: KVStore, path: str) -> int:
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            entries = dict(_entries(file.read()))
            if entries:
                store.put_many(entries)
            os.unlink(path)
            return len(entries)
    except (OSError, StorageError):
        # Its writer lives, or another process is at it, or the store can't be written: the next run tries again.
        return 0


def _entry(key: str, value: bytes) -> bytes:
    name = key.encode("utf-8", "surrogatepass")
    return _HEAD.pack(len(name), len(value), zlib.crc32(value, zlib.crc32(name))) + name + value


def _entries(data: bytes) -> Iterator[tuple[str, bytes]]:
    position = 0
    while position + _HEAD.size <= len(data):
        name_size, value_size, checksum = _HEAD.unpack_from(data, position)
        start = position + _HEAD.size
        name, value = data[start : start + name_size], data[start + name_size : start + name_size + value_size]
        if len(value) != value_size or zlib.crc32(value, zlib.crc32(name)) != checksum:
            return
        yield name.decode("utf-8", "surrogatepass"), value
        position = start + name_size + value_size


def _unavailable(path: str, fault: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"{path} can't be written ({fault.strerror or fault}); free some space or get permission to write there"
    )
