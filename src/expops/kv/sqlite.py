"""The embedded KV store: one SQLite file in WAL mode, shared by any number of threads and processes.

::

    kv.db        kv(key, value, expires), ordered by key; a value ends with a checksum of itself and its key
    kv.db-wal    SQLite's own: what is not yet in kv.db; belongs to it, never delete it alone
    kv.db-shm    SQLite's own: the index of the WAL

Connections are kept in a pool and belong to one call at a time. None is open across a fork: SQLite's locks
would then be held by name only, and a child would go on writing to a WAL that somebody else has removed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeAlias, TypeVar
from zlib import crc32

T = TypeVar("T")
Row: TypeAlias = tuple[bytes, bytes, float | None]  # key, value, expires

_FORMAT: Final = 1  # of the file, kept in its user_version
_BATCH: Final = 512  # keys in one statement; SQLite's own bound is 32,766
_PAGE_ROWS: Final = 64
_WAIT_IN_SQLITE: Final = 1.0  # seconds; then control comes back, and the whole call is tried again
_SEAL: Final = 4  # bytes of a checksum
_FORK_PATIENCE: Final = 5.0

_PUT: Final = "INSERT OR REPLACE INTO kv(key, value, expires) VALUES (?, ?, NULL)"
_CREATE: Final = (
    "INSERT INTO kv(key, value, expires) VALUES (?1, ?2, ?3) ON CONFLICT(key) DO UPDATE"
    " SET value = excluded.value, expires = excluded.expires WHERE expires <= ?4"
)
_IF: Final = "WHERE key = ? AND value = ? AND (expires IS NULL OR expires > ?)"
_REPLACE: Final = f"UPDATE kv SET value = ?, expires = ? {_IF}"
_REMOVE: Final = f"DELETE FROM kv {_IF}"
_SCAN: Final = f"SELECT key, value, expires FROM kv WHERE key >= ? AND key < ? ORDER BY key LIMIT {_PAGE_ROWS}"
_GET: Final = "SELECT key, value, expires FROM kv WHERE key "
# By number of keys: for a few, this is faster than IN, which builds a table of them first.
_SELECT: Final = [" UNION ALL ".join([f"{_GET} = ?"] * size) for size in range(9)]
_RETRIED: Final = {
    sqlite3.SQLITE_BUSY,  # also during the recovery of a WAL and the switch to WAL mode
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,  # lost a race for the WAL's locks
}
# UTF-8 is ordered as code points are, and no byte of it is 0xff: greater than every key.
_END: Final = b"\xff"


def _encode(key: str) -> bytes:
    """Keys are kept as bytes: as text, SQLite would end them at NUL and refuse lone surrogates."""
    return key.encode("utf-8", "surrogatepass")


class SQLiteKV:
    """A :class:`~expops.kv.base.KVStore` in the file ``path``, made with its folder when first used.

    Survives ``kill -9``: what a call has written when it returns is there afterwards. A loss of power may
    undo the last writes, and never damages the file.

    Besides :class:`~expops.errors.StoreUnavailable`, methods raise :class:`~expops.errors.CorruptData` when
    the file isn't a sound database; a single damaged record is as if it weren't there. After :meth:`close`,
    a store can be used again: it then opens anew.
    """

    def __init__(self, path: str | os.PathLike[str], *, patience: float = 60.0) -> None:
        """``patience``: seconds for which others may hold the file locked before a call gives up."""
        self._path = os.path.abspath(os.fspath(path))
        self._patience = patience
        self._idle: list[sqlite3.Connection] = []  # append and pop are atomic
        self._all: set[sqlite3.Connection] = set()
        self._inode: tuple[int, int] | None = None  # of the file that the connections have open
        self._opening = threading.Lock()
        self._draining = False
        _stores.add(self)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        names = {key.encode("utf-8", "surrogatepass"): key for key in keys}
        if len(names) < len(_SELECT):
            rows = self._call(_fetch, _SELECT[len(names)], tuple(names)) if names else []
        else:
            rows = [row for batch in _batches(names) for row in self._call(_fetch, _wide_select(batch), batch)]
        return {names[key]: value for key, value in _live(rows) if key in names}

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self._change(_write, _PUT, [_sealed(key, value)])

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`."""
        rows = [_sealed(key, value) for key, value in items.items()]
        if rows:
            self._change(_write, _PUT, rows)

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`."""
        return self._change(_create, *_sealed(key, value), ttl)

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`."""
        name, before = _sealed(key, old)
        if new is None:
            return self._change(_exchange, _REMOVE, (name, before, time.time()))
        now = time.time()
        row = (_sealed(key, new)[1], None if ttl is None else now + ttl, name, before, now)
        return self._change(_exchange, _REPLACE, row)

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`."""
        rows = [(_encode(key),) for key in keys]
        if rows:
            self._change(_write, "DELETE FROM kv WHERE key = ?", rows)

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`. Reads in pages: what is written meanwhile may or may not show."""
        start = _encode(prefix)
        end = start[:-1] + bytes([start[-1] + 1]) if start else _END
        while True:
            rows = self._call(_fetch, _SCAN, (start, end))
            for key, value in _live(rows):
                yield key.decode("utf-8", "surrogatepass"), value
            if len(rows) < _PAGE_ROWS:
                return
            start = max(start, rows[-1][0]) + b"\0"  # the least key after the last one seen

    def flush(self) -> None:
        """See :meth:`KVStore.flush`. Nothing is held back."""

    def close(self) -> None:
        """See :meth:`KVStore.close`. Calls under way in other threads end normally."""
        with self._opening:
            self._drain(patience=0.0)

    # --- connections

    def _change(self, work: Callable[..., T], *args: object) -> T:
        """Like :meth:`_call`, but never into a file that was removed while it was open: that would be lost."""
        if self._idle and _inode(self._path) != self._inode:
            self.close()
        return self._call(work, *args)

    def _call(self, work: Callable[..., T], *args: object) -> T:
        """Run ``work`` on a connection; again, while others hold the file locked."""
        deadline = 0.0
        while True:
            try:
                return self._once(work, *args)
            except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter for a damaged name in a message
                # Not at the top: error messages are not on the path of a run in which all goes well.
                from ._sqlite_faults import fault

                code = getattr(error, "sqlite_errorcode", 0)
                now = time.monotonic()
                deadline = deadline or now + self._patience
                if code & 0xFF not in _RETRIED or now > deadline:
                    raise fault(error, self._path) from error
            time.sleep(0.002)

    def _once(self, work: Callable[..., T], *args: object) -> T:
        connection = self._idle_connection() or self._open()
        sound = False
        try:
            result = work(connection, *args)
            sound = True
        finally:
            if sound and not self._draining:
                self._idle.append(connection)
            else:
                self._discard(connection)
        return result

    def _idle_connection(self) -> sqlite3.Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _open(self) -> sqlite3.Connection:
        with self._opening:
            connection = _connect(self._path)
            self._all.add(connection)
            self._inode = _inode(self._path)
        return connection

    def _discard(self, connection: sqlite3.Connection) -> None:
        """Close ``connection``, which also rolls back what it had begun."""
        connection.close()
        self._all.discard(connection)  # not before: a fork waits until SQLite is left

    def _drain(self, patience: float) -> None:
        """Close all idle connections, and for ``patience`` seconds those in use as they come back.

        The caller holds ``_opening``, so that no new ones are opened meanwhile.
        """
        deadline = time.monotonic() + patience
        self._draining = True
        while True:
            while self._idle:
                self._discard(self._idle.pop())
            if not self._all or time.monotonic() >= deadline:
                break
            time.sleep(0.001)
        self._draining = False

    # --- forks

    def pause(self) -> bool:
        """Before a fork: close all connections, and open none until :meth:`resume`."""
        if not self._opening.acquire(timeout=_FORK_PATIENCE):
            return False
        self._drain(_FORK_PATIENCE)
        return True

    def resume(self) -> None:
        """After a fork, in the parent."""
        self._opening.release()

    def forget(self) -> object:
        """After a fork, in the child: start anew.

        Gives the connections that could not be closed in time; to close them here would drop the parent's locks.
        """
        leftover = (self._all, self._idle)
        self._all, self._idle, self._draining = set(), [], False
        self._opening = threading.Lock()
        return leftover

    def __del__(self) -> None:
        """Close what nobody can use any more, where Python would warn of open connections."""
        for connection in getattr(self, "_all", ()):
            connection.close()


def _batches(names: dict[bytes, str]) -> Iterator[tuple[bytes, ...]]:
    rest = iter(names)
    while batch := tuple(islice(rest, _BATCH)):
        yield batch


def _wide_select(batch: tuple[bytes, ...]) -> str:
    return f"{_GET} IN ({','.join('?' * len(batch))})"


def _fetch(connection: sqlite3.Connection, statement: str, values: tuple[bytes, ...]) -> list[Row]:
    return connection.execute(statement, values).fetchall()


def _sealed(key: str, value: bytes) -> tuple[bytes, bytes]:
    """A key, and a value with a checksum of both: SQLite has none of its own."""
    name = _encode(key)
    return name, value + crc32(value, crc32(name)).to_bytes(_SEAL, "little")


def _live(rows: list[Row]) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of what has not expired. A damaged record is as if it weren't there."""
    for key, sealed, expires in rows:
        if type(key) is not bytes or type(sealed) is not bytes:
            continue
        value = sealed[:-_SEAL]
        if crc32(value, crc32(key)).to_bytes(_SEAL, "little") != sealed[-_SEAL:]:
            continue
        if expires is None or expires > time.time():
            yield key, value


def _write(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[bytes, ...]]) -> None:
    """One transaction, which has the write lock from its start: an upgrade in the middle could not wait."""
    if len(rows) == 1:  # a statement by itself is such a transaction, too
        connection.execute(statement, rows[0])
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(statement, rows)
    connection.execute("COMMIT")


def _create(connection: sqlite3.Connection, key: bytes, sealed: bytes, ttl: float | None) -> bool:
    now = time.time()
    row = (key, sealed, None if ttl is None else now + ttl, now)
    return connection.execute(_CREATE, row).rowcount > 0


def _exchange(connection: sqlite3.Connection, statement: str, row: tuple[object, ...]) -> bool:
    return connection.execute(statement, row).rowcount > 0


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _connect(path: str) -> sqlite3.Connection:
    # First, and not after a failure: where others make folder and file meanwhile, SQLite opens the file read-only.
    if not os.path.isdir(os.path.dirname(path)):
        _make_folder(path)
    # Passed between threads, but used by one at a time.
    connection = sqlite3.connect(path, timeout=_WAIT_IN_SQLITE, isolation_level=None, check_same_thread=False)
    try:
        _set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_folder(path: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        from ._sqlite_faults import no_folder

        raise no_folder(error, path) from error


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == _FORMAT:
        return
    if version:
        from ._sqlite_faults import other_format

        raise other_format(connection, version)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS kv(key BLOB PRIMARY KEY, value BLOB NOT NULL, expires REAL) WITHOUT ROWID"
    )
    connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.execute("COMMIT")


_stores: weakref.WeakSet[SQLiteKV] = weakref.WeakSet()
_forking: list[SQLiteKV] = []
_abandoned: list[object] = []  # kept, so that nothing closes them


def _before_fork() -> None:
    _forking.extend(store for store in list(_stores) if store.pause())


def _after_fork() -> None:
    while _forking:
        _forking.pop().resume()


def _after_fork_in_child() -> None:
    _forking.clear()
    for store in list(_stores):
        _abandoned.append(store.forget())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
