"""The contract of an executor: it runs callables somewhere, and knows nothing of caches or pipelines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeAlias

Emit: TypeAlias = Callable[[object], None]
Task: TypeAlias = Callable[[Emit], object]


class Message(NamedTuple):
    """Something a task emitted while it ran (picklable)."""

    task: str
    payload: object


class Finished(NamedTuple):
    """A task returned."""

    task: str
    value: object


class Failed(NamedTuple):
    """A task raised, or its worker died (``error`` then names the signal or exit code)."""

    task: str
    error: BaseException


Event: TypeAlias = Message | Finished | Failed


class Executor(Protocol):
    """Runs tasks; each runs alone in its worker. Events of one task arrive in order."""

    capacity: int

    def submit(self, name: str, task: Task) -> None:
        """Run ``task(emit)`` when a worker is free; ``name`` is unique among the tasks under way."""

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """What has happened since the last call; waits up to ``timeout`` seconds for the first event.

        Yields nothing when the time is up. ``None`` waits until something happens.
        """

    def cancel(self) -> None:
        """Stop all tasks now, without events for them."""

    def close(self) -> None:
        """Let the workers go; calling it twice is no error."""
