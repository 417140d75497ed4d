"""A recorded run made again: its project rebuilt, executed without the cache, and compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .. import wiring
from ..engine.events import Watcher
from ..engine.run import Runner, RunResult
from ..errors import ConfigError, UsageError
from ..pipeline.graph import Graph
from .causes import environment_causes
from .compare import Compared, Tolerance, compare
from .rebuild import Rebuilt


class Reproduction(NamedTuple):
    """What came of it: ``run_id`` is that of the repetition, ``""`` if nothing could run."""

    run_id: str
    causes: list[str]
    compared: list[Compared]


def reproduce(
    document: Mapping[str, Any],
    rebuilt: Rebuilt,
    watcher: Watcher,
    *,
    jobs: int | None,
    tolerance: Tolerance,
    command: Iterable[str],
) -> Reproduction:
    """Execute the run of ``document`` again in its rebuilt project.

    Raises :class:`UsageError` if the recorded project can't be loaded here.
    """
    overrides = document["run"]["overrides"]
    try:
        loaded = wiring.load_project(
            rebuilt.folder, mode="off", settings=overrides, seed=int(document["run"]["seed"]), embedded=True
        )
    except ConfigError as fault:
        told = "; ".join(str(problem) for problem in fault.problems)
        raise UsageError(f"the recorded project can't be loaded here: {told}") from fault
    try:
        refused = _with_dependants(rebuilt.refused, loaded.project.graph)
        wanted = [item["path"] for item in document["actions"] if item["kind"] == "process"]
        targets = [name for name in wanted if name not in refused]
        result: RunResult | None = None
        runner: Runner | None = None
        if targets:
            options = wiring.run_options(
                loaded, jobs=jobs, targets=targets, settings=overrides, command=["expops", *command]
            )
            runner = Runner(loaded.project, options, watcher)
            result = runner.run()
        shared = loaded.ledger.shared(result.run) if result is not None else {}
    finally:
        wiring.close(loaded)
    declared = _declared(document)
    compared = compare(
        document["actions"],
        document["metrics"],
        result.actions if result is not None else [],
        result.metrics if result is not None else {},
        refused,
        lambda process, metric: tolerance._replace(declared=declared.get(process, {}).get(metric, 0.0)),
    )
    causes = [*environment_causes(document, shared.get("numeric") or []), *rebuilt.causes]
    return Reproduction(result.run.run_id if result is not None else "", causes, compared)


def _declared(document: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The tolerances that the recorded configuration declares, by process and metric."""
    resolved = document["configuration"]["resolved"] or {}
    return {process["name"]: process.get("tolerance", {}) for process in resolved.get("processes", [])}


def _with_dependants(refused: Mapping[str, str], graph: Graph) -> dict[str, str]:
    found = dict(refused)
    pending = list(refused)
    while pending:
        name = pending.pop()
        for below in graph.downstream(name):
            if below not in found:
                found[below] = f"'{name}' could not run"
                pending.append(below)
    return found
