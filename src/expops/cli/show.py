"""``expops show``."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from ..engine.names import folder_name
from ..engine.recall import remembered
from ..hashing.code.versions import shown
from ..runs.ledger import Ledger
from ..runs.model import ActionRecord, Metrics, RunRecord
from ..runs.statistics import across
from . import opening
from .parsing import Parser, add_json, add_project
from .records import find_run, status_of
from .report import print_failures
from .sweep import of_sweep, print_summaries, summaries_document
from .text import Printer, duration, local_time, number, plural, size, stdout

_EXAMPLES = """\
  expops show                          # the last run
  expops show last~1                   # the one before it
  expops show 20260131-1425            # the beginning of an id is enough
  expops show --log                    # with what user code printed
  expops show --json | jq .metrics
"""
_STYLES = {"hit": "dim", "executed": "", "failed": "red", "skipped": "yellow"}
_WORDS = {"hit": "cached"}


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "show",
        "[RUN] [options]",
        "Show one run: its settings, its actions with outcome and reason, metrics and artifacts.",
        _EXAMPLES,
    )
    made.add_argument(
        "run", metavar="RUN", nargs="?", default="last", help="a run's id or its beginning (default: last)"
    )
    add_project(made, positional=False)
    made.add_argument("--log", action="store_true", help="also what user code printed, where the cache still has it")
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Show it."""
    with opening.stores(args) as stores:
        run = find_run(stores.ledger, args.run)
        actions = stores.ledger.actions(run.run_id)
        metrics = stores.ledger.metrics(run.run_id)
        if args.json:
            _print_json(stores, run, actions, metrics, log=args.log)
        else:
            out = stdout()
            _print(stores, run, actions, metrics, out)
            if args.log:
                _print_log(logs(stores, actions), out)
    return 0


def _print_json(
    stores: opening.Stores, run: RunRecord, actions: list[ActionRecord], metrics: Metrics, *, log: bool
) -> None:
    from .documents import run_document, write_json  # not for people

    document = run_document(run, status_of(run), actions, metrics)
    files: dict[str, dict[str, str | None]] = {}
    for process, path, place in _artifacts(stores, run, actions):
        files.setdefault(process, {})[path] = place
    document["artifacts"] = files
    together = of_sweep(stores.ledger, run)
    if together:
        document["across_seeds"] = summaries_document([stores.ledger.metrics(other.run_id) for other in together])
    if log:
        document["log"] = dict(logs(stores, actions))
    write_json(document, sys.stdout)


def logs(stores: opening.Stores, actions: Sequence[ActionRecord]) -> list[tuple[str, list[tuple[str, str]] | None]]:
    """What each process printed, as (stream, text); ``None`` where the cache has not got its result."""
    done = [item for item in actions if item.kind == "process" and item.outcome in ("hit", "executed")]
    known = remembered(stores.cache.kv, done)
    found = []
    for item in done:
        manifest = known[item.path].manifest
        found.append((item.path, manifest.log if manifest is not None else None))
    return found


def _print(stores: opening.Stores, run: RunRecord, actions: list[ActionRecord], metrics: Metrics, out: Printer) -> None:
    status = status_of(run)
    out.line(f"run {run.run_id}: {status}", {"done": "green", "failed": "red"}.get(status, "yellow"))
    out.table(list(_settings(run)))
    if actions:
        out.line()
        rows = [
            (item.path, _WORDS.get(item.outcome, item.outcome), *_times(item), _bytes(item), item.reason)
            for item in actions
        ]
        head = ("action", "outcome", "time", "saved", "output", "why")
        out.table(rows, head=head, right=(2, 3, 4), styles=[_STYLES[item.outcome] for item in actions])
    if metrics:
        out.line()
        out.table(_metric_rows(metrics), head=("process", "metric", "value", "at step"), right=(2,))
    together = of_sweep(stores.ledger, run)
    if together:
        out.line()
        out.line(
            f"{run.sweep}: {plural(len(together), 'seed')} ({', '.join(other.seed for other in together)})", "bold"
        )
        print_summaries(across([stores.ledger.metrics(other.run_id) for other in together]), out)
    artifacts = _artifacts(stores, run, actions)
    if artifacts:
        out.line()
        files = [
            (process, path, os.path.relpath(place) if place else "replaced by a later run's")
            for process, path, place in artifacts
        ]
        out.table(files, head=("process", "artifact", "where"))
    print_failures(actions, out)


def _settings(run: RunRecord) -> list[tuple[str, str]]:
    commit = run.git_commit[:12] + (" with changes that are not committed" if run.git_dirty else "")
    took = f", took {duration(run.seconds)}" if run.finished else ""
    jobs = f"{run.jobs} worker{'s' if run.jobs != 1 else ''}" if run.jobs else "no workers"
    rows = [
        ("started", f"{local_time(run.started)}{took}, on {run.host} with {jobs}"),
        ("command", shlex.join(run.command)),
        ("seed", run.seed),
        ("saved", duration(run.saved) if run.saved else ""),
        ("git", commit),
        ("Python", run.python),
        ("libraries", ", ".join(f"{name} {shown(version)}" for name, version in run.libraries.items())),
    ]
    return [row for row in rows if row[1]]


def _times(item: ActionRecord) -> tuple[str, str]:
    spent = duration(item.seconds) if item.outcome in ("executed", "failed") else ""
    return spent, duration(item.saved) if item.saved else ""


def _bytes(item: ActionRecord) -> str:
    return size(sum(count for _, count in item.outputs.values())) if item.outputs else ""


def _metric_rows(metrics: Metrics) -> list[tuple[str, str, str, str]]:
    rows = []
    for path, series in metrics.items():
        for name, points in series.items():
            last = max(points)
            many = f"{last}, the last of {len(points)}" if len(points) > 1 else str(last)
            rows.append((path, name, number(points[last]), many))
    return rows


def _artifacts(
    stores: opening.Stores, run: RunRecord, actions: list[ActionRecord]
) -> list[tuple[str, str, str | None]]:
    """Process, name and place of each artifact; no place if only the cache may still have it."""
    with_files = [item for item in actions if item.kind == "process" and item.artifacts]
    if not with_files:
        return []
    newest = _newest_results(stores.ledger, run, {item.path for item in with_files})
    found: list[tuple[str, str, str | None]] = []
    for item in with_files:
        for path in item.artifacts:
            place = os.path.join(stores.folder, "artifacts", folder_name(item.path), path)
            there = newest.get(item.path, item.result) == item.result and os.path.exists(place)
            found.append((item.path, path, place if there else None))
    return found


def _newest_results(ledger: Ledger, run: RunRecord, processes: set[str]) -> dict[str, str]:
    """For each of ``processes`` that a later run than ``run`` has got through, the result of the latest one."""
    found: dict[str, str] = {}
    for later in reversed(ledger.runs()):
        if later.run_id == run.run_id or found.keys() == processes:
            break
        for item in ledger.actions(later.run_id):
            if item.path in processes and item.outcome in ("hit", "executed"):
                found.setdefault(item.path, item.result)
    return found


def _print_log(found: list[tuple[str, list[tuple[str, str]] | None]], out: Printer) -> None:
    for path, log in found:
        out.line()
        if log is None:
            out.line(f"{path}: the cache has not got its result any more", "dim")
        elif log:
            out.line(f"{path}:", "bold")
            for line in "".join(text for _, text in log).splitlines():
                out.line(f"  {line}")
        else:
            out.line(f"{path} printed nothing", "dim")
