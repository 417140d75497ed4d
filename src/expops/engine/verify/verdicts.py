"""From what was found to a verdict for each action."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from ...blobs.base import ObjectStore
from ...cache import artifacts
from ...cache.manifest import Artifact, StoredValue
from ...errors import StorageError
from .check import Checked, Finding
from .compare import Changed
from .difference import Difference, Differences, differences
from .examine import only
from .variations import VARIATIONS

BITWISE, TOLERANCE, UNSTABLE, UNTESTED, FAILED = "bitwise", "tolerance", "unstable", "untested", "failed"
PLAIN = "re-execution"  # with nothing varied
Examine = Callable[[list[tuple[str, StoredValue | None, StoredValue | None]]], list[Differences]]


class Seen(NamedTuple):
    """One thing of an action that differs: what kind of thing, its name, where, and by how much."""

    kind: str
    name: str
    found: Differences


class Told(NamedTuple):
    """A finding as it concerns one action. ``starts`` are the actions in which the difference starts."""

    variations: tuple[str, ...]
    detail: str
    starts: tuple[str, ...]
    keyed: tuple[str, ...]
    seen: tuple[Seen, ...]


class Verdict(NamedTuple):
    """What an action has survived and what not.

    ``verdict`` is "bitwise", "tolerance", "unstable", "untested" or "failed"; ``tolerance`` is the largest that was
    declared for what differs. ``untested`` maps variations to the reason.
    """

    path: str
    kind: str
    verdict: str
    tolerance: float
    survived: tuple[str, ...]
    untested: dict[str, str]
    told: tuple[Told, ...]
    logs: bool
    error: str


def verdicts(checked: Checked, examine: Examine, blobs: ObjectStore) -> list[Verdict]:
    """One for the process and one for each of its steps, in the order in which they ended, the process first."""
    process = checked.subject.name
    if checked.error:
        return [Verdict(process, "process", FAILED, 0.0, (), {}, (), False, checked.error)]
    look = _Look(checked, examine, blobs)
    return [_verdict(path, checked, look) for path in [process, *checked.steps]]


def untested(path: str, reason: str) -> Verdict:
    """Of an action that has no result to check."""
    return Verdict(path, "process", UNTESTED, 0.0, (), {"result": reason}, (), False, "")


def _verdict(path: str, checked: Checked, look: _Look) -> Verdict:
    told = [item for finding in checked.findings if (item := look.told(path, finding)) is not None]
    without = dict(checked.untested)
    survived = list(checked.survived)
    for finding in checked.findings:
        spread = path in finding.comparison.spread and path not in finding.comparison.changed
        if spread and not finding.altered:
            started = ", ".join(finding.comparison.starts) or "its process"
            names = finding.variations or (PLAIN,)
            without.update(dict.fromkeys(names, f"its inputs differed, spread from {started}"))
        elif not any(item.variations == finding.variations for item in told):
            survived += [name for name in finding.variations if name not in survived and name not in without]
    for item in told:
        survived = [name for name in survived if name not in item.variations]
    verdict, tolerance = _judged(path, told, checked)
    if verdict == BITWISE and PLAIN in without:
        verdict = UNTESTED
    kind = "process" if path == checked.subject.name else "step"
    in_order = tuple(
        name for name in VARIATIONS if name in survived and (name not in without or name in checked.partly)
    )
    return Verdict(path, kind, verdict, tolerance, in_order, without, tuple(told), path in checked.logs, "")


def _judged(path: str, told: Iterable[Told], checked: Checked) -> tuple[str, float]:
    declared = checked.subject.tolerance
    largest = 0.0
    for seen in [seen for item in told for seen in item.seen]:
        if path == checked.subject.name:
            allowed = declared.get(seen.name, 0.0)
        else:
            name = path.rpartition("/")[2].partition("#")[0]
            # A step without a tolerance of its own has the widest of the process that it serves.
            allowed = declared.get(name, max(declared.values(), default=0.0))
        if seen.found.needed > allowed or seen.kind not in ("output", "metric"):
            return UNSTABLE, 0.0
        largest = max(largest, allowed)
    return (TOLERANCE, largest) if largest else (UNSTABLE if any(True for _ in told) else BITWISE, 0.0)


class _Look:
    """Looks into the values of all findings of a process, all at once."""

    def __init__(self, checked: Checked, examine: Examine, blobs: ObjectStore) -> None:
        self._blobs = blobs
        self._seen: dict[tuple[int, str], list[Seen]] = {}
        self._pending: list[tuple[list[Seen], int, str, str]] = []
        self._pairs: list[tuple[str, StoredValue | None, StoredValue | None]] = []
        for finding in checked.findings:
            for path, changes in finding.comparison.changed.items():
                self._seen[id(finding), path] = [self._look(path, checked, change) for change in changes]
            for item in finding.altered:
                change = Changed("argument", item.name, item.before, item.after)
                self._seen[id(finding), item.path] = [self._look(item.path, checked, change)]
        if self._pairs:
            self._fill(examine(self._pairs))

    def _look(self, path: str, checked: Checked, change: Changed) -> Seen:
        kind, name, before, after = change
        if kind in ("output", "argument"):
            step = path != checked.subject.name and kind == "output"
            label = "" if step else f"['{name}']" if kind == "output" else name
            self._pairs.append((label, *_values(before, after)))
            return Seen(kind, name, _PENDING)
        if kind == "metric":
            return Seen(kind, name, differences(before, after, name))
        if kind == "file":
            return Seen(kind, name, self._file(name, before, after))
        texts = [str(text).strip().splitlines()[-1:] or ["(no error)"] for text in (before, after)]
        return Seen(kind, name, only(Difference("", texts[0][0], texts[1][0])))

    def _file(self, name: str, before: object, after: object) -> Differences:
        old, new = self._content(before), self._content(after)
        if old == new:
            modes = [oct(item.mode) if isinstance(item, Artifact) else "" for item in (before, after)]
            return only(Difference(name, modes[0], modes[1], note="permissions differ"))
        if not isinstance(old, str) or not isinstance(new, str):
            return differences(old, new, name)
        walked = differences(old.splitlines(), new.splitlines(), "line")
        # Lines count from 1, as editors show them.
        first = tuple([item._replace(path=f"{name} line {_place(item.path) + 1}") for item in walked.first])
        return walked._replace(first=first) if first else differences(old, new, name)

    def _content(self, item: object) -> str | bytes | None:
        if not isinstance(item, Artifact):
            return None
        try:
            data = artifacts.content(item.content, self._blobs)
        except StorageError:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data

    def _fill(self, found: list[Differences]) -> None:
        rest = iter(found)
        for seen in self._seen.values():
            seen[:] = [item._replace(found=next(rest)) if item.found is _PENDING else item for item in seen]

    def told(self, path: str, finding: Finding) -> Told | None:
        """The finding as far as it concerns the action at ``path``."""
        seen = self._seen.get((id(finding), path))
        if not seen:
            return None
        starts = tuple(finding.comparison.starts) or tuple(item.path for item in finding.altered)
        return Told(finding.variations, finding.detail, starts, tuple(finding.comparison.keyed), tuple(seen))


_PENDING: Final = Differences((), 0, None, 0.0)


def _values(before: Any, after: Any) -> tuple[StoredValue | None, StoredValue | None]:
    return before, after


def _place(path: str) -> int:
    return int(path.partition("[")[2].partition("]")[0] or 0)


def document(verdict: Verdict) -> Mapping[str, Any]:
    """The verdict as ``--json`` shows it."""
    shown: dict[str, Any] = {
        "path": verdict.path,
        "kind": verdict.kind,
        "verdict": verdict.verdict,
        "survived": list(verdict.survived),
        "untested": verdict.untested,
        "differences": [_told_document(item) for item in verdict.told],
        "log_differs": verdict.logs,
    }
    if verdict.verdict == TOLERANCE:
        shown["tolerance"] = verdict.tolerance
    if verdict.error:
        shown["error"] = verdict.error
    return shown


def _told_document(told: Told) -> dict[str, Any]:
    return {
        "variations": list(told.variations),
        "detail": told.detail,
        "starts_in": list(told.starts),
        "inputs_that_differ": list(told.keyed),
        "values": [
            {
                "kind": seen.kind,
                "name": seen.name,
                "count": seen.found.number,
                "largest_ulps": seen.found.most_ulps,
                "elements": [item._asdict() for item in seen.found.first],
            }
            for seen in told.seen
        ],
    }
