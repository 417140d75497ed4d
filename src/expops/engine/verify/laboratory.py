"""Replays in fresh workers: each trial has a worker of its own, as many at once as there are jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from ...executors.base import Executor, Failed, Finished, Task

_TICK: Final = 0.1  # seconds
MakeWorker = Callable[[dict[str, str]], Executor]


class Trial(NamedTuple):
    """Tasks that one worker is to execute one after the other, and the worker's environment."""

    environment: dict[str, str]
    tasks: Sequence[Task]


class Laboratory:
    """Runs trials. Safe to use from several threads: that is how several go on at once."""

    def __init__(self, make_worker: MakeWorker, jobs: int) -> None:
        self._make_worker = make_worker
        self._places = threading.Semaphore(max(jobs, 1))
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End what is under way: every :meth:`run` raises :class:`Stopped`."""
        self._stopped.set()

    def run(self, trial: Trial) -> list[Any]:
        """What the tasks gave, in their order: for a task whose worker died, the exception."""
        with self._places:
            ends: list[Any] = []
            while len(ends) < len(trial.tasks):
                # After a worker's death the rest goes on in another.
                ends += self._serve(trial, len(ends))
            return ends

    def all(self, trials: Sequence[Trial]) -> list[list[Any]]:
        """:meth:`run` for each, at once as far as there are places."""
        if len(trials) < 2:
            return [self.run(trial) for trial in trials]
        with ThreadPoolExecutor(len(trials)) as threads:
            return list(threads.map(self.run, trials))

    def _serve(self, trial: Trial, start: int) -> list[Any]:
        worker = self._make_worker(trial.environment)
        ends: list[Any] = []
        try:
            for number, task in enumerate(trial.tasks[start:], start):
                worker.submit(str(number), task)
                ends.append(self._end(worker))
                if isinstance(ends[-1], BaseException):
                    break
        finally:
            if self._stopped.is_set():
                worker.cancel()
            worker.close()
        return ends

    def _end(self, worker: Executor) -> Any:
        while True:
            if self._stopped.is_set():
                raise Stopped
            for event in worker.events(_TICK):
                if isinstance(event, Finished):
                    return event.value
                if isinstance(event, Failed):
                    return event.error


class Stopped(Exception):
    """The laboratory was stopped."""
