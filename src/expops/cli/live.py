"""A run shown as it goes on, on a terminal: every process of the DAG with its state, user output above."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from .watchers import PlainWatcher

if TYPE_CHECKING:
    from ..engine.plan import Planned
    from ..pipeline.graph import Graph
    from ..runs.model import ActionRecord, RunRecord
    from .live_view import View


class Row:
    """One process of the view. ``state`` is waiting, running, cached, done, failed or skipped."""

    __slots__ = ("name", "note", "seconds", "since", "state", "step", "steps")

    def __init__(self, name: str, state: str, note: str) -> None:
        self.name = name
        self.state = state
        self.note = note
        self.since = 0.0
        self.seconds = 0.0
        self.step = ""
        self.steps = 0


def can_draw() -> bool:
    """Whether the terminal can move its cursor."""
    return os.environ.get("TERM", "") not in ("", "dumb")


class LiveWatcher(PlainWatcher):
    """Redraws the state of all processes in place; a run in which all is cached draws nothing."""

    def __init__(self, out: IO[str], err: IO[str], graph: Graph) -> None:
        super().__init__(out, err)
        self._graph = graph
        self._rows: dict[str, Row] = {}
        self._view: View | None = None
        self._lines: list[str] = []
        # What goes to another place than the view is no business of the view.
        self._aside = err if not err.isatty() else None

    def planned(self, run: RunRecord, plan: Sequence[Planned]) -> None:
        """Begin to draw if anything is to do."""
        for planned in plan:
            state = "cached" if planned.verdict == "hit" else "waiting"
            note = self._awaited(planned.name) if planned.verdict == "unknown" else planned.reason
            self._rows[planned.name] = Row(planned.name, state, "" if state == "cached" else note)
        if any(planned.verdict != "hit" for planned in plan):
            from .live_view import View  # with rich behind it: a cached run must not wait for that

            self._view = View(self._files["stdout"], self._rows)
            self._view.draw()

    def waiting(self, path: str, holder: str) -> None:
        """Show for whom it waits."""
        super().waiting(path, holder)
        process, _, step = path.partition("/")
        row = self._rows[process]
        row.note = f"{step} is executed by {holder}" if step else f"executed by {holder}"

    def started(self, process: str, reason: str) -> None:
        """The process runs from now on."""
        super().started(process, reason)
        row = self._rows[process]
        row.state, row.note, row.since = "running", reason, time.monotonic()

    def step_ended(self, path: str, outcome: str) -> None:
        """Show the latest step of its process."""
        process, _, step = path.partition("/")
        row = self._rows.get(process)
        if row is not None:
            row.step = step
            row.steps += 1

    def ended(self, record: ActionRecord) -> None:
        """Show how it ended."""
        self._flush(record.path)
        row = self._rows[record.path]
        row.state = {"hit": "cached", "executed": "done"}.get(record.outcome, record.outcome)
        row.seconds, row.step = record.seconds, ""
        row.note = "" if record.outcome == "hit" else record.reason
        if record.outcome == "executed":
            for name in self._graph.downstream(record.path):
                below = self._rows.get(name)
                if below is not None and below.state == "waiting":
                    below.note = self._awaited(name)
        self.tick()

    def tick(self) -> None:
        """Draw what has changed, now and then."""
        if self._view is not None:
            lines, self._lines = self._lines, []
            self._view.refresh(lines)

    def close(self) -> None:
        """Take the view away; what was printed above it stays."""
        super().close()
        if self._view is not None:
            lines, self._lines = self._lines, []
            self._view.close(lines)
            self._view = None

    def _awaited(self, name: str) -> str:
        """What a process waits for, by name."""
        missing = [
            source
            for source in self._graph.upstream(name)
            if source in self._rows and self._rows[source].state not in ("cached", "done")
        ]
        return "waits for " + (", ".join(missing) or "a worker")

    def _tell(self, text: str) -> None:
        """The view shows it."""
        if self._view is None:
            super()._tell(text)

    def _write(self, stream: str, text: str) -> None:
        if self._view is None or (stream == "stderr" and self._aside is not None):
            super()._write(stream, text)
        else:
            self._lines.append(text)
