"""A KV store in Redis (or Valkey), for caches that several machines share.

Values lie under ``{prefix}v:KEY``, so that the server's own expiry applies; the sorted set ``{prefix}keys``, all of
score 0, has the keys in the order of their bytes, which is that of their code points. An entry that expired leaves its
key in the set until a scan meets it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, TypeVar

import redis
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry

from ..errors import StoreUnavailable
from .address import told_of, without_credentials

T = TypeVar("T")

_BATCH: Final = 1000
_BATCH_BYTES: Final = 16 << 20
_SECONDS: Final = 10.0  # for a reply
_CONNECT_SECONDS: Final = 3.0
_RETRIES: Final = 1  # a connection that has been idle may be gone
# Greater than every byte of UTF-8: the end of a range of keys with one beginning.
_END: Final = b"\xff"
# A key whose entry has expired leaves the set, unless somebody has made the entry anew meanwhile.
_TIDY: Final = """
for number = 2, #KEYS do
  if redis.call('EXISTS', KEYS[number]) == 0 then redis.call('ZREM', KEYS[1], ARGV[number - 1]) end
end
"""

# The last argument: milliseconds to live, 0 for ever, -1 to delete.
_REPLACE: Final = """
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
local lifetime = tonumber(ARGV[4])
if lifetime < 0 then
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', KEYS[1], ARGV[1])
elseif lifetime == 0 then
  redis.call('SET', KEYS[2], ARGV[3])
else
  redis.call('SET', KEYS[2], ARGV[3], 'PX', lifetime)
end
return 1
"""


class RedisKV:
    """A :class:`~expops.kv.base.KVStore` at ``url`` (``redis://``, ``rediss://``, ``unix://``).

    ``prefix`` separates caches that share a database. Reads and writes are tried again when the connection breaks;
    :meth:`create` and :meth:`replace` are not, since their first try may have succeeded: they raise
    :class:`~expops.errors.StoreUnavailable` then.
    """

    def __init__(self, url: str, *, prefix: str = "expops:") -> None:
        self._url = url
        # In a cluster, what is in braces decides where a key lies: all at one place, as transactions need it.
        self._prefix = b"{%b}" % prefix.encode("utf-8", "surrogatepass")
        self._keys = self._prefix + b"keys"
        self._made: tuple[int, redis.Redis, redis.Redis] | None = None

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`."""
        found: dict[str, bytes] = {}
        wanted = iter(dict.fromkeys(keys))
        while batch := list(islice(wanted, _BATCH)):
            values = self._try(self._values, [_encode(key) for key in batch])
            found.update({key: value for key, value in zip(batch, values, strict=True) if value is not None})
        return found

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self.put_many({key: value})

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`. One transaction for at most 1,000 items or 16 MiB."""
        for batch in _batches(items):
            self._try(self._write, batch)

    def _write(self, client: redis.Redis, items: list[tuple[bytes, bytes]]) -> None:
        transaction = client.pipeline(transaction=True)
        transaction.mset({self._place(key): value for key, value in items})
        transaction.zadd(self._keys, {key: 0 for key, _ in items})
        transaction.execute()

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`."""
        name = _encode(key)
        milliseconds = _lifetime(value, ttl) or None

        def write(client: redis.Redis) -> bool:
            transaction = client.pipeline(transaction=True)
            transaction.set(self._place(name), value, nx=True, px=milliseconds)
            transaction.zadd(self._keys, {name: 0})
            return bool(transaction.execute()[0])

        return self._try(write, again=False)

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`."""
        name = _encode(key)
        places = [self._keys, self._place(name)]
        values = [name, old, b"" if new is None else new, _lifetime(new, ttl)]
        return bool(self._try(lambda client: client.eval(_REPLACE, len(places), *places, *values), again=False))

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`."""
        names = iter(_encode(key) for key in keys)
        while batch := list(islice(names, _BATCH)):
            self._try(self._remove, batch)

    def _remove(self, client: redis.Redis, names: list[bytes]) -> None:
        transaction = client.pipeline(transaction=True)
        transaction.delete(*[self._place(name) for name in names])
        transaction.zrem(self._keys, *names)
        transaction.execute()

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`. Reads in pages: what is written meanwhile may or may not show."""
        start = _encode(prefix)
        low, high = b"[" + start, b"(" + start + _END
        while True:
            names = self._try(self._range, low, high)
            if not names:
                return
            values = self._try(self._values, names)
            for name, value in zip(names, values, strict=True):
                if value is not None:
                    yield name.decode("utf-8", "surrogatepass"), value
            self._tidy([name for name, value in zip(names, values, strict=True) if value is None])
            if len(names) < _BATCH:
                return
            low = b"(" + names[-1]

    def _tidy(self, names: list[bytes]) -> None:
        if names:
            places = [self._keys, *map(self._place, names)]
            self._try(lambda client: client.eval(_TIDY, len(places), *places, *names))

    def _values(self, client: redis.Redis, names: list[bytes]) -> list[bytes | None]:
        found: list[bytes | None] = client.mget([self._place(name) for name in names])
        return found

    def _range(self, client: redis.Redis, low: bytes, high: bytes) -> list[bytes]:
        names: list[bytes] = client.zrange(self._keys, low, high, bylex=True, offset=0, num=_BATCH)
        return names

    def flush(self) -> None:
        """See :meth:`KVStore.flush`. Nothing is held back."""

    def close(self) -> None:
        """See :meth:`KVStore.close`. After it, the store can be used again: it then connects anew."""
        made, self._made = self._made, None
        if made is not None and made[0] == os.getpid():
            for client in made[1:]:
                client.close()

    def _place(self, name: bytes) -> bytes:
        return b"%bv:%b" % (self._prefix, name)

    def _try(self, work: Callable[..., T], *args: object, again: bool = True) -> T:
        """``work`` with a client and ``args``; ``again`` if the connection breaks."""
        try:
            return work(self._client(again=again), *args)
        except (redis.RedisError, OSError) as fault:
            told = told_of(self._url, fault)
            raise StoreUnavailable(f"Redis at {without_credentials(self._url)} can't be used: {told}") from fault

    def _client(self, *, again: bool) -> redis.Redis:
        """The client of this process: a child of a fork must not talk on its parent's connections."""
        if self._made is None or self._made[0] != os.getpid():
            patient = self._connected(Retry(ConstantBackoff(0.05), _RETRIES))
            self._made = (os.getpid(), patient, self._connected(Retry(NoBackoff(), 0)))
        return self._made[1 if again else 2]

    def _connected(self, retry: Retry) -> redis.Redis:
        try:
            return redis.Redis.from_url(
                self._url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_SECONDS, retry=retry
            )
        except ValueError as fault:
            told = f"'{without_credentials(self._url)}' is no address of a Redis ({told_of(self._url, fault)})"
            raise StoreUnavailable(f"{told}; write redis://HOST:PORT/DATABASE") from fault


def _encode(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _lifetime(value: bytes | None, ttl: float | None) -> int:
    """Milliseconds for :data:`_REPLACE`."""
    if value is None:
        return -1
    return 0 if ttl is None else max(round(ttl * 1000), 1)


def _batches(items: Mapping[str, bytes]) -> Iterator[list[tuple[bytes, bytes]]]:
    batch: list[tuple[bytes, bytes]] = []
    size = 0
    for key, value in items.items():
        if batch and (len(batch) >= _BATCH or size + len(value) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((_encode(key), value))
        size += len(value)
    if batch:
        yield batch
