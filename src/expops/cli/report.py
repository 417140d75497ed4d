"""What a run leaves on the screen: what ran and why, what failed and where, what the cache saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .text import Printer, duration, plural, processes

if TYPE_CHECKING:
    from ..engine.run import RunResult
    from ..runs.model import ActionRecord


def print_audit(actions: Sequence[ActionRecord], out: Printer) -> None:
    """What the audit of code has found: each piece of code that ran and isn't followed, or that all is well."""
    executed = _of(actions, "executed")
    rows = [(action.path, f"{file}:{line}", symbol) for action in executed for file, line, symbol in action.unfollowed]
    out.line()
    if rows:
        out.table(rows, head=("ran code that isn't followed", "where", "symbol"))
        out.line("a change of that code would not be noticed; docs/limits.md has remedies, and please report it", "red")
    elif executed:
        out.line(f"audit: the fingerprints of {plural(len(executed), 'action')} follow all the code that ran", "green")
    else:
        out.line("audit: nothing executed, so nothing was checked; `--cache off` executes all", "yellow")


def print_summary(result: RunResult, warnings: int, out: Printer) -> None:
    """The end of a run in as few lines as say it; failures are :func:`print_failures`'s."""
    ended = [action for action in result.actions if action.kind == "process"]
    executed = _of(ended, "executed")
    hits = _of(ended, "hit")
    if len(hits) == len(ended):
        out.line(f"{_all_cached(len(ended))}{_saved(result.run.saved)}", "green")
        out.line(_run_line(result, warnings))
        return
    if executed:
        rows = [(action.path, duration(action.seconds), action.reason) for action in executed]
        out.line()
        out.table(rows, head=("executed", "time", "why"), right=(1,))
    skipped = _of(ended, "skipped")
    if skipped and result.run.status != "interrupted":
        out.line()
        out.table([(action.path, action.reason) for action in skipped], head=("skipped", "why"))
    out.line()
    status = result.run.status
    out.line(f"{status}: {_counts(result.actions, ended)}{_saved(result.run.saved)}", _STYLES.get(status, "bold"))
    out.line(_run_line(result, warnings))


_STYLES = {"done": "green", "failed": "red", "interrupted": "yellow"}


def print_failures(actions: Sequence[ActionRecord], err: Printer) -> None:
    """Each process that failed, with the step it failed in and the user's own traceback."""
    for action in actions:
        if action.kind == "process" and action.outcome == "failed":
            step = failed_step(actions, action.path)
            where = f"process '{action.path}'" + (f", step '{step}'" if step else "")
            err.line()
            err.line(f"{where} failed:", "red")
            err.line("\n".join("  " + line for line in action.error.splitlines()))


def failed_step(actions: Sequence[ActionRecord], process: str) -> str:
    """The innermost step of a failed process that failed with it, or ``""``."""
    inside = process + "/"
    failed = [
        action.path
        for action in actions
        if action.kind == "step" and action.outcome == "failed" and action.path.startswith(inside)
    ]
    # The last failure is the one that ended the process, and the deepest path is where it began.
    last = failed[-1] if failed else ""
    return max((path for path in failed if path.startswith(last)), key=len, default="")[len(inside) :]


def unmatched(forced: Sequence[str], actions: Sequence[ActionRecord]) -> list[str]:
    """Forced steps that no action of the run was."""
    paths = {action.path for action in actions}
    plain = {path.split("#")[0] for path in paths}
    return [path for path in forced if "/" in path and path not in paths and path not in plain]


def _of(actions: Sequence[ActionRecord], outcome: str) -> list[ActionRecord]:
    return [action for action in actions if action.outcome == outcome]


def _all_cached(count: int) -> str:
    return "the process is cached" if count == 1 else f"all {processes(count)} are cached"


def _counts(actions: Sequence[ActionRecord], ended: Sequence[ActionRecord]) -> str:
    parts: list[str] = []
    for outcome, word in (("executed", "executed"), ("failed", "failed"), ("skipped", "skipped"), ("hit", "cached")):
        count = len(_of(ended, outcome))
        if count:
            parts.append(f"{count:,} {word}" if parts else f"{processes(count)} {word}")
    steps = sum(action.kind == "step" and action.outcome == "hit" for action in actions)
    if steps:
        parts.append(f"{plural(steps, 'step')} cached inside them")
    return ", ".join(parts)


def _saved(seconds: float) -> str:
    return f"; the cache saved {duration(seconds)}" if seconds >= 0.0005 else ""


def _run_line(result: RunResult, warnings: int) -> str:
    parts = [f"run {result.run.run_id} took {duration(result.run.seconds)}"]
    if warnings:
        parts.append(f"{plural(warnings, 'warning')} above")
    return ", ".join(parts) + "; `expops show last` has the details"
