"""``expops explain``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from .. import wiring
from ..errors import UnknownName
from ..pipeline.nearest import advice
from ..runs.model import ActionRecord, RunRecord
from . import opening
from .documents import moment, write_json
from .parsing import Parser, add_json, add_project, add_variation, known_process
from .provenance import Source, print_source, source_document
from .records import Remembered, manifest_in, remembered
from .status import planned
from .text import Printer, duration, stdout

_EXAMPLES = """\
  expops explain train                     # would it run, and why; or where its result came from
  expops explain train/fit                 # what is known of a step that it calls
  expops explain train/fit#2               # of its second call
  expops explain train --set train.lr=0.2  # what another parameter would change
  expops explain train -v                  # with every symbol of the code that counts
"""
_PLANS = {"hit": "is cached", "miss": "would run", "unknown": "can't be told yet"}


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "explain",
        "PROCESS[/STEP] [options]",
        "Say why a process would run, or which run its result came from and what it depends on.\n"
        "Of a step, say what the latest run that called it has recorded: its arguments are known only then.",
        _EXAMPLES,
    )
    made.add_argument("path", metavar="PROCESS[/STEP]", help="a process, or a step as `expops show` lists it")
    add_project(made, positional=False)
    add_variation(made)
    made.add_argument("-v", "--verbose", action="store_true", help="list every symbol of the code")
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Explain it."""
    name, _, step = args.path.partition("/")
    with opening.project(args) as loaded:
        known_process(name, list(loaded.project.graph.names))
        if step:
            document, source = _of_step(loaded, args.path)
        else:
            document, source = _of_process(loaded, args, name)
    if args.json:
        write_json({**document, **source_document(source)}, sys.stdout)
    else:
        out = stdout()
        _print(document, out)
        print_source(source, out, verbose=args.verbose)
    return 0


def _of_process(loaded: wiring.Loaded, args: argparse.Namespace, name: str) -> tuple[dict[str, Any], Source]:
    plan = {item.name: item for item in planned(loaded, [name], args.force)}
    item = plan[name]
    latest = _latest(loaded, name)
    document: dict[str, Any] = {
        "path": name,
        "kind": "process",
        "plan": "miss" if item.verdict == "failed" else item.verdict,
        "reason": item.reason,
        "upstream": {
            other.name: other.reason for other in plan.values() if other.name != name and other.verdict == "miss"
        },
        "latest": _latest_document(latest),
    }
    manifest = item.manifest
    if manifest is None and item.look_up is not None and item.look_up.last is not None:
        raw = loaded.project.cache.kv.get_many(["result/" + item.look_up.last.result])
        previous = manifest_in(next(iter(raw.values()), None), item.look_up.last.action)
        return document, Source(Remembered(item.described, previous), current=False)
    return document, Source(Remembered(item.described, manifest), current=manifest is not None)


def _of_step(loaded: wiring.Loaded, path: str) -> tuple[dict[str, Any], Source]:
    latest = _latest(loaded, path)
    if latest is None:
        name = path.partition("/")[0]
        known = sorted(_step_paths(loaded, name))
        if not known:
            raise UnknownName(f"no recorded run of '{name}' called a step '{path}'; `expops run` finds its steps")
        raise UnknownName(f"no recorded run called '{path}'; {advice(path, known, 'the steps are')}")
    _, action = latest
    found = remembered(loaded.project.cache.kv, [action])[path]
    document = {
        "path": path,
        "kind": "step",
        "plan": "unknown",
        "reason": action.reason,
        "upstream": {},
        "latest": _latest_document(latest),
    }
    return document, Source(found, current=True)


def _latest(loaded: wiring.Loaded, path: str) -> tuple[RunRecord, ActionRecord] | None:
    """The newest run in which the action took place, and its record there."""
    ledger = loaded.ledger
    for run in reversed(ledger.runs()):
        for action in ledger.actions(run.run_id):
            if action.path == path:
                return run, action
    return None


def _step_paths(loaded: wiring.Loaded, process: str) -> set[str]:
    """All steps that any run recorded for a process."""
    ledger = loaded.ledger
    return {
        action.path
        for run in ledger.runs()
        for action in ledger.actions(run.run_id)
        if action.path.startswith(process + "/")
    }


def _latest_document(latest: tuple[RunRecord, ActionRecord] | None) -> dict[str, Any] | None:
    if latest is None:
        return None
    run, action = latest
    return {"run_id": run.run_id, "started": moment(run.started), **action.document()}


def _print(document: dict[str, Any], out: Printer) -> None:
    path, latest = document["path"], document["latest"]
    if document["kind"] == "step":
        took = f" in {duration(latest['seconds'])}" if latest["outcome"] == "executed" else ""
        word = {"hit": "cached"}.get(latest["outcome"], latest["outcome"])
        out.line(f"step '{path}' in run {latest['run_id']}: {word}{took}; {latest['reason']}", "bold")
    else:
        out.line(f"process '{path}' {_PLANS[document['plan']]}: {document['reason']}", "bold")
        for name, reason in document["upstream"].items():
            out.line(f"  before it, '{name}' would run: {reason}")
        seen = f"last seen in run {latest['run_id']}: {latest['outcome']}" if latest else "no run has recorded it yet"
        out.line(f"  {seen}")
    if latest is not None and "error" in latest:
        out.line("  it failed with: " + latest["error"].splitlines()[-1], "red")
