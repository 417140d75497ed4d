"""Two results of one process side by side: which actions came out differently, and where the difference starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...cache.discovery import readable
from ...cache.manifest import Manifest, StoredValue
from ...runs.model import ActionRecord, fold_metrics
from .replay import Replay

KINDS = ("output", "metric", "file", "argument", "error", "log")


class Changed(NamedTuple):
    """One thing of an action that differs. ``kind`` is one of :data:`KINDS`; ``before`` and ``after`` are stored values
    of outputs and arguments, series of a metric, manifests' artifacts of a file, and texts else."""

    kind: str
    name: str
    before: object
    after: object


class ActionResult(NamedTuple):
    """What one action gave: its key, the fingerprints of its outputs, and its manifest if it has one."""

    action: str
    marks: Mapping[str, str]
    manifest: Manifest | None
    error: str = ""


class Result(NamedTuple):
    """What one execution of a process gave, by path: its steps in the order in which they ended, then itself."""

    process: str
    actions: Mapping[str, ActionResult]

    @property
    def steps(self) -> list[str]:
        """The paths of the steps."""
        return [path for path in self.actions if path != self.process]


class Comparison(NamedTuple):
    """How a result differs from the one that it is compared with.

    ``starts`` maps the actions in which a difference starts to what differs there: they had the same inputs, and
    nothing that they call differs. ``spread`` are the others that came out differently, or with other inputs; ``logs``
    those whose output on the terminal differs. ``keyed`` names what differs among the inputs that were discovered.
    """

    starts: dict[str, list[Changed]]
    changed: dict[str, list[Changed]]
    spread: list[str]
    logs: list[str]
    keyed: list[str]

    def __bool__(self) -> bool:
        return bool(self.changed)


def result_of(process: str, replay: Replay) -> Result:
    """The result of an execution."""
    records = [*replay.outcome.steps, replay.outcome.record]
    manifests = {**replay.steps, process: replay.outcome.manifest}
    return Result(process, {record.path: _action(record, manifests.get(record.path)) for record in records})


def recorded(process: str, manifest: Manifest, steps: Mapping[str, tuple[ActionRecord, Manifest | None]]) -> Result:
    """The result that the cache and the ledger have."""
    actions = {path: _action(record, found) for path, (record, found) in steps.items()}
    marks = {name: value.fingerprint for name, value in manifest.outputs.items()}
    return Result(process, {**actions, process: ActionResult(manifest.action, marks, manifest)})


def _action(record: ActionRecord, manifest: Manifest | None) -> ActionResult:
    marks = {name: mark for name, (mark, _) in record.outputs.items()}
    action = record.action or (manifest.action if manifest is not None else "")
    return ActionResult(action, marks, manifest, record.error if record.outcome == "failed" else "")


def compare(reference: Result, other: Result) -> Comparison:
    """What came out differently in ``other``. Steps that only one of them called are left out."""
    changed: dict[str, list[Changed]] = {}
    spread, logs, keyed = [], [], {}
    for path, found in other.actions.items():
        known = reference.actions.get(path)
        if known is None:
            continue
        differs = _changes(known, found)
        keyed.update(dict.fromkeys(_discovered(known.manifest, found.manifest)))
        if known.manifest is not None and found.manifest is not None and known.manifest.log != found.manifest.log:
            logs.append(path)
        if path != other.process and known.action != found.action:
            spread.append(path)
        elif differs:
            changed[path] = differs
    inner = [path for path in changed if not any(below.startswith(path + "/") for below in changed)]
    starts = {path: changed[path] for path in inner}
    return Comparison(starts, changed, [*spread, *(path for path in changed if path not in starts)], logs, list(keyed))


def _changes(known: ActionResult, found: ActionResult) -> list[Changed]:
    if known.error or found.error:
        same = known.error.splitlines()[-1:] == found.error.splitlines()[-1:]
        return [] if same else [Changed("error", "", known.error, found.error)]
    changes = _outputs(known, found)
    if known.manifest is not None and found.manifest is not None:
        changes += _metrics(known.manifest, found.manifest) + _files(known.manifest, found.manifest)
    return changes


def _outputs(known: ActionResult, found: ActionResult) -> list[Changed]:
    names = dict.fromkeys([*known.marks, *found.marks])
    return [
        Changed("output", name, _stored(known.manifest, name), _stored(found.manifest, name))
        for name in names
        if known.marks.get(name) != found.marks.get(name)
    ]


def _stored(manifest: Manifest | None, name: str) -> StoredValue | None:
    return manifest.outputs.get(name) if manifest is not None else None


def _metrics(known: Manifest, found: Manifest) -> list[Changed]:
    series = fold_metrics(list(known.metrics)), fold_metrics(list(found.metrics))
    return [
        Changed("metric", name, series[0].get(name, {}), series[1].get(name, {}))
        for name in dict.fromkeys([*series[0], *series[1]])
        # As text, since a NaN is no different from another, and the signs of zeros are.
        if repr(series[0].get(name)) != repr(series[1].get(name))
    ]


def _files(known: Manifest, found: Manifest) -> list[Changed]:
    old, new = ({item.path: item for item in manifest.artifacts} for manifest in (known, found))
    return [
        Changed("file", path, old.get(path), new.get(path))
        for path in dict.fromkeys([*old, *new])
        if old.get(path) != new.get(path)
    ]


def _discovered(known: Manifest | None, found: Manifest | None) -> list[str]:
    """In words, inputs that both executions discovered, with other values."""
    if known is None or found is None:
        return []
    words = {"variable": "variable", "file": "file", "folder": "folder"}
    return [
        f"{word} {readable(name)}"
        for kind, word in words.items()
        for name, digest in known.discovered.get(kind, {}).items()
        if found.discovered.get(kind, {}).get(name, digest) != digest
    ]
