"""Keeping leases in a KV store: a thread renews them, and gives each back when its result has arrived there.

A worker leaves that to the run that it works for: user code may hold up all threads of its process for minutes.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol, TypeVar

from ..errors import StorageError
from ..kv.base import KVStore
from .leases import Holder, News, pack

T = TypeVar("T")

LEASE: Final = "lease/"
LIFETIME: Final = 86_400.0  # seconds, of a record that nobody renews
ENDED: Final = b"ended"
BEAT: Final = 10.0  # seconds
_ENDED_LIFETIME: Final = 3_600.0  # seconds; who looked an action up before it ended is about to ask for its lease
_LOOK: Final = 1.0  # seconds after which it is looked again whether results have arrived
_PARALLEL: Final = 8


class Keeper(Protocol):
    """Who looks after leases from when they are taken on."""

    def hold(self, key: str, record: bytes, task: str = "") -> None:
        """A lease was taken by writing ``record``, by the worker at ``task`` if it is named."""

    def end(self, key: str, result: str) -> None:
        """Its action has ended."""

    def lost(self, task: str) -> None:
        """The worker at that task is gone; it ends nothing any more."""

    def close(self) -> None:
        """Give back all that is held."""


class Reporter:
    """The keeper of a worker's leases: it tells the run."""

    def __init__(self, tell: Callable[[News], object]) -> None:
        self._tell = tell

    def hold(self, key: str, record: bytes, task: str = "") -> None:
        """See :meth:`Keeper.hold`."""
        self._tell(News(key, record, None))

    def end(self, key: str, result: str) -> None:
        """See :meth:`Keeper.end`."""
        self._tell(News(key, b"", result))

    def lost(self, task: str) -> None:
        """See :meth:`Keeper.lost`. A worker has none of its own."""

    def close(self) -> None:
        """See :meth:`Keeper.close`. What it held, the run holds."""


class _Mine:
    """A lease that is held: its record now, who took it, and the result that is on its way, if any."""

    def __init__(self, record: bytes, task: str) -> None:
        self.record = record
        self.task = task
        self.result = ""
        self.lock = threading.Lock()  # held while its record is exchanged


class Renewer:
    """The keeper of a run's leases in ``store``. ``waiting`` gives the keys of records that have yet to be uploaded."""

    def __init__(self, store: KVStore, *, waiting: Callable[[], Collection[str]] = tuple, beat: float = BEAT) -> None:
        self._store = store
        self._waiting = waiting
        self._beat = beat
        self._mine: dict[str, _Mine] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def hold(self, key: str, record: bytes, task: str = "") -> None:
        """See :meth:`Keeper.hold`."""
        with self._lock:
            self._mine[key] = _Mine(record, task)
            if self._thread is None:
                self._closing = False
                self._thread = threading.Thread(target=self._work, name="expops-leases", daemon=True)
                self._thread.start()

    def end(self, key: str, result: str) -> None:
        """See :meth:`Keeper.end`."""
        with self._lock:
            mine = self._mine.get(key)
            if mine is not None:
                mine.result = result
        if mine is None:
            return
        if result:
            self._wake.set()
        else:
            self._give_back([key], None)

    def lost(self, task: str) -> None:
        """See :meth:`Keeper.lost`."""
        with self._lock:
            keys = [key for key, mine in self._mine.items() if mine.task == task and not mine.result]
        self._give_back(keys, None)

    def close(self) -> None:
        """See :meth:`Keeper.close`. A result that has not arrived by now will be found by nobody else for a while."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._closing = True
        if thread is not None:
            self._wake.set()
            thread.join()
        self._give_back(self._arrived(), ENDED)
        self._give_back(list(self._mine), None)

    def _work(self) -> None:
        renewed = time.monotonic()
        while not self._closing:
            coming = any(mine.result for mine in list(self._mine.values()))
            self._wake.wait(min(_LOOK, self._beat) if coming else self._beat)
            self._wake.clear()
            self._give_back(self._arrived(), ENDED)
            if time.monotonic() - renewed >= self._beat:
                renewed = time.monotonic()
                each(self._renew, list(self._mine))
                self._hand_over()

    def _hand_over(self) -> None:
        """Let others see how the run is getting on."""
        try:
            self._store.flush()
        except StorageError:  # whoever flushes at the end tells
            return

    def _arrived(self) -> list[str]:
        """The leases whose results others can find."""
        with self._lock:
            ended = {key: mine.result for key, mine in self._mine.items() if mine.result}
        if not ended:
            return []
        try:
            waiting = set(self._waiting())
        except StorageError:  # asked again a little later
            return []
        return [key for key, result in ended.items() if f"result/{result}" not in waiting]

    def _renew(self, key: str) -> None:
        mine = self._mine.get(key)
        if mine is None:
            return
        with mine.lock:
            if self._mine.get(key) is mine and not self._renewed(key, mine):
                self._mine.pop(key, None)  # somebody took it, since we had not renewed it for too long

    def _renewed(self, key: str, mine: _Mine) -> bool:
        record = _next(mine.record)
        try:
            kept = self._store.replace(LEASE + key, mine.record, record, LIFETIME)
        except StorageError:  # the next beat tries again; meanwhile others may take it
            return True
        mine.record = record
        return kept

    def _give_back(self, keys: Iterable[str], record: bytes | None) -> None:
        with self._lock:
            given = {key: self._mine.pop(key) for key in keys if key in self._mine}

        def give(key: str) -> None:
            try:
                with given[key].lock:
                    self._store.replace(LEASE + key, given[key].record, record, _ENDED_LIFETIME)
            except StorageError:  # nobody renews it any more, so it expires
                return

        each(give, list(given))


def record_of(holder: Holder, mark: str, beat: int) -> bytes:
    """The record of a lease. ``mark`` is no other's."""
    return pack(holder, mark, beat)


def _next(record: bytes) -> bytes:
    *fields, beat = json.loads(record)
    return json.dumps([*fields, beat + 1], separators=(",", ":")).encode()


def each(work: Callable[[str], T], keys: Collection[str]) -> list[T]:
    """Call ``work`` for all ``keys``, for some at a time: each call is a round trip or two."""
    if len(keys) < 2:
        return [work(key) for key in keys]
    from concurrent.futures import ThreadPoolExecutor  # slow to import

    with ThreadPoolExecutor(min(len(keys), _PARALLEL)) as pool:
        return list(pool.map(work, keys))
