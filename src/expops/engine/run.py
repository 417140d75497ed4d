"""The run loop: execute the misses of a plan as their inputs become known, and write the ledger."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from ..cache.manifest import Manifest, StoredValue
from ..errors import CorruptData, StorageError
from ..pipeline.binding import Binding
from ..runs.ledger import Recorder, new_run_id
from ..runs.model import ActionRecord, Metrics, RunRecord, fold_metrics
from . import shelf
from .capture import Capture
from .events import Watcher
from .flight import Flight
from .options import Options
from .plan import Planned, Planner
from .project import Project
from .provenance import GitState
from .records import HOST, ended_record, hit_record
from .scratch import clear_dead_runs

if TYPE_CHECKING:
    from .dispatch import Dispatcher
    from .task import Outcome

_TICK: Final = 0.1  # seconds
_LOST_LIMIT: Final = 3
# Stands for an output that could not be stored, so that its name is known to those who would take it.
_UNSTORED: Final = StoredValue("unstored", "", b"", (), 0)


class RunResult(NamedTuple):
    """A finished run: its record, every action in the order in which it ended, and the metrics by process."""

    run: RunRecord
    actions: list[ActionRecord]
    metrics: Metrics


class Runner:
    """Executes one run."""

    def __init__(self, project: Project, options: Options, watcher: Watcher) -> None:
        self._project = project
        self._options = options
        self._watcher = watcher
        self._git = GitState(project.root)
        self._planner = Planner(
            project.config,
            project.graph,
            project.code,
            project.cache,
            project.files,
            project.root,
            options.seed,
            options.forced,
        )
        self._names = self._wanted()
        self._manifests: dict[str, Manifest] = {}
        self._unstored: dict[str, dict[str, str]] = {}
        self._ended: dict[str, ActionRecord] = {}
        self._waiting: list[str] = []
        self._running: set[str] = set()
        self._lost: dict[str, int] = {}
        self._dispatcher: Dispatcher | None = None
        self._actions: list[ActionRecord] = []
        self._metrics: Metrics = {}
        self._capture = Capture(project, options)
        self._recorder = Recorder(project.cache.kv, self._new_record())
        self._flight = Flight(self._planner, project.cache.leases, watcher, self._recorder.run.run_id)

    def run(self) -> RunResult:
        """Plan, execute, record. A failure of user code is in the result; Ctrl-C ends the run as interrupted."""
        plan = self._planner.plan_all(self._names)
        self._capture.planned(self._planner.files())
        self._recorder.run = self._recorder.run._replace(
            libraries=self._planner.libraries(), provenance=self._capture.provenance
        )
        status = "interrupted"
        try:
            self._watcher.planned(self._recorder.run, list(plan.values()))
            self._settle(plan)
            self._loop()
            status = "done" if all(item.outcome in ("hit", "executed") for item in self._ended.values()) else "failed"
        except KeyboardInterrupt:
            self._skip_rest("the run was interrupted")
        finally:
            self._end_run(status)
        return RunResult(self._recorder.run, self._actions, self._metrics)

    def _wanted(self) -> frozenset[str]:
        names = [process.name for process in self._project.config.processes]
        targets = self._options.targets
        return frozenset(names) if not targets else targets | self._project.graph.ancestors(targets)

    def _new_record(self) -> RunRecord:
        return RunRecord(
            run_id=new_run_id(),
            status="running",
            seed=str(self._options.seed),
            started=time.time(),
            finished=0.0,
            command=list(self._options.command),
            pid=os.getpid(),
            host=HOST,
            jobs=self._options.jobs,
            git_commit="",
            git_dirty=None,
            python=".".join(map(str, sys.version_info[:3])),
            libraries={},
            overrides=list(self._options.overrides),
            counts={},
            saved=0.0,
            sweep=self._options.sweep,
            targets=sorted(self._options.targets),
        )

    def _settle(self, plan: Mapping[str, Planned]) -> None:
        """Take over all that the plan knows already; what is left waits for its inputs."""
        self._waiting = [name for name, planned in plan.items() if planned.verdict == "unknown"]
        for name, planned in plan.items():
            if planned.verdict != "unknown":
                self._act(name, planned)

    def _act(self, name: str, planned: Planned) -> None:
        if planned.verdict == "hit":
            self._take_hit(name, planned)
        elif planned.verdict == "failed":
            self._fail(name, planned.reason)
        else:
            self._submit(name, planned)

    def _take_hit(self, name: str, planned: Planned) -> None:
        look_up = planned.look_up
        assert look_up is not None
        assert look_up.manifest is not None
        manifest = look_up.manifest
        self._manifests[name] = manifest
        self._project.cache.seen(name, look_up)
        record = hit_record(name, "process", look_up, 0.0, time.time())
        for stream, text in manifest.log:
            self._watcher.printed(name, stream, text)
        self._end(name, record, [], manifest)

    def _submit(self, name: str, planned: Planned, *, shared: bool = True) -> None:
        assert planned.binding is not None
        unstored = self._needs_unstored(planned.binding)
        if unstored:
            self._fail(name, unstored)
        else:
            self._flight.add(planned, shared=shared)

    def _execute(self) -> None:
        """Give out what may execute now, as far as there is room for it."""
        capacity = max(self._options.jobs, 1)
        while len(self._running) < capacity:
            chosen = self._flight.take(capacity - len(self._running))
            if not chosen:
                return
            hits = [planned for planned in chosen if planned.verdict == "hit"]
            for planned in chosen:
                if planned.verdict != "hit":
                    self._dispatch(planned)
            for planned in hits:
                self._take_hit(planned.name, planned)
            self._advance([planned.name for planned in hits])

    def _dispatch(self, planned: Planned) -> None:
        if self._dispatcher is None:
            self._start()
        assert self._dispatcher is not None
        self._running.add(planned.name)
        self._dispatcher.submit(planned.name, planned, self._manifests)

    def _start(self) -> None:
        """Before the first execution: a record of the run in case it is killed, and the executor."""
        # Imported here, since a run in which all is cached needs none of what executes.
        from .dispatch import Dispatcher

        self._flush(self._recorder.run)
        self._dispatcher = Dispatcher(self._project, self._options, self._recorder.run.run_id, self._watcher)

    def _needs_unstored(self, binding: Binding) -> str:
        for source, output in binding.outputs.values():
            reason = self._unstored.get(source, {}).get(output)
            if reason is not None:
                return f"output '{output}' of '{source}' can't be handed on: {reason}"
        return ""

    def _loop(self) -> None:
        self._execute()
        while self._running or self._flight.names():
            done = []
            for ended in self._outcomes():
                self._running.discard(ended.name)
                self._flight.ended(ended.name, ended.record.result)
                if self._take(ended):
                    done.append(ended.name)
            self._advance(done)
            self._execute()
            self._watcher.tick()

    def _outcomes(self) -> Iterator[Outcome]:
        """Processes that have ended, after a tick at most."""
        if not self._running:
            time.sleep(_TICK)  # others execute what is left
            return iter(())
        assert self._dispatcher is not None
        return self._dispatcher.ended(_TICK)

    def _take(self, ended: Outcome) -> bool:
        """What has come of a process; whether others can go on from it."""
        name = ended.name
        if ended.status == "lost":
            self._redo(name, ended)
        elif ended.manifest is None:
            self._end(name, ended.record, ended.steps, None)
            self._skip_below(name)
        else:
            known = {**ended.manifest.outputs, **dict.fromkeys(ended.unstored, _UNSTORED)}
            self._manifests[name] = ended.manifest._replace(outputs=known)
            self._unstored[name] = ended.unstored
            self._end(name, ended.record, ended.steps, ended.manifest)
            return True
        return False

    def _redo(self, name: str, outcome: Outcome) -> None:
        """A stored output could not be loaded: its process executes again, then the one that wanted it."""
        source = outcome.lost
        self._lost[source] = self._lost.get(source, 0) + 1
        if self._lost[source] > _LOST_LIMIT:
            self._fail(name, f"{outcome.error}; running '{source}' again did not help")
            return
        self._watcher.warned(f"{outcome.error}; '{source}' runs again")
        record = self._ended.pop(source)
        self._actions = [action for action in self._actions if action.path != source]
        if record.result:
            self._project.cache.forget(record.result)
        del self._manifests[source]
        self._waiting.append(name)
        planned = self._planner.plan(source, self._manifests_for(source))
        missed = planned._replace(verdict="miss", reasons=("its stored output was missing or damaged",))
        self._submit(source, missed, shared=False)

    def _advance(self, done: Iterable[str]) -> None:
        """Plan, together, what was waiting for ``done`` and has all its inputs now; and so on below what is a hit."""
        ended = list(done)
        while ended:
            below = {name for source in ended for name in self._project.graph.downstream(source)}
            ready = [name for name in self._waiting if name in below and self._has_inputs(name)]
            self._waiting = [name for name in self._waiting if name not in ready]
            upstream = {name: self._manifests_for(name) for name in ready}
            planned = self._planner.plan_many(upstream)
            for name in ready:
                self._act(name, planned[name])
            ended = [name for name in ready if planned[name].verdict == "hit"]

    def _has_inputs(self, name: str) -> bool:
        return all(source in self._manifests for source in self._project.graph.upstream(name))

    def _manifests_for(self, name: str) -> dict[str, Manifest]:
        return {source: self._manifests[source] for source in self._project.graph.upstream(name)}

    def _fail(self, name: str, error: str) -> None:
        self._end(name, ended_record(self._options.seed, name, "failed", "", error), [], None)
        self._skip_below(name)

    def _skip_below(self, name: str) -> None:
        below = list(self._project.graph.downstream(name))
        while below:
            child = below.pop()
            if child in self._waiting:
                self._waiting.remove(child)
                self._end(child, ended_record(self._options.seed, child, "skipped", f"'{name}' failed", ""), [], None)
                below += self._project.graph.downstream(child)

    def _skip_rest(self, reason: str) -> None:
        for name in [*self._running, *self._flight.names(), *self._waiting]:
            self._end(name, ended_record(self._options.seed, name, "skipped", reason, ""), [], None)

    def _end(self, name: str, record: ActionRecord, steps: list[ActionRecord], manifest: Manifest | None) -> None:
        self._ended[name] = record
        metrics: Metrics = {}
        if manifest is not None:
            if manifest.metrics:
                metrics[name] = fold_metrics(list(manifest.metrics))
            self._show_artifacts(name, manifest)
        self._actions += [*steps, record]
        self._metrics.update(metrics)
        self._recorder.add([*steps, record], metrics)
        if self._dispatcher is not None:
            self._flush(None)
        self._watcher.ended(record)

    def _show_artifacts(self, name: str, manifest: Manifest) -> None:
        folder = os.path.join(self._options.hidden, "artifacts")
        if not manifest.artifacts and not os.path.isdir(folder):
            return
        try:
            shelf.show(folder, name, manifest, self._project.cache.blobs)
        except (OSError, StorageError, CorruptData) as fault:
            self._watcher.warned(f"the artifacts of '{name}' can't be put in {folder}: {fault}")

    def _flush(self, run: RunRecord | None) -> None:
        self._recorder.keep(self._capture.take_pending())
        try:
            self._recorder.flush(run)
        except StorageError as fault:
            self._watcher.warned(f"the ledger can't be written: {fault}")

    def _end_run(self, status: str) -> None:
        try:
            if self._dispatcher is not None:
                self._dispatcher.close(stop=bool(self._running))
            self._flight.close()
        finally:
            # Whoever presses Ctrl-C once more during farewells still has a whole record.
            self._finish(status)

    def _finish(self, status: str) -> None:
        if self._dispatcher is None:
            clear_dead_runs(os.path.join(self._options.hidden, "work"))
        counts: dict[str, int] = {}
        for record in self._ended.values():
            counts[record.outcome] = counts.get(record.outcome, 0) + 1
        commit, dirty = self._git.result()
        self._capture.ended(self._manifests, executed=self._dispatcher is not None)
        if self._dispatcher is not None:
            self._capture.executed(self._dispatcher.numeric, commit, dirty)
        self._flush(
            self._recorder.run._replace(
                status=status,
                finished=time.time(),
                git_commit=commit,
                git_dirty=dirty,
                counts=counts,
                provenance=self._capture.provenance,
                saved=sum(record.saved for record in self._actions),
            )
        )
        self._project.cache.flush()
        self._project.memo.flush()
        faults = [self._project.memo.fault] if self._project.memo.fault else []
        for message in [*self._project.cache.warnings, *faults]:
            self._watcher.warned(message)
