"""``expops accept``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from .. import wiring
from ..engine.accept import Acceptor, Taken
from ..errors import UsageError
from . import opening
from .documents import write_json
from .parsing import Parser, add_json, add_project, add_settings, known_process
from .text import Printer, plural, stdout

_EXAMPLES = """\
  expops accept train                         # a helper of train was tidied up: keep its last result
  expops accept train/fit                     # the same for a step: the results of its latest calls
  expops accept learn --from train            # the process train is called learn now
  expops accept train/fit --from train/learn  # and the step learn is called fit
  expops accept train --undo                  # no, let it run after all; so does `expops run --force train`
"""


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "accept",
        "PROCESS[/STEP] [options]",
        "Declare that today's code gives what the code behind the last result gave, so that this result still counts.\n"
        "Only code and library versions may have changed since: with other inputs, parameters, files or seeds, or\n"
        "with another `version`, it is refused. It holds for today's code alone; the next edit ends it.\n"
        "Runs and `explain` say of the result that it was accepted, when, and how the code differed.\n"
        "The steps of an accepted process are not called; a step is accepted for when its process runs.",
        _EXAMPLES,
    )
    made.add_argument("path", metavar="PROCESS[/STEP]", help="a process, or a step as `expops show` lists it")
    add_project(made, positional=False)
    made.add_argument("--from", metavar="PROCESS[/STEP]", dest="origin", help="what it was called when it last ran")
    made.add_argument("--undo", action="store_true", help="take back what was accepted there")
    add_settings(made)
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Accept it, or take it back."""
    if args.undo and args.origin is not None:
        raise UsageError("--undo takes no --from; name what was accepted by the name that it has now")
    with opening.project(args) as loaded:
        acceptor = Acceptor(loaded.project, wiring.planner(loaded), loaded.ledger, loaded.seed)
        if args.undo:
            return _undo(acceptor, args)
        name = known_process(args.path.partition("/")[0], list(loaded.project.graph.names))
        origin = _origin(args, list(loaded.project.graph.names))
        if "/" in args.path:
            taken = acceptor.step(args.path, origin)
        else:
            taken = [acceptor.process(name, origin)]
    if args.json:
        write_json({"path": args.path, "accepted": [_document(item) for item in taken]}, sys.stdout)
    else:
        _print(args.path, taken, stdout())
    return 0


def _origin(args: argparse.Namespace, names: list[str]) -> str:
    """The path that the last result has. Raises :class:`UsageError` for one that can't be."""
    if args.origin is None:
        return str(args.path)
    origin = str(args.origin)
    if origin.count("/") != args.path.count("/"):
        raise UsageError(f"--from {origin} and {args.path} are not alike; write both as PROCESS, or as PROCESS/STEP")
    if "/" not in origin and origin in names:
        raise UsageError(f"--from {origin}: that process is still there, so '{args.path}' is not its new name")
    return origin


def _undo(acceptor: Acceptor, args: argparse.Namespace) -> int:
    paths = acceptor.undo(args.path)
    if args.json:
        write_json({"path": args.path, "undone": paths}, sys.stdout)
    else:
        stdout().line(f"no longer accepted: {', '.join(paths)}")
    return 0


def _document(item: Taken) -> dict[str, Any]:
    return {
        "path": item.path,
        "action": item.now.action,
        "result": item.now.result,
        "from": {"path": item.origin, "action": item.before.action, "result": item.before.result},
        "run_id": item.run,
        "reasons": item.reasons,
    }


def _print(path: str, taken: list[Taken], out: Printer) -> None:
    runs = ", ".join(dict.fromkeys(item.run for item in taken))
    what = "the result" if "/" not in path else plural(len(taken), "result")
    out.line(
        f"accepted {path}: {what} of run {runs} counts for today's code"
        if len(taken) == 1
        else f"accepted {path}: {what} of run {runs} count for today's code",
        "green",
    )
    for reason in dict.fromkeys(reason for item in taken for reason in item.reasons):
        out.line(f"  {reason}")
    if "/" not in path:
        out.line(
            "  its steps are not called while it is cached; `expops accept PROCESS/STEP` covers one of them", "dim"
        )
