"""``expops status``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import wiring
from ..errors import UsageError
from . import opening
from .parsing import Parser, add_json, add_only, add_project, add_variation
from .text import Printer, processes, stdout

if TYPE_CHECKING:
    from ..engine.plan import Planned

_EXAMPLES = """\
  expops status                          # the project around the current folder
  expops status --set train.lr=0.2       # what that parameter would cost
  expops status --only evaluate --all    # evaluate and what it needs, cached or not
  expops status --watch                  # again after each edit, until Ctrl-C
  expops status --json | jq '.actions[] | select(.plan == "miss")'
"""
_WORDS = {"hit": "cached", "miss": "runs", "unknown": "unknown", "failed": "fails"}
_STYLES = {"cached": "dim", "runs": "", "unknown": "yellow", "fails": "red"}
_ALL_FIT = 24  # cached processes that are listed one by one where nobody's screen counts
_AROUND = 5  # lines above and below the table, the prompt's included
_FEWEST = 5
_WRAPPED = 3  # lines that a row may take; where there is no room for that, each gets one
_KEPT = ("fails", "runs", "unknown", "cached")


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
    made.add_argument(
        "-w", "--watch", action="store_true", help="follow edits: plan anew when a file changes; Ctrl-C ends it, with 0"
    )
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Plan, and say what came of it."""
    if args.watch:
        return _watch(args)
    with opening.project(args) as loaded:
        plan = planned(loaded, args.only, args.force)
    if args.json:
        from .documents import write_json  # not for people

        write_json({"actions": [_document(item) for item in plan]}, sys.stdout)
    else:
        _print(plan, stdout(), everything=args.all)
    return 0


def _watch(args: argparse.Namespace) -> int:
    from .watch import watch  # a status that is asked for once does without

    if args.json:
        raise UsageError("--watch goes on and --json prints one document; leave one of them out")
    return watch(
        args,
        lambda loaded: planned(loaded, args.only, args.force),
        lambda plan, out: _print(plan, out, everything=args.all),
    )


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
    hidden = frozenset[int]() if everything else _hidden(words, out.rows)
    rows, styles = [], []
    for index, (item, word) in enumerate(zip(plan, words, strict=True)):
        if index not in hidden:
            rows.append((item.name, word, item.reason))
            styles.append(_STYLES[word])
    cut = not everything and out.rows is not None and len(rows) * _WRAPPED > out.rows
    out.table(rows, head=("process", "plan", "why"), styles=styles, cut=cut)
    if hidden:
        folded = [words[index] for index in hidden]
        told = ", ".join(_told(word, folded.count(word)) for word in _STYLES if word in folded)
        cached = f"{processes(len(folded))} cached" if {*folded} == {"cached"} else f"{len(folded):,} more: {told}"
        out.line(f"  and {cached} (--all lists them)", "dim")
    out.line()
    out.line(
        f"{processes(len(plan))}: " + ", ".join(_told(word, words.count(word)) for word in _STYLES if word in words)
    )


def _hidden(words: Sequence[str], room: int | None) -> frozenset[int]:
    """The numbers of the processes that are counted only, so that the rest fits on the screen; cached ones first."""
    hits = [index for index, word in enumerate(words) if word == "cached"]
    if room is None:
        return frozenset(hits) if len(hits) > _ALL_FIT else frozenset()
    if len(words) <= room - _AROUND:
        return frozenset()
    ranked = sorted(range(len(words)), key=lambda index: (_KEPT.index(words[index]), index))
    return frozenset([*ranked[max(room - _AROUND - 1, _FEWEST) :], *hits])


def _told(word: str, count: int) -> str:
    return {
        "cached": f"{count:,} cached",
        "runs": f"{count:,} to run",
        "unknown": f"{count:,} unknown until then",
        "fails": f"{count:,} can't run",
    }[word]
