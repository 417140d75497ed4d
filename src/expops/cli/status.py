"""``expops status``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import wiring
from . import opening
from .parsing import Parser, add_json, add_only, add_project, add_variation
from .text import Printer, processes, stdout

if TYPE_CHECKING:
    from ..engine.plan import Planned

_EXAMPLES = """\
  expops status                          # the project around the current folder
  expops status --set train.lr=0.2       # what that parameter would cost
  expops status --only evaluate --all    # evaluate and what it needs, cached or not
  expops status --json | jq '.actions[] | select(.plan == "miss")'
"""
_WORDS = {"hit": "cached", "miss": "runs", "unknown": "unknown", "failed": "fails"}
_STYLES = {"cached": "dim", "runs": "", "unknown": "yellow", "fails": "red"}
_ALL_FIT = 24  # cached processes that are listed one by one


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "status",
        "[PROJECT] [options]",
        "Say what a run would do, and why. Nothing executes and nothing of yours is imported.\n"
        "'unknown' means that it depends on what a process before it gives.",
        _EXAMPLES,
    )
    add_project(made, positional=True)
    add_variation(made)
    add_only(made)
    made.add_argument("-a", "--all", action="store_true", help="list every process, however many are cached")
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Plan, and say what came of it."""
    with opening.project(args) as loaded:
        plan = planned(loaded, args.only, args.force)
    if args.json:
        from .documents import write_json  # not for people

        write_json({"actions": [_document(item) for item in plan]}, sys.stdout)
    else:
        _print(plan, stdout(), everything=args.all)
    return 0


def planned(loaded: wiring.Loaded, only: Sequence[str], forced: Sequence[str]) -> list[Planned]:
    """The plan of the processes ``only``, with all they need; of all processes if there are none."""
    options = wiring.run_options(loaded, targets=only, forced=forced)
    targets = options.targets
    names = targets | loaded.project.graph.ancestors(targets) if targets else frozenset(loaded.project.graph.names)
    return list(wiring.planner(loaded, sorted(options.forced)).plan_all(names).values())


def _document(item: Planned) -> dict[str, object]:
    # A process that can't even be called is not in the cache either.
    verdict = "miss" if item.verdict == "failed" else item.verdict
    return {"path": item.name, "plan": verdict, "reason": item.reason, "reasons": list(item.reasons)}


def _print(plan: Sequence[Planned], out: Printer, *, everything: bool) -> None:
    words = [_WORDS[item.verdict] for item in plan]
    hits = words.count("cached")
    if hits == len(plan) and not everything:
        out.line(f"nothing to do: {'it is' if hits == 1 else f'all {processes(hits)} are'} cached", "green")
        return
    folded = hits > _ALL_FIT and not everything
    rows, styles = [], []
    for item, word in zip(plan, words, strict=True):
        if not (folded and word == "cached"):
            rows.append((item.name, word, item.reason))
            styles.append(_STYLES[word])
    out.table(rows, head=("process", "plan", "why"), styles=styles)
    if folded:
        out.line(f"  and {processes(hits)} cached (--all lists them)", "dim")
    out.line()
    out.line(
        f"{processes(len(plan))}: " + ", ".join(_told(word, words.count(word)) for word in _STYLES if word in words)
    )


def _told(word: str, count: int) -> str:
    return {
        "cached": f"{count:,} cached",
        "runs": f"{count:,} to run",
        "unknown": f"{count:,} unknown until then",
        "fails": f"{count:,} can't run",
    }[word]
