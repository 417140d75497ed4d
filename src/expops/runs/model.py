"""What the ledger holds: one record for a run, one for each action in it."""

from __future__ import annotations

from typing import Any, NamedTuple

STATUSES = ("running", "done", "failed", "interrupted")
# What a run refers to: the project's code and configuration as text, the configuration as it was understood, the
# installed packages, the files and variables that were read, the machine's arithmetic, what git knew to be uncommitted.
PROVENANCE = ("sources", "configuration", "environment", "inputs", "numeric", "changes")
OUTCOMES = ("hit", "executed", "failed", "skipped")


class Unfollowed(NamedTuple):
    """Code that an action ran and its fingerprint doesn't follow: project file, line, and qualified name."""

    file: str
    line: int
    symbol: str


class ActionRecord(NamedTuple):
    """How one action ended.

    ``path`` is ``process`` or ``process/step``, with ``#2``, ``#3`` for later calls; ``seconds`` is the time spent now,
    ``saved`` what the execution behind a hit had taken; ``outputs`` maps names to (fingerprint, bytes); ``producer`` is
    the run whose execution made the result; ``error`` is set on failures; ``artifact_digests`` are those of
    ``artifacts``, in their order; ``resources`` are CPU seconds and the peak memory in bytes that its worker had
    reached, 0 where nothing was measured; ``unfollowed`` is set by the audit of code.
    """

    path: str
    kind: str
    outcome: str
    reason: str
    seconds: float
    saved: float
    outputs: dict[str, tuple[str, int]]
    seed: str
    drew: bool
    started: float
    action: str
    result: str
    producer: str
    stored: bool
    artifacts: tuple[str, ...]
    error: str
    artifact_digests: tuple[str, ...] = ()
    resources: tuple[float, int] = (0.0, 0)
    unfollowed: tuple[Unfollowed, ...] = ()

    def document(self) -> dict[str, Any]:
        """The action as ``--json`` shows it."""
        shown: dict[str, Any] = {
            "path": self.path,
            "kind": self.kind,
            "outcome": self.outcome,
            "reason": self.reason,
            "seconds": round(self.seconds, 6),
            "saved_seconds": round(self.saved, 6),
            "outputs": {name: {"fingerprint": mark, "bytes": size} for name, (mark, size) in self.outputs.items()},
            "seed": self.seed,
            "drew": self.drew,
            "producer": self.producer,
            "artifacts": list(self.artifacts),
        }
        if self.error:
            shown["error"] = self.error
        if self.unfollowed:
            shown["unfollowed"] = [item._asdict() for item in self.unfollowed]
        return shown


class RunRecord(NamedTuple):
    """A run as a whole. Times are seconds since the epoch; ``finished`` is 0 while it is under way.

    Runs of one sweep over seeds have its name as their ``sweep``. ``provenance`` maps kinds (see :data:`PROVENANCE`) to
    addresses of records that many runs share.
    """

    run_id: str
    status: str
    seed: str
    started: float
    finished: float
    command: list[str]
    pid: int
    host: str
    jobs: int
    git_commit: str
    git_dirty: bool | None
    python: str
    libraries: dict[str, str]
    overrides: list[str]
    counts: dict[str, int]
    saved: float
    sweep: str = ""
    targets: list[str] = []  # noqa: RUF012 (the default of a tuple's field, which nobody alters)
    provenance: dict[str, str] = {}  # noqa: RUF012

    @property
    def seconds(self) -> float:
        """Wall time of the run, 0 while it is under way."""
        return max(self.finished - self.started, 0.0) if self.finished else 0.0


Metrics = dict[str, dict[str, dict[int, float]]]


def fold_metrics(calls: list[tuple[str, float, int | None]]) -> dict[str, dict[int, float]]:
    """Series by metric from calls of ``log_metric`` in their order.

    A call without a step takes one more than the largest so far, beginning with 1; a step given again replaces.
    """
    series: dict[str, dict[int, float]] = {}
    largest: dict[str, int] = {}
    for name, value, step in calls:
        place = largest.get(name, 0) + 1 if step is None else step
        largest[name] = max(largest.get(name, 0), place)
        series.setdefault(name, {})[place] = value
    return series
