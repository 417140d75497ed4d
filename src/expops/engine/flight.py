"""Single-flight of a run's processes: of several runs that want a process at once, one executes it."""

from __future__ import annotations

import time
from typing import Final

from ..cache.leases import Held, Holder, Lease, Leases
from .events import Watcher
from .plan import Planned, Planner

_PATIENCE: Final = 0.5  # seconds after which the run looks after what executes again
_OLD: Final = 600.0  # seconds after which a look-up is made anew; those who end say so for an hour


class _Ready:
    """A miss whose inputs are all there. ``due``: when to ask for its lease, ``""`` for one that needs none."""

    def __init__(self, planned: Planned, key: str) -> None:
        self.planned = planned
        self.key = key
        self.looked_up = time.time()
        self.due = 0.0


class Flight:
    """The misses of a run that could execute now: who may, and who waits for another run that does."""

    def __init__(self, planner: Planner, leases: Leases | None, watcher: Watcher, run: str) -> None:
        if leases is not None:
            leases.holder = Holder.of_this(run)
        self._planner = planner
        self._leases = leases
        self._watcher = watcher
        self._ready: dict[str, _Ready] = {}
        self._held: dict[str, Lease] = {}

    def add(self, planned: Planned, *, shared: bool = True) -> None:
        """A miss is ready. Not ``shared``: it executes whatever others do."""
        key = self._planner.lease(planned) if shared and self._leases is not None else ""
        self._ready[planned.name] = _Ready(planned, key)

    def names(self) -> list[str]:
        """The processes that neither execute nor have ended."""
        return list(self._ready)

    def take(self, room: int) -> list[Planned]:
        """Misses that are to execute now, up to ``room``; among them those that have turned out to be hits."""
        now = time.monotonic()
        # Those first that were never asked for, then those that were asked for longest ago.
        due = sorted((ready for ready in self._ready.values() if ready.due <= now), key=lambda ready: ready.due)
        chosen: list[Planned] = []
        while due and len(chosen) < room and time.monotonic() - now < _PATIENCE:
            some, due = due[: room - len(chosen)], due[room - len(chosen) :]
            chosen += self._taken(some)
        return chosen

    def _taken(self, some: list[_Ready]) -> list[Planned]:
        """Those of ``some`` that nobody else executes."""
        wanted = [ready.key for ready in some if ready.key]
        taken = self._leases.take(wanted) if wanted and self._leases is not None else {}
        chosen = []
        for ready in some:
            answer = taken.get(ready.key)
            if isinstance(answer, Held):
                self._wait(ready, answer)
            elif answer is None or self._is_free(ready, answer):
                del self._ready[ready.planned.name]
                chosen.append(ready.planned)
        return chosen

    def _wait(self, ready: _Ready, held: Held) -> None:
        assert self._leases is not None
        ready.due = time.monotonic() + self._leases.pace
        self._watcher.waiting(ready.planned.name, held.holder.words(self._leases.holder))

    def _is_free(self, ready: _Ready, lease: Lease) -> bool:
        """Whether it can be dealt with now that its lease was had: it may be a hit by now."""
        assert self._leases is not None
        if lease.again or abs(time.time() - ready.looked_up) > _OLD:
            ready.planned = self._planner.again(ready.planned)
            ready.looked_up = time.time()
        found = ready.planned.look_up
        if ready.planned.verdict == "hit" and found is not None:
            self._leases.end(lease, found.result)
            return True
        key = self._planner.lease(ready.planned)
        if key != ready.key:
            # Its first execution has shown meanwhile whether it draws, or that its results can't be kept.
            self._leases.end(lease, None)
            ready.key = key
            return False
        self._held[ready.planned.name] = lease
        return True

    def ended(self, name: str, result: str) -> None:
        """A process that was taken has ended, with a result of that digest or ``""``."""
        lease = self._held.pop(name, None)
        if lease is not None and self._leases is not None:
            self._leases.end(lease, result or None)

    def close(self) -> None:
        """The run is over: whoever waits for what has not ended may execute it."""
        for name in list(self._held):
            self.ended(name, "")
