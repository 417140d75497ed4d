"""``expops run --seeds``: one run for each seed, and what they say together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from ..engine.options import Options
from ..engine.run import RunResult
from ..runs.ledger import Ledger, new_run_id
from ..runs.model import Metrics, RunRecord
from ..runs.statistics import Summary, across
from .documents import run_document, write_json
from .text import Printer, number, plural

_INTERRUPTED: Final = "interrupted"


def run_each(options: Options, seeds: Sequence[int], run: Callable[[Options], RunResult]) -> list[RunResult]:
    """Run once for each seed, one after the other, so that what draws nothing executes in the first one only.

    A failure doesn't keep the other seeds from running; Ctrl-C does.
    """
    sweep = f"sweep-{new_run_id()}"
    results: list[RunResult] = []
    for seed in seeds:
        results.append(run(options._replace(seed=seed, sweep=sweep)))
        if results[-1].run.status == _INTERRUPTED:
            break
    return results


def worst(results: Sequence[RunResult]) -> str:
    """The status of all together."""
    found = {result.run.status for result in results}
    return next(status for status in (_INTERRUPTED, "failed", "done") if status in found)


def print_results(results: Sequence[RunResult], out: Printer) -> None:
    """The end of a sweep: how often things executed, and the metrics across seeds."""
    done = [result for result in results if result.run.status == "done"]
    out.line()
    out.line(f"{plural(len(results), 'seed')}: {len(done)} done", "green" if len(done) == len(results) else "red")
    executions: dict[str, int] = {}
    for result in results:
        for action in result.actions:
            if action.kind == "process":
                executions[action.path] = executions.get(action.path, 0) + (action.outcome == "executed")
    out.table([(path, str(count)) for path, count in executions.items()], head=("process", "executions"), right=(1,))
    print_summaries(across([result.metrics for result in done]), out)


def print_summaries(summaries: dict[str, dict[str, Summary]], out: Printer) -> None:
    """A table of metrics across seeds."""
    rows = [
        (path, name, str(found.seeds), number(found.mean), number(found.iqm), _interval(found))
        for path, series in summaries.items()
        for name, found in series.items()
    ]
    if rows:
        out.line()
        head = ("process", "metric", "seeds", "mean", "interquartile mean", "95 % interval")
        out.table(rows, head=head, right=(2, 3, 4, 5))


def _interval(found: Summary) -> str:
    return f"{number(found.low)} to {number(found.high)}" if found.seeds > 1 else ""


def write_results(results: Sequence[RunResult]) -> None:
    """The document of a sweep: the runs' own documents, and the metrics across them."""
    runs = [run_document(item.run, item.run.status, item.actions, item.metrics) for item in results]
    done = [result.metrics for result in results if result.run.status == "done"]
    first = results[0].run
    document = {"sweep": first.sweep, "status": worst(results), "runs": runs, "metrics": summaries_document(done)}
    write_json(document, sys.stdout)


def summaries_document(runs: Sequence[Metrics]) -> dict[str, dict[str, dict[str, Any]]]:
    """Metrics across seeds as ``--json`` shows them."""
    return {
        path: {
            name: {
                "seeds": found.seeds,
                "mean": found.mean,
                "interquartile_mean": found.iqm,
                "interval_95": [found.low, found.high] if found.seeds > 1 else None,
            }
            for name, found in series.items()
        }
        for path, series in across(runs).items()
    }


def of_sweep(ledger: Ledger, run: RunRecord) -> list[RunRecord]:
    """The runs of the sweep that ``run`` is part of, oldest first; none if it is of no sweep."""
    return [other for other in ledger.runs() if run.sweep and other.sweep == run.sweep and other.status == "done"]
