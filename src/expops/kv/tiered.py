"""A local KV store over a remote one: read through, written behind (docs/decisions/0013)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple, TypeAlias, TypeVar

from ..errors import StorageError
from . import outbox
from .base import KVStore

T = TypeVar("T")
_VAIN_SECONDS: Final = 5.0
_VAIN_SHARE: Final = 0.2
Merge: TypeAlias = Callable[[bytes | None, bytes], bytes]


class Kinds(NamedTuple):
    """Which keys are kept where, by what they begin with.

    ``shared`` are kept on both sides, ``own`` on this machine only; all others (leases, say) are the remote store's
    alone. Of ``followed``, all are fetched that lie below a prefix of which this machine has none. The values of
    ``merged`` are put together out of both sides; they are hints, and only asked for along with other keys. Nobody asks
    the remote store for ``unasked`` keys but :mod:`cache pull <expops.engine.transfer>`: who lacks one writes it anew.
    """

    shared: tuple[str, ...]
    own: tuple[str, ...] = ()
    followed: tuple[str, ...] = ()
    merged: Mapping[str, Merge] = {}
    unasked: tuple[str, ...] = ()


class TieredKV:
    """A :class:`~expops.kv.base.KVStore` that asks ``remote`` for what ``local`` has not got, and keeps it there.

    Writes go to ``local``, with a mark for whoever uploads if ``uploads``. A remote store that can't be asked has
    nothing, of which ``warn`` is told. :meth:`scan` gives what this machine has: of shared keys, not what others have.

    Asking in vain takes up to five seconds and a fifth of all time, by ``clock``: thousands of calls that are made more
    quickly than they are looked up must not wait for a network each. Beyond that, what is not here is not there.
    """

    def __init__(
        self,
        local: KVStore,
        remote: KVStore,
        kinds: Kinds,
        *,
        uploads: bool,
        warn: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._local = local
        self._remote = remote
        self._kinds = kinds
        self._own = (outbox.MARKS, outbox.GONE, *kinds.own)
        self._uploads = uploads
        self._warn = warn
        self._clock = clock
        self._opened = clock()
        self._vain = 0.0

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`. What is fetched is kept."""
        wanted = list(dict.fromkeys(keys))
        here = [key for key in wanted if key.startswith((*self._kinds.shared, *self._own))]
        found = self._local.get_many(here) if here else {}
        if len(found) == len(wanted):
            return found
        never = (*self._own, *self._kinds.unasked)
        missing = [key for key in wanted if key not in found and not key.startswith(never)]
        gone = outbox.gone(self._local, [key for key in missing if key.startswith(self._kinds.shared)])
        ask = [key for key in missing if key not in gone]
        merged = tuple(self._kinds.merged)
        if all(key.startswith(merged) for key in ask):
            return found
        # Along with what is missing, at no cost in time, what others may have added to.
        ask += [key for key in found if key.startswith(merged)]
        return found | self._fetched(ask, found)

    def _fetched(self, keys: list[str], known: Mapping[str, bytes]) -> dict[str, bytes]:
        began = self._clock()
        if self._vain > _VAIN_SECONDS + _VAIN_SHARE * (began - self._opened):
            return {}
        there = self._ask(lambda: self._remote.get_many(keys))
        if not there:
            self._vain += self._clock() - began
        fetched = {key: self._merged(key, known.get(key), value) for key, value in (there or {}).items()}
        self._keep({key: value for key, value in fetched.items() if known.get(key) != value})
        return fetched

    def _merged(self, key: str, mine: bytes | None, theirs: bytes) -> bytes:
        for kind, merge in self._kinds.merged.items():
            if key.startswith(kind):
                return merge(mine, theirs)
        return theirs

    def _keep(self, items: Mapping[str, bytes]) -> None:
        shared = {key: value for key, value in items.items() if key.startswith(self._kinds.shared)}
        # A convenience: what can't be kept is fetched again.
        with suppress(StorageError):
            self._local.put_many(shared)

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self.put_many({key: value})

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`."""
        other = {key: value for key, value in items.items() if not key.startswith((*self._kinds.shared, *self._own))}
        mine = {key: value for key, value in items.items() if key not in other}
        shared = [key for key in mine if key.startswith(self._kinds.shared)]
        if shared and self._uploads:
            mine.update([outbox.mark(shared)])
        if mine:
            self._local.put_many(mine)
        if other:
            self._remote.put_many(other)

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`. The remote store alone can tell who was first."""
        return (self._local if key.startswith(self._own) else self._remote).create(key, value, ttl)

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`. Not for shared keys: of two values neither is the live one."""
        if key.startswith(self._kinds.shared):
            raise ValueError(f"'{key}' is kept on both sides, where it can't be replaced as one")
        return (self._local if key.startswith(self._own) else self._remote).replace(key, old, new, ttl)

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`. Of shared keys, the remote store's are deleted by whoever uploads."""
        unwanted = list(keys)
        shared = [key for key in unwanted if key.startswith(self._kinds.shared)]
        if shared:
            marks = {outbox.GONE + key: b"" for key in shared}
            self._local.put_many(marks | (dict([outbox.mark(shared)]) if self._uploads else {}))
        self._local.delete([key for key in unwanted if key.startswith((*self._kinds.shared, *self._own))])
        other = [key for key in unwanted if not key.startswith((*self._kinds.shared, *self._own))]
        if other:
            self._remote.delete(other)

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`."""
        if not prefix.startswith((*self._kinds.shared, *self._own)):
            return self._remote.scan(prefix)
        found = self._local.scan(prefix)
        return self._followed(prefix, found) if prefix.startswith(self._kinds.followed) else found

    def _followed(self, prefix: str, found: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        first = next(found, None)
        if first is not None:
            yield first
            yield from found
            return
        entries = self._ask(lambda: self._remote.scan(prefix)) or iter(())
        while (entry := self._ask(lambda: next(entries, None))) is not None:
            self._keep(dict([entry]))
            yield entry

    def _ask(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except StorageError as fault:
            self._warn(str(fault))
            return None

    def flush(self) -> None:
        """See :meth:`KVStore.flush`."""
        self._local.flush()

    def close(self) -> None:
        """See :meth:`KVStore.close`."""
        try:
            self._local.close()
        finally:
            self._remote.close()
