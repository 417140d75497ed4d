"""``expops diff``."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ..engine.recall import remembered
from ..kv.base import KVStore
from ..runs.model import ActionRecord, Metrics, RunRecord
from . import opening
from .parsing import Parser, add_json, add_project
from .records import causes, find_run
from .text import Printer, local_time, number, plural, stdout

_EXAMPLES = """\
  expops diff                       # the last run against the one before it
  expops diff 20260131-142501       # that run against the last
  expops diff last~5 last           # any two, the earlier first
  expops diff --json | jq .metrics
"""
_NOTHING: Final = "-"


class Change(NamedTuple):
    """How one action differs between two runs: ``None`` where a run has not got it."""

    path: str
    before: ActionRecord | None
    after: ActionRecord | None
    outputs: dict[str, list[str | None]]
    causes: list[str]


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "diff",
        "[RUN [RUN]] [options]",
        "Compare two runs: which results differ and what caused it, metrics, and settings.",
        _EXAMPLES,
    )
    made.add_argument("runs", metavar="RUN", nargs="*", help="ids or their beginnings (default: last~1 and last)")
    add_project(made, positional=False)
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Compare them."""
    if len(args.runs) > 2:
        made = parser()
        made.error(f"two runs can be compared, not {len(args.runs)}")
    first, second = {0: ["last~1", "last"], 1: [*args.runs, "last"]}.get(len(args.runs), args.runs)
    with opening.stores(args) as stores:
        ledger = stores.ledger
        runs = (find_run(ledger, first), find_run(ledger, second))
        changes = _changes(stores.cache.kv, *({item.path: item for item in ledger.actions(run.run_id)} for run in runs))
        metrics = _metrics(*(ledger.metrics(run.run_id) for run in runs))
    if args.json:
        from .documents import write_json  # not for people

        write_json(_document(runs, changes, metrics), sys.stdout)
    else:
        _print(runs, changes, metrics, stdout())
    return 0


def _changes(kv: KVStore, before: dict[str, ActionRecord], after: dict[str, ActionRecord]) -> list[Change]:
    """All actions whose outputs, outcome or reason differ, in the order of the later run."""
    paths = [*after, *(path for path in before if path not in after)]
    different = [
        path
        for path in paths
        if _facts(before.get(path)) != _facts(after.get(path)) and not _folded(path, before, after)
    ]
    olds = remembered(kv, [before[path] for path in different if path in before])
    news = remembered(kv, [after[path] for path in different if path in after])
    return [
        Change(
            path,
            before.get(path),
            after.get(path),
            _outputs(before.get(path), after.get(path)),
            causes(kv, olds[path], news[path]) if path in olds and path in news else [],
        )
        for path in different
    ]


def _folded(path: str, before: Mapping[str, ActionRecord], after: Mapping[str, ActionRecord]) -> bool:
    """Whether a step is missing from one of the runs only because its process came from the cache there."""
    run = after if path not in after else before
    process = run.get(path.partition("/")[0])
    return path not in run and process is not None and process.outcome == "hit"


def _facts(action: ActionRecord | None) -> tuple[object, ...]:
    if action is None:
        return ()
    return (action.outcome, action.reason, action.outputs, action.action, action.result)


def _outputs(before: ActionRecord | None, after: ActionRecord | None) -> dict[str, list[str | None]]:
    old = {name: mark for name, (mark, _) in before.outputs.items()} if before is not None else {}
    new = {name: mark for name, (mark, _) in after.outputs.items()} if after is not None else {}
    names = [*new, *(name for name in old if name not in new)]
    return {name: [old.get(name), new.get(name)] for name in names if old.get(name) != new.get(name)}


def _metrics(before: Metrics, after: Metrics) -> dict[str, dict[str, dict[int, list[float | None]]]]:
    """Both values of every metric at every step, ``None`` where a run has none."""
    found: dict[str, dict[str, dict[int, list[float | None]]]] = {}
    for path, name in _names(before, after):
        old, new = before.get(path, {}).get(name, {}), after.get(path, {}).get(name, {})
        steps = sorted({*old, *new})
        found.setdefault(path, {})[name] = {step: [old.get(step), new.get(step)] for step in steps}
    return found


def _names(*metrics: Metrics) -> Iterator[tuple[str, str]]:
    return iter(dict.fromkeys((path, name) for one in metrics for path, series in one.items() for name in series))


def _settings(run: RunRecord) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "overrides": run.overrides,
        "command": run.command,
        "git commit": run.git_commit,
        "git dirty": run.git_dirty,
        "python": run.python,
        "host": run.host,
        "jobs": run.jobs,
        **{f"library {name}": version for name, version in run.libraries.items()},
    }


def _changed_settings(runs: tuple[RunRecord, RunRecord]) -> dict[str, list[Any]]:
    old, new = map(_settings, runs)
    names = [*old, *(name for name in new if name not in old)]
    return {name: [old.get(name), new.get(name)] for name in names if old.get(name) != new.get(name)}


def _document(runs: tuple[RunRecord, RunRecord], changes: list[Change], metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "runs": [run.run_id for run in runs],
        "settings": _changed_settings(runs),
        "actions": [
            {
                "path": item.path,
                "kind": (item.after or item.before or _none()).kind,
                "outcomes": [one.outcome if one is not None else None for one in (item.before, item.after)],
                "reasons": [one.reason if one is not None else None for one in (item.before, item.after)],
                "causes": item.causes,
                "outputs": item.outputs,
            }
            for item in changes
        ],
        "metrics": {
            path: {
                name: {step: {"values": values, "delta": _delta(*values)} for step, values in points.items()}
                for name, points in series.items()
            }
            for path, series in metrics.items()
        },
    }


def _none() -> ActionRecord:
    raise AssertionError("a change is of an action that one of the runs has")


def _delta(old: float | None, new: float | None) -> float | None:
    return None if old is None or new is None else new - old


def _print(runs: tuple[RunRecord, RunRecord], changes: list[Change], metrics: Mapping[str, Any], out: Printer) -> None:
    for label, run in zip(("from", "to"), runs, strict=True):
        out.line(f"{label:4} {run.run_id}  {local_time(run.started)}  {run.status}", "bold")
    settings = [(name, _text(old), _text(new)) for name, (old, new) in _changed_settings(runs).items()]
    if settings:
        out.line()
        out.table(settings, head=("setting", "from", "to"))
    different = [item for item in changes if item.outputs]
    if different:
        out.line()
        rows = [(item.path, _what(item), "; ".join(item.causes) or _reason(item)) for item in different]
        out.table(rows, head=("result", "differs in", "why"))
    _print_metrics(metrics, out)
    out.line()
    if different:
        out.line(f"{plural(len(different), 'result differs', 'results differ')}")
    else:
        out.line("all results are the same")


def _what(item: Change) -> str:
    if item.before is None or not item.before.outputs:
        return "all: only there in the later run"
    if item.after is None or not item.after.outputs:
        return "all: only there in the earlier run"
    return ", ".join(item.outputs)


def _reason(item: Change) -> str:
    return item.after.reason if item.after is not None else ""


def _print_metrics(metrics: Mapping[str, Any], out: Printer) -> None:
    rows = []
    for path, series in metrics.items():
        for name, points in series.items():
            old, new = (_last(points, which) for which in (0, 1))
            delta = _delta(old, new)
            rows.append((path, name, _number(old), _number(new), _signed(delta)))
    if rows:
        out.line()
        out.table(rows, head=("process", "metric (last value)", "from", "to", "change"), right=(2, 3))


def _last(points: Mapping[int, list[float | None]], which: int) -> float | None:
    return next((value for values in reversed(list(points.values())) if (value := values[which]) is not None), None)


def _number(value: float | None) -> str:
    return _NOTHING if value is None else number(value)


def _signed(delta: float | None) -> str:
    if delta is None:
        return ""
    return "same" if delta == 0 else f"{delta:+.6g}" if not math.isnan(delta) else "NaN"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return shlex.join(value) or _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "") else _NOTHING
