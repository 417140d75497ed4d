"""Sets up replays of recorded processes: which folders, which cache, which conditions."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...cache.manifest import Manifest
from ...cache.store import ResultCache
from ...pipeline.graph import Graph
from ...runs.ledger import new_run_id
from ..names import folder_name
from ..setup import Setup
from ..task import ProcessTask
from .compare import ActionResult, Result, result_of
from .examine import ExamineTask, examine
from .laboratory import Laboratory, Trial
from .replay import Replay, ReplayTask, replay
from .variations import Machine, assigned

# Opens the scratch cache of that name, in a worker: its records are its own, its blobs shared with all.
OpenCache = Callable[[str, bool], ResultCache]


class Subject(NamedTuple):
    """A process to check: how it is executed, and what it gave when it was recorded."""

    name: str
    task: ProcessTask
    recorded: Result
    manifest: Manifest
    tolerance: Mapping[str, float]


class Way(NamedTuple):
    """How to execute: what varies, which processes before it in the same worker, which steps from the cache.

    ``held`` and ``turn`` are those of :func:`~.variations.assigned`; ``store`` names the scratch cache that steps are
    served from.
    """

    varied: frozenset[str] = frozenset()
    held: bool = False
    turn: int = 0
    before: tuple[str, ...] = ()
    serve: frozenset[str] = frozenset()
    store: str = ""


class Executed(NamedTuple):
    """What came of an execution; ``store`` names the scratch cache that holds it."""

    result: Result
    replay: Replay | None
    store: str

    @property
    def error(self) -> str:
        """Why it failed, or ``""``."""
        return self.result.actions[self.result.process].error


class Bench:
    """Executes subjects in whatever way is asked for."""

    def __init__(
        self, laboratory: Laboratory, subjects: Mapping[str, Subject], machine: Machine, scratch: str, opener: OpenCache
    ) -> None:
        self._laboratory = laboratory
        self._subjects = subjects
        self._machine = machine
        self._scratch = scratch
        self._opener = opener
        self._numbers = itertools.count(1)

    def execute(self, subject: Subject, ways: Sequence[Way], *, watch: bool = False) -> list[Executed]:
        """Execute a subject in each way, each in a worker of its own."""
        trials = [self._trial([*way.before, subject.name], way, subject.name, watch=watch) for way in ways]
        # What is held includes the path of the working folder, where there is room for one at a time.
        if any(way.held for way in ways):
            ended = [self._laboratory.run(trial) for trial, _ in trials]
        else:
            ended = self._laboratory.all([trial for trial, _ in trials])
        return [_executed(subject.name, ends[-1], store) for ends, (_, store) in zip(ended, trials, strict=True)]

    def execute_in_line(self, names: Sequence[str], way: Way) -> dict[str, Executed]:
        """Execute subjects one after the other in one worker."""
        trial, store = self._trial(names, way, names[0])
        ends = self._laboratory.run(trial)
        return {name: _executed(name, end, store) for name, end in zip(names, ends, strict=True)}

    def execute_mixes(self, subject: Subject, way: Way, mixes: Sequence[frozenset[str]]) -> list[Executed]:
        """Execute a subject once for each mix of served steps, one after the other in one worker."""
        trial, store = self._trial([subject.name] * len(mixes), way, subject.name)
        tasks = [_with_mix(task, mix) for task, mix in zip(trial.tasks, mixes, strict=True)]
        ends = self._laboratory.run(trial._replace(tasks=tasks))
        return [_executed(subject.name, end, store) for end in ends]

    def examine(self, subject: Subject, pairs: Iterable[tuple[str, Any, Any]]) -> list[Any]:
        """Where stored values differ: for each pair :class:`~.difference.Differences`."""
        way = Way()
        setup, environment, _ = self._setup(way, subject.name)
        task = ExamineTask(setup, subject.task.script, tuple(pairs))
        return list(self._laboratory.run(Trial(environment, [partial(examine, task)]))[0])

    def _trial(self, names: Sequence[str], way: Way, owner: str, *, watch: bool = False) -> tuple[Trial, str]:
        setup, environment, store = self._setup(way, owner)
        conditions = assigned(self._machine, way.varied, held=way.held, turn=way.turn).conditions
        tasks = []
        for name in names:
            process = self._subjects[name].task._replace(setup=setup, reason="verified", forced=frozenset(), keep=True)
            last = name == names[-1]
            tasks.append(
                partial(replay, ReplayTask(process, conditions, way.serve if last else frozenset(), watch and last))
            )
        return Trial(environment, tasks), store

    def _setup(self, way: Way, owner: str) -> tuple[Setup, dict[str, str], str]:
        number = next(self._numbers)
        chosen = assigned(self._machine, way.varied, held=way.held, turn=way.turn)
        store = way.store or str(number)
        if chosen.elsewhere:
            work = os.path.join(self._machine.elsewhere, f"run {number}", "work")
        else:
            work = os.path.join(self._scratch, f"held-{folder_name(owner)}" if way.held else f"work-{number}")
        for folder in (chosen.environment.get("HOME", ""), chosen.environment.get("TMPDIR", "")):
            if folder.startswith((self._scratch, self._machine.elsewhere)):
                os.makedirs(folder, exist_ok=True)
        setup = self._subjects[owner].task.setup._replace(
            run_id="verify" if way.held and not chosen.elsewhere else new_run_id(),
            work=work,
            open_cache=partial(self._opener, store, not way.store),
        )
        return setup, chosen.environment, store


def _with_mix(task: Any, mix: frozenset[str]) -> Any:
    (asked,) = task.args
    return partial(replay, asked._replace(serve=mix))


def _executed(name: str, end: object, store: str) -> Executed:
    if isinstance(end, Replay):
        return Executed(result_of(name, end), end, store)
    error = f"{type(end).__name__}: {end}"
    return Executed(Result(name, {name: ActionResult("", {}, None, error)}), None, store)


def orders(graph: Graph, names: Collection[str], *, backward: bool) -> list[str]:
    """``names`` in an order in which a worker could execute them: each after those that it depends on.

    Of several that could come next, the first of the configuration, or ``backward`` the last.
    """
    waiting = [name for name in graph.names if name in names]
    above = {name: graph.ancestors([name]) for name in waiting}
    ordered: list[str] = []
    while waiting:
        ready = [name for name in waiting if above[name].isdisjoint(waiting)]
        chosen = ready[-1] if backward else ready[0]
        waiting.remove(chosen)
        ordered.append(chosen)
    return ordered
