"""What is told of a run while it goes on: messages of workers, and the contract of whoever shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from ..runs.model import ActionRecord, RunRecord
    from .plan import Planned


class Printed(NamedTuple):
    """User code printed; ``text`` may hold several lines or part of one."""

    process: str
    stream: str
    text: str


class Started(NamedTuple):
    """A process begins to execute, for the reason given."""

    process: str
    reason: str


class StepEnded(NamedTuple):
    """A step ended."""

    path: str
    outcome: str


class Warned(NamedTuple):
    """Something went wrong that did not stop anything."""

    message: str


class Waiting(NamedTuple):
    """A step waits for ``holder``, in words, who executes it."""

    path: str
    holder: str


class Numeric(NamedTuple):
    """What the arithmetic of a worker depends on, as far as its libraries have been loaded."""

    told: dict[str, Any]


class Watcher(Protocol):
    """Shows a run. Methods are called in the run's own thread and must not block."""

    def planned(self, run: RunRecord, plan: Sequence[Planned]) -> None:
        """The run begins; for each process, in topological order, what is known of it now."""

    def waiting(self, path: str, holder: str) -> None:
        """A process or step waits for somebody, in words, who executes it; told again as long as it waits."""

    def started(self, process: str, reason: str) -> None:
        """A process begins to execute."""

    def step_ended(self, path: str, outcome: str) -> None:
        """A step of a process ended."""

    def printed(self, process: str, stream: str, text: str) -> None:
        """User code printed."""

    def warned(self, message: str) -> None:
        """Something went wrong that did not stop anything."""

    def ended(self, record: ActionRecord) -> None:
        """A process ended, or turned out to be a hit or skipped."""

    def tick(self) -> None:
        """Some time has passed (about a tenth of a second)."""
