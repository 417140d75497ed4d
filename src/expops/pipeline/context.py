"""Who runs steps now: the one piece of state that decorators and engine share.

The runner is bound to the thread and the OS process that entered it. Random state and the working folder belong
to an OS process, so a step called from another thread or from a forked child is not an action: it simply runs.
"""

from __future__ import annotations

import os
from _thread import get_ident
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .decorators import Step


class StepRunner(Protocol):
    """What the engine offers to decorated functions while an action is under way."""

    def call_step(self, step: Step[..., Any], args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """Serve a step call from the cache, or execute it and record it."""

    def log_metric(self, name: str, value: float, step: int | None) -> None:
        """Record a metric of the action under way."""


_entered: list[tuple[StepRunner, int, int]] = []


def current() -> StepRunner | None:
    """The runner that was entered last in this thread of this OS process, if any."""
    if not _entered:
        return None
    runner, thread, process = _entered[-1]
    if thread != get_ident() or process != os.getpid():
        return None
    return runner


def enter(runner: StepRunner) -> None:
    """Make ``runner`` serve the step calls of this thread, until :func:`leave`."""
    _entered.append((runner, get_ident(), os.getpid()))


def leave(runner: StepRunner) -> None:
    """Undo the last :func:`enter` of ``runner``."""
    for index in range(len(_entered) - 1, -1, -1):
        if _entered[index][0] is runner:
            del _entered[index]
            return
