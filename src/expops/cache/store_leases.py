"""Leases in a KV store that machines share: records that their holders renew.

::

    lease/<key>    who holds it and the number of its beat; or that the action has ended with a result

No two clocks are compared. Who waits sees by its own clock for how long a record has not changed; its holder changes
it every few seconds, and has lost it if it hasn't for :data:`EXPIRY`. Each change is a conditional one: of several who
find a lease expired one takes it, and who has lost it finds out. That records expire in the store, after a day, only
clears away what nobody asks for again.

See C. Gray, D. Cheriton, "Leases: an efficient fault-tolerant mechanism for distributed file cache consistency" (1989).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from ..errors import StorageError
from ..kv.base import KVStore
from .lease_renewal import ENDED, LEASE, LIFETIME, Keeper, Reporter, each, record_of
from .leases import UNKNOWN, Held, Holder, Lease, News, Taken, holder_in

EXPIRY: Final = 90.0  # seconds: a store that didn't answer is left alone for 30, and a beat comes every 10
_TRIES: Final = 5


class StoreLeases:
    """Leases in ``store``; see :class:`~expops.cache.leases.Leases`. What is taken is given to ``keeper``."""

    pace = 1.0

    def __init__(
        self,
        store: KVStore,
        keeper: Keeper,
        holder: Holder = UNKNOWN,
        *,
        expiry: float = EXPIRY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.holder = holder
        self._keeper = keeper
        self._store = store
        self._expiry = expiry
        self._clock = clock
        self._seen: dict[str, tuple[bytes, float]] = {}  # records of others, and since when by our clock
        self._lock = threading.Lock()
        self._reports = False
        self._settling: threading.Thread | None = None

    def take(self, keys: Sequence[str]) -> dict[str, Taken]:
        """See :meth:`Leases.take`. One round trip for those that nobody holds, or that were held before."""
        known = [key for key in keys if key in self._seen]
        try:
            records = self._store.get_many([LEASE + key for key in known]) if known else {}
        except StorageError:  # of that, who looks results up tells
            return dict.fromkeys(keys)
        return dict(zip(keys, each(lambda key: self._try(key, records.get(LEASE + key)), keys), strict=True))

    def _try(self, key: str, record: bytes | None) -> Taken:
        try:
            return self._take(key, record)
        except StorageError:
            return None

    def _take(self, key: str, record: bytes | None) -> Taken:
        again = key in self._seen
        mine = record_of(self.holder, os.urandom(8).hex(), 0)
        for _ in range(_TRIES):
            if record is None and self._store.create(LEASE + key, mine, LIFETIME):
                return self._taken(key, mine, again)
            again = True
            if record is None:
                record = self._store.get_many([LEASE + key]).get(LEASE + key)
            if record is None:
                continue
            if not self._is_free(key, record):
                return Held(key, holder_in(record))
            if self._store.replace(LEASE + key, record, mine, LIFETIME):
                return self._taken(key, mine, again)
            record = None
        return Held(key, UNKNOWN)

    def _taken(self, key: str, record: bytes, again: bool) -> Lease:
        with self._lock:
            self._seen.pop(key, None)
        self._keeper.hold(key, record)
        return Lease(key, again)

    def _is_free(self, key: str, record: bytes) -> bool:
        """Whether the lease of that record is nobody's any more."""
        if record == ENDED:
            return True
        now = self._clock()
        with self._lock:
            seen, since = self._seen.get(key, (None, now))
            if seen != record:
                since = now
                self._seen[key] = (record, now)
        return now - since > self._expiry or holder_in(record).is_dead()

    def end(self, lease: Lease, result: str | None) -> None:
        """See :meth:`Leases.end`. Others have the lease when they can find the result."""
        if result and self._reports:
            self._hand_over()
        self._keeper.end(lease.key, result or "")

    def _hand_over(self) -> None:
        try:
            self._store.flush()
        except StorageError:  # of that, who records results tells
            return

    def settle(self, flush: Callable[[], object]) -> None:
        """See :meth:`Leases.settle`. The run knows the results already, and the store may be far."""
        self._join()
        self._settling = threading.Thread(target=flush, name="expops-hand-over")
        self._settling.start()

    def _join(self) -> None:
        if self._settling is not None:
            self._settling.join()
            self._settling = None

    def report(self, tell: Callable[[News], object]) -> None:
        """From now on, in a worker: the run that it works for keeps what is taken here, and ``tell`` tells it."""
        self._join()  # user code is to come, and may fork
        self._keeper = Reporter(tell)
        self._reports = True

    def heard(self, task: str, news: News) -> None:
        """Take in what the worker at ``task`` tells."""
        if news.ended is None:
            self._keeper.hold(news.key, news.record, task)
        else:
            self._keeper.end(news.key, news.ended)

    def lost(self, task: str) -> None:
        """The worker at ``task`` is gone."""
        self._keeper.lost(task)

    def close(self) -> None:
        """See :meth:`Leases.close`."""
        self._join()
        self._keeper.close()
