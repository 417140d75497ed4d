"""A run shown line by line: for logs, pipes and CI, and what the live view builds on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from .text import duration, processes

if TYPE_CHECKING:
    from ..engine.plan import Planned
    from ..runs.model import ActionRecord, RunRecord


class PlainWatcher:
    """Prints each event as a line of its own; what user code prints has its process in front.

    ``out`` takes what user code printed, and the progress of the run; ``err`` what user code wrote to standard
    error, warnings and failures. Without ``progress`` only user output, warnings and failures show; without
    ``output`` user output doesn't either.
    """

    def __init__(self, out: IO[str], err: IO[str], *, progress: bool = True, output: bool = True) -> None:
        self._files = {"stdout": out, "stderr": err}
        self._progress = progress
        self._output = output
        self._partial: dict[tuple[str, str], str] = {}
        self._warned: set[str] = set()
        self._started: set[str] = set()
        self._waits: dict[str, str] = {}

    @property
    def warnings(self) -> int:
        """How many different warnings there were."""
        return len(self._warned)

    def note(self, text: str) -> None:
        """Tell something about the progress as a whole."""
        self._tell(text)

    def planned(self, run: RunRecord, plan: Sequence[Planned]) -> None:
        """Say how much there is to do."""
        hits = sum(planned.verdict == "hit" for planned in plan)
        if hits < len(plan):
            cached = f", {hits:,} cached" if hits else ""
            self._tell(f"run {run.run_id}: {processes(len(plan))}{cached}")

    def waiting(self, path: str, holder: str) -> None:
        """Say once for whom it waits."""
        if self._waits.get(path) != holder:
            self._waits[path] = holder
            self._tell(f"waits   {path}: {holder} executes it")

    def started(self, process: str, reason: str) -> None:
        """Say why it runs."""
        self._started.add(process)
        self._tell(f"start   {process}: {reason}")

    def step_ended(self, path: str, outcome: str) -> None:
        """Nothing: the lines of a process with many steps would hide the others."""

    def printed(self, process: str, stream: str, text: str) -> None:
        """Print whole lines; a line that is not yet at its end waits for the rest."""
        if not self._output:
            return
        lines = (self._partial.pop((process, stream), "") + text).split("\n")
        # Of a line that was drawn several times, only how it is now: nobody keeps a bar's every state.
        rest = lines.pop().rpartition("\r")[2]
        if rest:
            self._partial[process, stream] = rest
        if lines:
            self._show(stream, process, [drawn(line) for line in lines])

    def warned(self, message: str) -> None:
        """Show a warning, the first time that it comes."""
        if message not in self._warned:
            self._warned.add(message)
            self._write("stderr", f"warning: {message}")

    def ended(self, record: ActionRecord) -> None:
        """Say how it ended; of hits, only those that were waited for; the others are counted, at the end."""
        self._flush(record.path)
        if record.outcome == "executed":
            self._tell(f"done    {record.path} in {duration(record.seconds)}")
        elif record.outcome == "hit" and record.path in self._waits:
            self._tell(f"taken   {record.path}: {self._waits[record.path]} has executed it")
        elif record.outcome == "failed":
            after = f" after {duration(record.seconds)}" if record.path in self._started else ""
            self._tell(f"failed  {record.path}{after}")
        elif record.outcome == "skipped":
            self._tell(f"skipped {record.path}: {record.reason}")

    def tick(self) -> None:
        """Nothing has to move."""

    def close(self) -> None:
        """The run is over."""
        for process, _ in list(self._partial):
            self._flush(process)

    def _flush(self, process: str) -> None:
        for stream in ("stdout", "stderr"):
            rest = self._partial.pop((process, stream), "")
            if rest:
                self._show(stream, process, [rest])

    def _show(self, stream: str, process: str, lines: list[str]) -> None:
        self._write(stream, "\n".join([f"[{process}] {line}" for line in lines]))

    def _tell(self, text: str) -> None:
        if self._progress:
            self._write("stdout", text)

    def _write(self, stream: str, text: str) -> None:
        """Print now. A reader that has gone away must not end the run."""
        file = self._files.get(stream)
        if file is None:
            return
        try:
            file.write(text + "\n")
            file.flush()
        except BrokenPipeError:
            del self._files[stream]


def drawn(line: str) -> str:
    """What a terminal would show of a line in which ``\\r`` goes back to its start."""
    return line.rstrip("\r").rpartition("\r")[2]
