"""``expops runs``."""

from __future__ import annotations

import argparse
import shlex
import sys

from ..runs.model import RunRecord
from . import opening
from .parsing import Parser, add_json, add_project, count
from .records import status_of
from .text import Printer, duration, local_time, plural, stdout

_EXAMPLES = """\
  expops runs              # the latest twenty, newest first
  expops runs -n 0         # all of them
  expops runs --json | jq '.runs[0].run_id'
"""
_STYLES = {"failed": "red", "interrupted": "yellow", "killed": "red", "running": "cyan"}


def parser() -> Parser:
    """Arguments and help."""
    made = Parser("runs", "[PROJECT] [options]", "List the runs of a project, newest first.", _EXAMPLES)
    add_project(made, positional=True)
    made.add_argument("-n", metavar="N", type=count, default=20, help="how many (default: 20); 0 for all")
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """List them."""
    with opening.stores(args) as stores:
        runs = stores.ledger.runs()[::-1]
    shown = runs[: args.n] if args.n else runs
    if args.json:
        from .documents import run_facts, write_json  # not for people

        write_json({"runs": [run_facts(run, status_of(run)) for run in shown]}, sys.stdout)
    else:
        _print(shown, len(runs), stdout())
    return 0


def _print(runs: list[RunRecord], total: int, out: Printer) -> None:
    if not runs:
        out.line("nothing has run in this project yet; `expops run` does")
        return
    statuses = [status_of(run) for run in runs]
    rows = [_row(run, status) for run, status in zip(runs, statuses, strict=True)]
    styles = [_STYLES.get(status, "") for status in statuses]
    head = ("run", "started", "status", "took", "ran", "cached", "arguments")
    out.table(rows, head=head, right=(3, 4, 5), styles=styles)
    if total > len(runs):
        out.line(f"  and {plural(total - len(runs), 'earlier run')} (-n 0 lists all)", "dim")


def _row(run: RunRecord, status: str) -> tuple[str, ...]:
    ran = run.counts.get("executed", 0) + run.counts.get("failed", 0)
    return (
        run.run_id,
        local_time(run.started)[5:-3],
        status,
        duration(run.seconds) if run.finished else "",
        str(ran) if run.counts else "",
        str(run.counts.get("hit", 0)) if run.counts else "",
        shlex.join(run.command[2:]),
    )
