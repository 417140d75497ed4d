"""``expops explain``."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NamedTuple

from .. import wiring
from ..cache.code_diff import SymbolDiff
from ..cache.discovery import Places, Surroundings
from ..cache.manifest import Manifest
from ..engine.reasons import current, since
from ..engine.recall import Remembered, remembered
from ..errors import UnknownName
from ..pipeline.nearest import advice
from ..runs.model import ActionRecord, RunRecord
from . import opening
from .code_changes import changes_document, print_changes, since_action, since_record
from .documents import moment, write_json
from .parsing import Parser, add_json, add_project, add_variation, known_process
from .provenance import Source, print_source, source_document
from .status import planned
from .text import Printer, duration, stdout

_EXAMPLES = """\
  expops explain train                     # would it run, and why; or where its result came from
  expops explain train/fit                 # what is known of a step that it calls
  expops explain train/fit#2               # of its second call
  expops explain train --set train.lr=0.2  # what another parameter would change
  expops explain train -v                  # with all changes, and every symbol of the code that counts
"""
_PLANS = {"hit": "is cached", "miss": "would run", "unknown": "can't be told yet"}


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "explain",
        "PROCESS[/STEP] [options]",
        "Say why a process would run, or which run its result came from and what it depends on.\n"
        "Of a step, say what the latest run that called it has recorded, and what has changed since\n"
        "in its code and in the files that it read; its arguments are known only in a run.",
        _EXAMPLES,
    )
    made.add_argument("path", metavar="PROCESS[/STEP]", help="a process, or a step as `expops show` lists it")
    add_project(made, positional=False)
    add_variation(made)
    made.add_argument(
        "-v", "--verbose", action="store_true", help="show changes of code in full, and every symbol that counts"
    )
    add_json(made)
    return made


class _Answer(NamedTuple):
    """What is known, for programs and for people."""

    document: dict[str, Any]
    source: Source
    changes: list[SymbolDiff]


def execute(args: argparse.Namespace) -> int:
    """Explain it."""
    name, _, step = args.path.partition("/")
    with opening.project(args) as loaded:
        known_process(name, list(loaded.project.graph.names))
        answer = _of_step(loaded, args, name) if step else _of_process(loaded, args, name)
        document = {**answer.document, "code_changes": changes_document(answer.changes)}
        if args.json:
            write_json({**document, **source_document(answer.source)}, sys.stdout)
            return 0
    out = stdout()
    _print(document, out)
    print_changes(answer.changes, out, verbose=args.verbose)
    _print_rest(document, out)
    print_source(answer.source, out, verbose=args.verbose)
    return 0


def _of_process(loaded: wiring.Loaded, args: argparse.Namespace, name: str) -> _Answer:
    plan = {item.name: item for item in planned(loaded, [name], args.force)}
    item = plan[name]
    latest = _latest(loaded, name)
    document: dict[str, Any] = {
        "path": name,
        "kind": "process",
        "plan": "miss" if item.verdict == "failed" else item.verdict,
        "reason": item.reason,
        "reasons": list(item.reasons),
        "upstream": {
            other.name: other.reason for other in plan.values() if other.name != name and other.verdict == "miss"
        },
        "latest": _latest_document(latest),
    }
    manifest, changes = item.manifest, []
    if manifest is None and item.look_up is not None and item.look_up.last is not None:
        manifest = loaded.project.cache.before(item.look_up)
        if item.described is not None:
            project, last = loaded.project, item.look_up.last.action
            changes = since_action(project.cache.kv, last, item.described.code, project.code)
    known = Remembered(item.described, manifest)
    return _Answer(document, _source(loaded, known, current=item.manifest is not None), changes)


def _of_step(loaded: wiring.Loaded, args: argparse.Namespace, process: str) -> _Answer:
    path, project = args.path, loaded.project
    latest = _latest(loaded, path)
    if latest is None:
        known = sorted(_step_paths(loaded, process))
        if not known:
            raise UnknownName(f"no recorded run of '{process}' called a step '{path}'; `expops run` finds its steps")
        raise UnknownName(f"no recorded run called '{path}'; {advice(path, known, 'the steps are')}")
    _, action = latest
    found = remembered(project.cache.kv, [action])[path]
    around = Surroundings(Places(project.root, None), project.files, lambda label: "")
    source = _source(loaded, found, current=True)
    causes = since(project.code, found.code, found.manifest, around)
    causes += _seed_since(loaded, source)
    plan = {item.name: item for item in planned(loaded, [process], args.force)}[process]
    called = plan.verdict != "hit"
    document = {
        "path": path,
        "kind": "step",
        "plan": "hit" if not called else "miss" if causes else "unknown",
        "reason": action.reason,
        "reasons": causes,
        "upstream": {},
        "latest": _latest_document(latest),
    }
    now = current(project.code, found.code) if found.code is not None else None
    changes = since_record(project.cache.kv, found.code, now, project.code)
    return _Answer(document, source, changes)


def _seed_since(loaded: wiring.Loaded, source: Source) -> list[str]:
    manifest, made = source.known.manifest, source.made
    if manifest is None or made is None or not manifest.discovered.get("seed") or made.seed == str(loaded.seed):
        return []
    return [f"random seed {made.seed} → {loaded.seed}"]


def _source(loaded: wiring.Loaded, known: Remembered, *, current: bool) -> Source:
    """With what the ledger says of the run that made the result."""
    made = loaded.ledger.get(known.manifest.run) if known.manifest is not None else None
    return Source(known, current, made, _made_because(loaded, known.manifest, made))


def _made_because(loaded: wiring.Loaded, manifest: Manifest | None, run: RunRecord | None) -> str:
    if manifest is None or run is None:
        return ""
    executed = (item for item in loaded.ledger.actions(run.run_id) if item.outcome == "executed")
    return next((item.reason for item in executed if item.path == manifest.path), "")


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
    if document["kind"] == "process":
        out.line(f"process '{path}' {_PLANS[document['plan']]}: {document['reason']}", "bold")
        return
    took = f" in {duration(latest['seconds'])}" if latest["outcome"] == "executed" else ""
    word = {"hit": "cached"}.get(latest["outcome"], latest["outcome"])
    out.line(f"step '{path}' in run {latest['run_id']}: {word}{took}; {latest['reason']}", "bold")
    causes = "; ".join(document["reasons"])
    if document["plan"] == "hit":
        out.line(f"  process '{path.partition('/')[0]}' is cached, so nothing calls it now")
    elif causes:
        out.line(f"  it would run: {causes}")
    else:
        out.line("  neither its code nor what it read has changed since; its arguments are known only in a run")


def _print_rest(document: dict[str, Any], out: Printer) -> None:
    latest = document["latest"]
    if document["kind"] == "process":
        for name, reason in document["upstream"].items():
            out.line(f"  before it, '{name}' would run: {reason}")
        seen = f"last seen in run {latest['run_id']}: {latest['outcome']}" if latest else "no run has recorded it yet"
        out.line(f"  {seen}")
    if latest is not None and "error" in latest:
        out.line("  it failed with: " + latest["error"].splitlines()[-1], "red")
