"""``expops reproduce``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from .. import wiring
from ..errors import CorruptData, UsageError
from ..pipeline.config import PROFILES
from ..record.compare import COULD_NOT_RUN, DIFFERENT, NOT_RECORDED, SAME, WITHIN, Compared, Tolerance, worst
from ..record.rebuild import rebuild
from ..record.reproduce import Reproduction, reproduce
from . import opening
from .documents import stdout_on_stderr, write_json
from .parsing import Parser, add_json, add_project, count, not_negative
from .record_files import load_document, stored_document
from .text import Printer, plural, stdout
from .watchers import PlainWatcher

_EXAMPLES = """\
  expops reproduce last                         # the last run of the project around the current folder
  expops reproduce 20260131-1425 --into again   # keep the rebuilt project in the folder 'again'
  expops reproduce run.json --data data         # a file of `expops export`, without the project
  expops reproduce last --rtol 1e-6             # let metrics differ by a millionth
"""
_EXIT: Final = {SAME: 0, NOT_RECORDED: 0, WITHIN: 0, DIFFERENT: 3, COULD_NOT_RUN: 1}
_STYLES: Final = {SAME: "green", NOT_RECORDED: "dim", WITHIN: "yellow", DIFFERENT: "red", COULD_NOT_RUN: "red"}


class _Source(NamedTuple):
    """A run's document, and the project that it is of, where there is one."""

    document: dict[str, Any]
    project: str | None


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "reproduce",
        "RUN [options]",
        "Do a recorded run again: rebuild its project from the record, execute it without the cache in a folder of\n"
        "its own, and compare. The project itself is only read.\n"
        "Exit code: 0 the same or within tolerance, 1 something could not run, 2 bad usage, 3 something differs.",
        _EXAMPLES,
    )
    made.add_argument("run", metavar="RUN", help="a run's id or its beginning, `last`, or a file of `expops export`")
    add_project(made, positional=False)
    made.add_argument("--into", metavar="DIR", help="rebuild the project in this new or empty folder, and keep it")
    made.add_argument("--data", metavar="DIR", help="its data folder (default: data in the project)")
    made.add_argument("--rtol", metavar="X", type=not_negative, default=0.0, help="relative tolerance of metrics (0)")
    made.add_argument("--atol", metavar="X", type=not_negative, default=0.0, help="absolute tolerance of metrics (0)")
    made.add_argument("-j", "--jobs", metavar="N", type=count, help="worker processes (default: as configured)")
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Run it again and compare."""
    source = _source(args)
    warning = _fix_environment(source.document) if args.jobs == 0 else ""
    with _folder(args.into) as folder, stdout_on_stderr():
        made = _made_again(args, source, folder, warning)
    verdict = worst(made.compared)
    document = _document(source.document, made, verdict, args.into)
    if args.json:
        write_json(document, sys.stdout)
    else:
        _print(document, made.compared, stdout())
    return _EXIT[verdict]


def _source(args: argparse.Namespace) -> _Source:
    if args.run.endswith(".json") or os.path.isfile(args.run):
        project = opening.root_of(args.project) if args.project else None
        return _Source(load_document(args.run), project)
    with opening.stores(args) as stores:
        return _Source(stored_document(stores, args.run), stores.root)


@contextmanager
def _folder(into: str | None) -> Iterator[str]:
    if into is not None:
        yield into
        return
    with tempfile.TemporaryDirectory(prefix="expops-reproduce-", ignore_cleanup_errors=True) as folder:
        yield os.path.join(folder, "project")


def _fix_environment(document: Mapping[str, Any]) -> str:
    from . import inline  # workers have theirs from the start

    profile = (document["configuration"]["resolved"] or {}).get("profile")
    # Another one is told where the recorded project is loaded.
    return inline.fix(wiring.worker_environment(profile if profile in PROFILES else PROFILES[0]))


def _made_again(args: argparse.Namespace, source: _Source, folder: str, warning: str) -> Reproduction:
    watcher = PlainWatcher(sys.stderr, sys.stderr)
    if warning:
        watcher.warned(warning)
    tolerance = Tolerance(args.rtol, args.atol)
    try:
        rebuilt = rebuild(source.document, folder, project=source.project, data=args.data)
        return reproduce(source.document, rebuilt, watcher, jobs=args.jobs, tolerance=tolerance, command=args.argv)
    except CorruptData as fault:
        raise UsageError(str(fault)) from fault
    except OSError as fault:
        raise UsageError(f"the project can't be rebuilt in {folder}: {fault}") from fault
    finally:
        watcher.close()


def _document(document: Mapping[str, Any], made: Reproduction, verdict: str, into: str | None) -> dict[str, Any]:
    return {
        "run_id": document["run"]["id"],
        "verdict": verdict,
        "repeated_as": made.run_id or None,
        "folder": os.path.abspath(into) if into is not None else None,
        "causes": made.causes,
        "actions": [item._asdict() for item in made.compared],
    }


def _print(document: Mapping[str, Any], compared: list[Compared], out: Printer) -> None:
    if document["causes"]:
        out.line("what is not as it was, and may make results differ:", "bold")
        out.table([(cause,) for cause in document["causes"]])
        out.line()
    rows = [(item.path, item.verdict, "; ".join(item.details)) for item in compared]
    out.table(rows, head=("action", "compared", "what"), styles=[_STYLES[item.verdict] for item in compared])
    out.line()
    processes = [item for item in compared if item.kind == "process"]
    counts = [
        f"{sum(item.verdict == verdict for item in processes)} {verdict}"
        for verdict in _STYLES
        if any(item.verdict == verdict for item in processes)
    ]
    told = f"run {document['run_id']} again: {document['verdict']}"
    out.line(f"{told} ({plural(len(processes), 'process', 'processes')}: {', '.join(counts)})", _style(document))
    if document["folder"] is not None:
        out.line(f"the rebuilt project is in {os.path.relpath(document['folder'])}")


def _style(document: Mapping[str, Any]) -> str:
    return _STYLES[document["verdict"]]
