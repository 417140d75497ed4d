"""Cheap durable writes in front of a KV store: an entry is appended to a journal first, and handed on in batches.

A commit of a database costs tens of microseconds and dirties a page for every key; an append costs two. Each writer
has a journal of its own, locked while it lives, and serves its own reads from memory; what it appended survives
``kill -9``, since it is the kernel's by then. Others find entries that the store hasn't got yet by reading the
journals of living writers; those of killed ones are handed over by :func:`recover`. Only bursts are held back: an
entry that comes a while after the last hand-over is handed over at once.

A journal is a generation, eight random bytes that are new after each hand-over, and a sequence of entries: ``length of
key, length of value, CRC-32 of both, key, value``. A torn last entry is one whose put never returned.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from ..errors import StorageError, StoreUnavailable
from .base import KVStore

_GENERATION: Final = 8
_HEAD: Final = struct.Struct("<III")
_TRIES: Final = 100
_UNLOCKED: Final = "."  # how the name of a journal begins that is being made
_HAND_OVER_ENTRIES: Final = 2000
_HAND_OVER_BYTES: Final = 8 << 20
_HAND_OVER_SECONDS: Final = 0.5
_TICK_NS: Final = 20_000_000  # coarser than the clock of any local file system
_UNKNOWN: Final = (-1, -1, -1)
_UNSETTLED: Final = -1


class JournaledKV:
    """A :class:`~expops.kv.base.KVStore` that journals :meth:`put_many` in ``folder`` before it reaches ``store``.

    All other writes go to ``store`` at once, after what was journaled under their keys. For keys that one writer at a
    time puts, or all with the same value: of values that several put under one key within a burst, any may win, and a
    key that one writer deletes comes back if another still holds it back.

    An entry that comes a while after the last hand-over is handed over at once if ``eager``. Otherwise only many are,
    or when somebody asks for it: for a store that is a network away.
    """

    def __init__(self, store: KVStore, folder: str, *, eager: bool = True) -> None:
        self._store = store
        self._folder = folder
        self._eager = eager
        self._lock = threading.RLock()
        self._others: dict[str, _Other] = {}
        self._start()
        _journaled.add(self)

    def _start(self) -> None:
        """Without a journal, as long as nothing is put."""
        self._pending: dict[str, bytes] = {}
        self._bytes = 0
        self._handed_over = float("-inf")
        self._listed = _UNSETTLED  # when the folder was changed last before it was listed
        self._stuck = False  # the last hand-over failed: the next one waits until somebody asks for it
        self._file = -1
        self._path = ""

    @property
    def beneath(self) -> KVStore:
        """The store itself."""
        return self._store

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        wanted = list(keys)
        with self._lock:
            own = {key: self._pending[key] for key in wanted if key in self._pending}
            missing = [key for key in wanted if key not in own]
            if not missing:
                return own
            # Journals first: an entry that is handed over meanwhile is in the store by the time that one is asked.
            held = self._held_by_others(missing)
            found = self._store.get_many(missing)
        return found | held | own

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self.put_many({key: value})

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`; when it returns, ``kill -9`` can't undo it.

        A hand-over that fails is no failure of this call: the entries are in the journal, and :meth:`flush` tells.
        """
        data = b"".join([_entry(key, value) for key, value in items.items()])
        if not data:
            return
        with self._lock:
            if self._file < 0:
                self._begin()
            self._append(data)
            self._pending.update(items)
            self._bytes += len(data)
            if self._due():
                with suppress(StorageError):
                    self.flush()

    def _due(self) -> bool:
        return not self._stuck and (
            len(self._pending) >= _HAND_OVER_ENTRIES
            or self._bytes >= _HAND_OVER_BYTES
            or (self._eager and time.monotonic() - self._handed_over > _HAND_OVER_SECONDS)
        )

    def _begin(self) -> None:
        """Make a journal of this process's own."""
        try:
            os.makedirs(self._folder, exist_ok=True)
            file, path = _made(self._folder)
        except OSError as fault:
            raise _unavailable(self._folder, fault) from fault
        self._pending, self._bytes = {}, 0
        self._file, self._path = file, path

    def _append(self, data: bytes) -> None:
        try:
            # Asked for, not remembered: Ctrl-C may have struck between any two lines of an earlier call.
            size = os.fstat(self._file).st_size
            if size == 0:
                data = os.urandom(_GENERATION) + data
            written = os.write(self._file, data)
            if written != len(data):
                os.ftruncate(self._file, size)
                raise OSError(28, "no space left for the journal")
        except OSError as fault:
            raise _unavailable(self._path, fault) from fault

    def flush(self) -> None:
        """See :meth:`KVStore.flush`: write what is journaled into the store, and begin the journal anew."""
        with self._lock:
            if not self._pending or self._file < 0:
                return
            self._stuck = True
            self._store.put_many(self._pending)
            os.ftruncate(self._file, 0)
            self._pending, self._bytes = {}, 0
            self._handed_over = time.monotonic()
            self._stuck = False

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`."""
        with self._lock:
            if key in self._pending:
                self.flush()
            return not self._held_by_others([key]) and self._store.create(key, value, ttl)

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`.

        A value that another writer holds back is not the store's yet: it isn't replaced, whatever it is.
        """
        with self._lock:
            if key in self._pending:
                self.flush()
            return not self._held_by_others([key]) and self._store.replace(key, old, new, ttl)

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`."""
        self.flush()
        self._store.delete(keys)

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`."""
        with self._lock:
            self.flush()
            self._read_others()
            held = [other.entries for other in self._others.values()]
        extra = {key: value for entries in held for key, value in entries.items() if key.startswith(prefix)}
        return _merged(self._store.scan(prefix), extra) if extra else self._store.scan(prefix)

    def close(self) -> None:
        """See :meth:`KVStore.close`. The journal is handed over and removed; or else :func:`recover` does it."""
        try:
            with self._lock:
                self._end()
        finally:
            self._store.close()

    def _end(self) -> None:
        if self._file < 0:
            return
        try:
            self.flush()
            with suppress(FileNotFoundError):
                os.unlink(self._path)
        finally:
            os.close(self._file)
            self._start()

    def forget(self) -> None:
        """After a fork, in the child: the journal is the parent's, where its entries are found like any other's."""
        if self._file >= 0:
            os.close(self._file)
        self._lock = threading.RLock()
        self._start()

    def held(self) -> set[str]:
        """The keys that living writers, this one among them, hold back now."""
        with self._lock:
            self._read_others()
            return {*self._pending, *(key for other in self._others.values() for key in other.entries)}

    def _held_by_others(self, keys: list[str]) -> dict[str, bytes]:
        """What other writers hold back now of ``keys``."""
        self._read_others()
        return {key: other.entries[key] for other in self._others.values() for key in keys if key in other.entries}

    def _read_others(self) -> None:
        """Take in what other writers have journaled."""
        self._find_others()
        for path, other in self._others.items():
            other.read(path)

    def _find_others(self) -> None:
        try:
            stamp = os.stat(self._folder).st_mtime_ns
        except OSError:
            stamp = 0
        if stamp == self._listed:
            return
        self._listed = _settled(stamp)
        try:
            names = os.listdir(self._folder)
        except OSError:
            names = []
        paths = [os.path.join(self._folder, name) for name in names if not name.startswith(_UNLOCKED)]
        self._others = {path: self._others.get(path) or _Other() for path in paths if path != self._path}


class _Other:
    """Another writer's journal, as far as it was read."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self._generation = b""
        self._end = 0
        self._stamp = _UNKNOWN

    def read(self, path: str) -> None:
        """Take in what was appended since; forget what was handed over."""
        try:
            status = os.stat(path)
            stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp:
                return
            # Within one tick of the clock, a journal may be handed over and be as long as it was again.
            self._stamp = stamp if _settled(status.st_mtime_ns) == status.st_mtime_ns else _UNKNOWN
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            # It was removed after it was handed over, or is none of our user's.
            self.entries = {}
            return
        try:
            self._read(file)
        finally:
            os.close(file)

    def _read(self, file: int) -> None:
        generation = os.pread(file, _GENERATION, 0)
        if generation != self._generation:
            self.entries, self._generation, self._end = {}, generation, _GENERATION
        size = os.fstat(file).st_size - self._end
        if size <= 0:
            return
        # A read across a hand-over finds bytes of another generation, whose checksums fail.
        for key, value, length in _entries(os.pread(file, size, self._end)):
            self.entries[key] = value
            self._end += length


def _settled(stamp_ns: int) -> int:
    """A time of change, unless it is so recent that another change may leave it the same."""
    return stamp_ns if stamp_ns < time.time_ns() - _TICK_NS else _UNSETTLED


def recover(store: KVStore, folder: str) -> int:
    """Hand over the journals that killed writers left in ``folder``; gives the number of entries."""
    count = 0
    try:
        names = os.listdir(folder)
    except OSError:
        return 0
    for name in names:
        path = os.path.join(folder, name)
        if name.startswith(_UNLOCKED):
            _remove_half_made(path)
        else:
            count += _recover_one(store, path)
    return count


def _recover_one(store: KVStore, path: str) -> int:
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            entries = {key: value for key, value, _ in _entries(file.read()[_GENERATION:])}
            if os.fstat(file.fileno()).st_nlink == 0:
                return 0  # another process was faster
            if entries:
                store.put_many(entries)
            os.unlink(path)
            return len(entries)
    except (OSError, StorageError):
        # Its writer lives, another process is at it, or the store is not to be written now: the next run tries again.
        return 0


def _made(folder: str) -> tuple[int, str]:
    """A new journal, locked: its file descriptor and path. Raises ``OSError``."""
    for attempt in range(_TRIES):
        name = f"{os.getpid()}-{os.urandom(6).hex()}"
        path, unlocked = os.path.join(folder, name), os.path.join(folder, _UNLOCKED + name)
        file = os.open(unlocked, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.rename(unlocked, path)  # from now on it is locked whenever somebody looks
        except OSError as error:
            os.close(file)
            # Somebody took it for a leftover in the moment before it was locked.
            if not isinstance(error, FileNotFoundError) or attempt == _TRIES - 1:
                raise
        else:
            return file, path
    raise AssertionError("unreachable")


def _remove_half_made(path: str) -> None:
    """Of a writer that was killed before it had written anything; :func:`_made` minds if that one lives."""
    with suppress(OSError), open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)


def _merged(stored: Iterator[tuple[str, bytes]], extra: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """``stored`` with ``extra`` put over it, in the order of keys."""
    rest = sorted(extra, reverse=True)
    for key, value in stored:
        while rest and rest[-1] < key:
            name = rest.pop()
            yield name, extra[name]
        if rest and rest[-1] == key:
            rest.pop()
        yield key, extra.get(key, value)
    for name in reversed(rest):
        yield name, extra[name]


def _entry(key: str, value: bytes) -> bytes:
    name = key.encode("utf-8", "surrogatepass")
    return _HEAD.pack(len(name), len(value), zlib.crc32(value, zlib.crc32(name))) + name + value


def _entries(data: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Keys, values and lengths of the entries at the start of ``data``, up to the first that is torn."""
    position = 0
    while position + _HEAD.size <= len(data):
        name_size, value_size, checksum = _HEAD.unpack_from(data, position)
        start = position + _HEAD.size
        end = start + name_size + value_size
        name, value = data[start : start + name_size], data[start + name_size : end]
        if end > len(data) or zlib.crc32(value, zlib.crc32(name)) != checksum:
            return
        yield name.decode("utf-8", "surrogatepass"), value, end - position
        position = end


def _unavailable(path: str, fault: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"{path} can't be written ({fault.strerror or fault}); free some space or get permission to write there"
    )


_journaled: weakref.WeakSet[JournaledKV] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for store in list(_journaled):
        store.forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
