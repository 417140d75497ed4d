"""A recorded run beside its repetition: for each action, what is the same and what is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from ..runs.model import ActionRecord, Metrics

SAME: Final = "same"
WITHIN: Final = "within tolerance"
DIFFERENT: Final = "different"
COULD_NOT_RUN: Final = "could not run"
NOT_RECORDED: Final = "not recorded"
VERDICTS: Final = (SAME, NOT_RECORDED, WITHIN, DIFFERENT, COULD_NOT_RUN)  # from the best to the worst


class Tolerance(NamedTuple):
    """How far a metric may be from the recorded one: ``abs(new - old) <= max(relative * abs(old), absolute)``.

    ``declared`` is that of the configuration, which ``expops verify`` goes by: ``abs(new - old) <= declared *
    (1 + abs(old))``. One of the two is enough.
    """

    relative: float = 0.0
    absolute: float = 0.0
    declared: float = 0.0

    def allows(self, old: float, new: float) -> bool:
        """Whether ``new`` is near enough."""
        widest = max(self.relative * abs(old), self.absolute, self.declared * (1 + abs(old)))
        return math.isclose(old, new, rel_tol=0.0, abs_tol=widest)


class Compared(NamedTuple):
    """One action: its verdict (one of :data:`VERDICTS`), and what differs or what kept it from running."""

    path: str
    kind: str
    verdict: str
    details: list[str]


def compare(
    recorded: Sequence[Mapping[str, Any]],
    recorded_metrics: Mapping[str, Any],
    actions: Sequence[ActionRecord],
    metrics: Metrics,
    refused: Mapping[str, str],
    tolerance: Callable[[str, str], Tolerance],
) -> list[Compared]:
    """All processes of the record, and those of its steps that ran again, in the order of the record.

    ``recorded`` and ``recorded_metrics`` are from a run's document; ``refused`` maps processes that were not run again
    to the reason; ``tolerance`` gives that of a process's metric.
    """
    now = {action.path: action for action in actions}
    return [
        _compared(item, now.get(item["path"]), recorded_metrics, metrics, refused, tolerance)
        for item in recorded
        if item["kind"] == "process" or item["path"] in now
    ]


def worst(compared: Sequence[Compared]) -> str:
    """The verdict on the run as a whole."""
    return max((item.verdict for item in compared), key=VERDICTS.index, default=SAME)


def _compared(
    old: Mapping[str, Any],
    new: ActionRecord | None,
    old_metrics: Mapping[str, Any],
    new_metrics: Metrics,
    refused: Mapping[str, str],
    tolerance: Callable[[str, str], Tolerance],
) -> Compared:
    path, kind = old["path"], old["kind"]
    if old["outcome"] not in ("hit", "executed"):
        return _of_unfinished(old, new)
    if path in refused:
        return Compared(path, kind, COULD_NOT_RUN, [refused[path]])
    if new is None or new.outcome in ("failed", "skipped"):
        return Compared(path, kind, COULD_NOT_RUN, [_why(new)])
    differing = [*_outputs(old, new), *_artifacts(old, new)]
    near: list[str] = []
    if kind == "process":
        for text, allowed in _metrics(old_metrics.get(path, {}), new_metrics.get(path, {}), partial(tolerance, path)):
            (near if allowed else differing).append(text)
    verdict = DIFFERENT if differing else WITHIN if near else SAME
    return Compared(path, kind, verdict, differing + near)


def _of_unfinished(old: Mapping[str, Any], new: ActionRecord | None) -> Compared:
    """Of an action that had no result in the record, there is nothing to compare but that."""
    if new is not None and new.outcome in ("hit", "executed"):
        return Compared(old["path"], old["kind"], DIFFERENT, [f"{old['outcome']} then, and gave a result now"])
    return Compared(old["path"], old["kind"], NOT_RECORDED, [f"{old['outcome']} then, too"])


def _why(new: ActionRecord | None) -> str:
    if new is None:
        return "it was not reached"
    return new.error.strip().splitlines()[-1] if new.error.strip() else new.reason


def _outputs(old: Mapping[str, Any], new: ActionRecord) -> Iterator[str]:
    before = {name: told["fingerprint"] for name, told in old["outputs"].items()}
    now = {name: mark for name, (mark, _) in new.outputs.items()}
    for name in [*before, *(name for name in now if name not in before)]:
        if name not in now:
            yield f"output '{name}' is missing"
        elif name not in before:
            yield f"output '{name}' is new"
        elif before[name] != now[name]:
            yield f"output '{name}' differs"


def _artifacts(old: Mapping[str, Any], new: ActionRecord) -> Iterator[str]:
    before = {item["path"]: item["digest"] for item in old["artifacts"]}
    now = dict(zip(new.artifacts, new.artifact_digests, strict=False))
    for path in [*before, *(path for path in now if path not in before)]:
        if path not in now:
            yield f"artifact {path} is missing"
        elif path not in before:
            yield f"artifact {path} is new"
        elif before[path] is not None and before[path] != now[path]:
            yield f"artifact {path} differs"


def _metrics(
    old: Mapping[str, Any], new: Mapping[str, Any], tolerance: Callable[[str], Tolerance]
) -> Iterator[tuple[str, bool]]:
    """What differs between two sets of series, and whether that is within the tolerance."""
    for name in [*old, *(name for name in new if name not in old)]:
        before = {int(step): _number(value) for step, value in old.get(name, {}).items()}
        now = {int(step): _number(value) for step, value in new.get(name, {}).items()}
        if before.keys() != now.keys():
            yield f"metric {name} has other steps", False
            continue
        apart = [step for step in before if not _equal(before[step], now[step])]
        if apart:
            step = max(apart, key=lambda step: _distance(before[step], now[step]))
            where = f" at step {step}" if len(before) > 1 else ""
            text = f"metric {name}: {before[step]:.9g} → {now[step]:.9g}{where}"
            allowed = tolerance(name)
            yield text, all(allowed.allows(before[step], now[step]) for step in apart)


def _number(value: float | str) -> float:
    return float(value)  # also of the strings that stand for NaN and infinities


def _equal(old: float, new: float) -> bool:
    return old == new or (math.isnan(old) and math.isnan(new))


def _distance(old: float, new: float) -> float:
    return abs(new - old) if math.isfinite(new - old) else math.inf
