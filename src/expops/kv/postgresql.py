"""A KV store in a table of PostgreSQL, for caches that several machines share.

Keys are kept as bytes, which PostgreSQL orders one by one; since an index takes only short ones, uniqueness is of their
SHA-256, and the order of their beginnings. Times are the server's, so that the clocks of clients don't matter.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

import psycopg

from ..errors import StoreUnavailable
from .address import told_of, without_credentials

T = TypeVar("T")

_BATCH: Final = 1000
_PAGE: Final = 500
_SECONDS: Final = 3  # for a connection
_TRIES: Final = 3
_INDEXED: Final = 1024  # bytes of a key that the index orders by
_RETRIED: Final = (psycopg.OperationalError, psycopg.InterfaceError)
_LOCK: Final = 0x6578706F7073  # of the advisory lock under which the table is made

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS {table} (key bytea NOT NULL, value bytea NOT NULL, expires timestamptz);
CREATE UNIQUE INDEX IF NOT EXISTS {table}_unique ON {table} (sha256(key));
CREATE INDEX IF NOT EXISTS {table}_order ON {table} (substr(key, 1, {indexed}));
ALTER TABLE {table} ALTER COLUMN value SET STORAGE EXTERNAL
"""
_LIVE: Final = "(expires IS NULL OR expires > clock_timestamp())"
_GET: Final = f"SELECT key, value FROM {{table}} WHERE sha256(key) = ANY(%s) AND {_LIVE}"
_PUT: Final = """
INSERT INTO {table} (key, value) SELECT * FROM unnest(%s::bytea[], %s::bytea[])
ON CONFLICT (sha256(key)) DO UPDATE SET value = excluded.value, expires = NULL
"""
_CREATE: Final = """
INSERT INTO {table} AS old (key, value, expires)
VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (sha256(key)) DO UPDATE SET value = excluded.value, expires = excluded.expires
WHERE old.expires <= clock_timestamp()
"""
_IF: Final = f"WHERE sha256(key) = %s AND value = %s AND {_LIVE}"
_REPLACE: Final = f"""
UPDATE {{table}} SET value = %s, expires = clock_timestamp() + make_interval(secs => %s) {_IF}
"""
_REMOVE: Final = f"DELETE FROM {{table}} {_IF}"
_DELETE: Final = "DELETE FROM {table} WHERE sha256(key) = ANY(%s)"
_SCAN: Final = f"""
SELECT key, value FROM {{table}}
WHERE substr(key, 1, {{indexed}}) >= substr(%(low)s::bytea, 1, {{indexed}})
AND substr(key, 1, {{indexed}}) <= substr(%(end)s::bytea, 1, {{indexed}})
AND key >= %(low)s AND key < %(end)s AND {_LIVE}
ORDER BY substr(key, 1, {{indexed}}), key LIMIT {_PAGE}
"""
# Greater than every byte of UTF-8: the end of a range of keys with one beginning.
_END: Final = b"\xff"


class PostgreSQLKV:
    """A :class:`~expops.kv.base.KVStore` in the database at ``url`` (``postgresql://``), in a table made if need be.

    Reads and writes are tried again when the connection breaks; :meth:`create` and :meth:`replace` are not, since
    their first try may have succeeded: they raise :class:`~expops.errors.StoreUnavailable` then.
    """

    def __init__(self, url: str, *, table: str = "expops_kv") -> None:
        if not (table.isascii() and table.isidentifier()):
            raise ValueError(f"'{table}' is no name for a table; use letters, digits and underscores")
        self._url = url
        self._table = table.lower()
        self._process = os.getpid()
        self._idle: list[psycopg.Connection[Any]] = []  # append and pop are atomic
        self._making = threading.Lock()
        self._there = False

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        found: dict[str, bytes] = {}
        wanted = iter(dict.fromkeys(keys))
        while batch := {_encode(key): key for key in islice(wanted, _BATCH)}:
            rows = self._rows(_GET, ([_sha256(name) for name in batch],))
            found.update({batch[key]: value for key, value in rows if key in batch})
        return found

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self.put_many({key: value})

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`. One statement for each 1,000 items."""
        # In one order for all writers, or two of them could wait for each other.
        rows = iter(sorted((_encode(key), value) for key, value in items.items()))
        while batch := list(islice(rows, _BATCH)):
            self._run(_PUT, ([key for key, _ in batch], [value for _, value in batch]))

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`."""
        return self._run(_CREATE, (_encode(key), value, ttl), again=False) > 0

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`."""
        name = _sha256(_encode(key))
        if new is None:
            return self._run(_REMOVE, (name, old), again=False) > 0
        return self._run(_REPLACE, (new, ttl, name, old), again=False) > 0

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`."""
        names = iter(sorted({_sha256(_encode(key)) for key in keys}))
        while batch := list(islice(names, _BATCH)):
            self._run(_DELETE, (batch,))

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`. Reads in pages: what is written meanwhile may or may not show."""
        low = _encode(prefix)
        end = low + _END
        while True:
            rows = self._rows(_SCAN, {"low": low, "end": end})
            for key, value in rows:
                yield key.decode("utf-8", "surrogatepass"), value
            if len(rows) < _PAGE:
                return
            low = rows[-1][0] + b"\0"  # the least key after the last one seen

    def flush(self) -> None:
        """See :meth:`KVStore.flush`. Nothing is held back."""

    def close(self) -> None:
        """See :meth:`KVStore.close`. After it, the store can be used again: it then connects anew."""
        if self._process == os.getpid():
            while self._idle:
                self._idle.pop().close()

    def _rows(self, statement: str, values: Any) -> list[tuple[bytes, bytes]]:
        return self._try(lambda connection: self._execute(connection, statement, values).fetchall())

    def _run(self, statement: str, values: Any, *, again: bool = True) -> int:
        return int(self._try(lambda connection: self._execute(connection, statement, values).rowcount, again=again))

    def _execute(self, connection: psycopg.Connection[Any], statement: str, values: Any) -> psycopg.Cursor[Any]:
        return connection.execute(statement.format(table=self._table, indexed=_INDEXED).encode(), values, binary=True)

    def _try(self, work: Callable[[psycopg.Connection[Any]], T], *, again: bool = True) -> T:
        for attempt in range(_TRIES):
            try:
                return self._once(work)
            except psycopg.Error as fault:
                if not again or attempt == _TRIES - 1 or not isinstance(fault, _RETRIED):
                    raise self._unavailable(fault) from fault
            time.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")

    def _unavailable(self, fault: Exception) -> StoreUnavailable:
        where = without_credentials(self._url) or "the configured address"
        return StoreUnavailable(f"PostgreSQL at {where} can't be used: {told_of(self._url, fault)}")

    def _once(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        connection = self._connection()
        sound = False
        try:
            result = work(connection)
            sound = True
        finally:
            if sound:
                self._idle.append(connection)
            else:
                connection.close()
        return result

    def _connection(self) -> psycopg.Connection[Any]:
        if self._process != os.getpid():
            # After a fork: the connections are the parent's, and to close them would end its sessions.
            self._parents, self._idle, self._process = self._idle, [], os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _open(self) -> psycopg.Connection[Any]:
        try:
            connection: psycopg.Connection[Any] = psycopg.connect(
                self._url, autocommit=True, connect_timeout=_SECONDS, application_name="expops"
            )
        except psycopg.Error as fault:
            raise self._unavailable(fault) from fault  # to try again is for connections that were sound before
        with self._making:
            if not self._there:
                self._make_table(connection)
                self._there = True
        return connection

    def _make_table(self, connection: psycopg.Connection[Any]) -> None:
        if connection.execute("SELECT to_regclass(%s)", (f"{self._table}_order",)).fetchone() != (None,):
            return
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            connection.execute(_TABLE.format(table=self._table, indexed=_INDEXED).encode())


def _encode(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _sha256(name: bytes) -> bytes:
    return hashlib.sha256(name).digest()
