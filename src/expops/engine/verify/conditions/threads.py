"""Another number of cores, and threads that come in another order.

The thread pools of native libraries take their size from the worker's environment. Here Python's count of cores is set,
joblib's threads run one after the other, from the first or from the last, and other threads start with delays.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any, Final, NamedTuple

from ....seeding.on_import import after_import

_DELAYS: Final = (0.004, 0.0, 0.003, 0.001, 0.005, 0.002)  # seconds
_SWITCH: Final = 1e-5  # seconds for which a thread keeps the interpreter's lock


class Threads(NamedTuple):
    """``cores`` is what Python counts, ``backward`` whether tasks that run at once are taken from the last, with
    delays for threads that nobody orders."""

    cores: int
    backward: bool


def install(threads: Threads) -> None:
    """Put it into effect."""
    for name in ("cpu_count", "process_cpu_count"):
        if hasattr(os, name):
            setattr(os, name, lambda: threads.cores)
    after_import("joblib.parallel", lambda: _order_joblib(threads.backward))
    if threads.backward:
        sys.setswitchinterval(_SWITCH)
        _delay(threading.Thread, "run")
        after_import("concurrent.futures.thread", _delay_tasks)


def _order_joblib(backward: bool) -> None:
    """Run tasks that joblib would give to threads of this process one by one, in a fixed order.

    Only where it would use more than one thread: with one, the order is the caller's.
    """
    parallel: Any = sys.modules["joblib.parallel"].Parallel
    real = parallel.__call__

    def call(self: Any, iterable: Any) -> Any:
        shared = getattr(self._backend, "supports_sharedmem", False)
        if not shared or self.return_generator or self._effective_n_jobs() == 1:
            return real(self, iterable)
        tasks = list(iterable)
        order = range(len(tasks))
        results: dict[int, Any] = {}
        for number in reversed(order) if backward else order:
            function, args, kwargs = tasks[number]
            results[number] = function(*args, **kwargs)
        return [results[number] for number in order]

    parallel.__call__ = call


def _delay_tasks() -> None:
    _delay(sys.modules["concurrent.futures.thread"]._WorkItem, "run")  # noqa: SLF001 (no public place is as late)


def _delay(owner: Any, name: str) -> None:
    real = getattr(owner, name)
    sleep, started = time.sleep, [0]

    def run(self: Any, *args: Any) -> Any:
        started[0] += 1
        sleep(_DELAYS[started[0] % len(_DELAYS)])
        return real(self, *args)

    setattr(owner, name, run)
