"""One recorded process, executed again in a worker under given conditions: the unit that the laboratory runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ...blobs.base import ObjectStore
from ...cache.discovery import Surroundings
from ...cache.explain import Described
from ...cache.manifest import Manifest, StoredValue
from ...cache.store import LookUp, ResultCache
from ...cache.values import store_value
from ...errors import CannotFingerprint, CannotStore, StorageError
from ...executors.base import Emit
from ...kv.base import KVStore
from ..actions import StepCalls, _Call, _Run
from ..frames import Frame
from ..signatures import mutable
from ..task import Execution, Outcome, ProcessTask
from ..workspace import Workspace, workspace
from .conditions import Conditions, before_process, install


class Altered(NamedTuple):
    """An argument, or an enclosed variable, that a step has altered; what it held before and after."""

    path: str
    name: str
    before: StoredValue
    after: StoredValue


class Replay(NamedTuple):
    """What came of an execution. ``steps`` maps the paths of its step calls, in the order in which they ended, to their
    manifests: ``None`` where none was kept. ``served`` are those that came from the cache."""

    outcome: Outcome
    steps: dict[str, Manifest | None]
    served: frozenset[str]
    altered: tuple[Altered, ...]


class ReplayTask(NamedTuple):
    """A process to execute. Steps in ``serve`` are taken from the cache, all others execute; with ``watch`` it is told
    which arguments steps alter."""

    process: ProcessTask
    conditions: Conditions
    serve: frozenset[str] = frozenset()
    watch: bool = False


class ReplayCache(ResultCache):
    """A cache that serves the paths in ``serve`` only, and remembers the manifests that it gave and got."""

    def __init__(self, kv: KVStore, blobs: ObjectStore, *, write: bool) -> None:
        super().__init__(kv, blobs, read=True, write=write)
        self.serve: frozenset[str] = frozenset()
        self.manifests: dict[str, Manifest | None] = {}
        self.served: set[str] = set()

    def prefetch_below(self, path: str, *, known: bool = True) -> None:
        """Nothing: what is served is fetched one by one."""

    def look_up(self, path: str, action: str, around: Surroundings) -> LookUp:
        """A miss for all paths but those to serve."""
        self.read = path in self.serve
        return super().look_up(path, action, around)

    def seen(self, path: str, look_up: LookUp) -> None:
        """A step was served."""
        self.manifests[path] = look_up.manifest
        self.served.add(path)

    def record(self, path: str, described: Described, look_up: LookUp, manifest: Manifest) -> str:
        """A step, or the process, was executed."""
        self.manifests[path] = manifest
        return super().record(path, described, look_up, manifest)


_installed: list[Conditions] = []


def replay(task: ReplayTask, emit: Emit) -> Replay:
    """Execute it. All replays of one OS process have the same conditions."""
    shared = workspace(task.process.setup)
    if not _installed:
        _installed.append(task.conditions)
        install(task.conditions, lambda: shared.observer.importing_library)
    cache = shared.cache
    assert isinstance(cache, ReplayCache)
    cache.serve, cache.manifests, cache.served = task.serve, {}, set()
    before_process(task.conditions, task.process.described.code.libraries)
    execution = _Replayed(task.process, shared, lambda payload: None, watch=task.watch)
    outcome = execution.run()
    executed = {record.path: cache.manifests.get(record.path) for record in outcome.steps}
    return Replay(outcome, executed, frozenset(cache.served), tuple(execution.altered))


class _Replayed(Execution):
    """An execution that watches its steps alter arguments."""

    def __init__(self, task: ProcessTask, shared: Workspace, emit: Emit, *, watch: bool) -> None:
        super().__init__(task, shared, emit)
        self.altered: list[Altered] = []
        self._watch = watch

    def step_calls(self, frame: Frame) -> StepCalls:
        """See :class:`Execution`."""
        if not self._watch:
            return super().step_calls(frame)
        return _WatchedCalls(self, frame)


class _WatchedCalls(StepCalls):
    """Step calls of which it is told what they alter, element by element."""

    def __init__(self, execution: _Replayed, frame: Frame) -> None:
        super().__init__(execution.session(), frame)
        self._found = execution.altered
        self._before: list[dict[str, StoredValue]] = []

    def _recorded(
        self, call: _Call, args: tuple[object, ...], kwargs: dict[str, object], reasons: list[str] | None
    ) -> object:
        self._before.append(dict(self._stored(mutable(_inputs(call)).items())))
        try:
            return super()._recorded(call, args, kwargs, reasons)
        finally:
            self._before.pop()

    def _altered(self, call: _Call, run: _Run) -> str:
        told = super()._altered(call, run)
        if told:
            for name, after in self._stored(mutable(_inputs(call)).items()):
                before = self._before[-1].get(name)
                if before is not None and before.fingerprint != after.fingerprint:
                    self._found.append(Altered(call.path, name, before, after))
        return told

    def _stored(self, items: Iterable[tuple[str, object]]) -> list[tuple[str, StoredValue]]:
        session, found = self.session, []
        for name, value in items:
            try:
                found.append((name, store_value(value, session.cache.blobs, session.describer.code_of)))
            except (CannotStore, CannotFingerprint, StorageError):
                continue  # such an argument is told by its name alone
        return found


def _inputs(call: _Call) -> dict[str, object]:
    return {**call.known.enclosed, **call.known.arguments}
