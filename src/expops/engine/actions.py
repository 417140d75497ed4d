"""Steps as actions: key, look-up, hit or execution, record. The same inside a process, a script and a notebook."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, NamedTuple

from ..cache import artifacts
from ..cache.discovery import Surroundings
from ..cache.explain import FAILED, UNKEPT, Described
from ..cache.leases import Lease
from ..cache.manifest import Artifact, Manifest, Metric, StoredValue
from ..cache.observe import Observer, watch
from ..cache.store import LookUp, ResultCache
from ..cache.values import load_value, store_value
from ..errors import CannotFingerprint, CannotStore, StorageError, StoreUnavailable
from ..hashing.code import CodeFingerprint
from ..pipeline import context
from ..pipeline.decorators import Step
from ..runs.model import ActionRecord, Unfollowed
from ..seeding.session import SeededAction
from .audit import CodeAudit, Ran, audited, in_words
from .claims import claim
from .describe import DescribedCall, Describer, spelled_out
from .frames import Frame, SeedPath
from .isolation import close_figures, forget_shown_warnings, open_figures, put_back
from .reasons import reasons_of
from .records import HOST, executed_record, hit_record
from .signatures import IMMUTABLE, mutable
from .state import after_step
from .step_flight import StepFlight
from .streams import Capture, joined


class Session(NamedTuple):
    """What all actions of one runner share.

    ``record`` takes each step's record as it ends; ``warn`` a message for the user; ``imports`` maps project files to
    what was read while they were imported; ``as_loaded`` tells of a code fingerprint whether it is of the code that was
    loaded; ``forced`` holds paths that are to execute whatever the cache has; ``waits`` is told of a step and for
    whom it waits; ``audit`` notes what code runs.
    """

    cache: ResultCache
    describer: Describer
    observer: Observer
    capture: Capture
    run_id: str
    record: Callable[[ActionRecord], None]
    warn: Callable[[str], None]
    imports: dict[str, dict[str, dict[str, str]]]
    as_loaded: Callable[[CodeFingerprint], bool]
    forced: frozenset[str]
    waits: Callable[[str, str], object]
    audit: CodeAudit | None = None


class _Call(NamedTuple):
    """One step call on its way through the cache."""

    step: Step[..., Any]
    path: str
    seeds: SeedPath
    described: Described
    known: DescribedCall
    around: Surroundings
    look_up: LookUp

    def spelled_out(self) -> _Call:
        """With words for its values, before they can be altered."""
        return self._replace(described=spelled_out(self.described, self.known.arguments, self.known.enclosed))


class StepCalls:
    """Serves the step calls of one thread; the stack's bottom is the process, or the script as a whole."""

    def __init__(self, session: Session, bottom: Frame) -> None:
        self.session = session
        self.stack = [bottom]
        leases = session.cache.leases
        self._flight = StepFlight(leases, session.waits) if leases is not None else None

    def log_metric(self, name: str, value: float, step: int | None) -> None:
        """Add to the action under way."""
        if self.stack[-1].path:  # a script as a whole has no metrics
            self.stack[-1].metrics.append(Metric(name, value, step))

    def printed(self, stream: str, text: str) -> None:
        """Add to the log of the action under way."""
        if self.stack[-1].path:  # a script as a whole keeps no log
            self.stack[-1].log.append((stream, text))

    def call_step(self, step: Step[..., Any], args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """Serve a call from the cache, or execute it and record it."""
        before = watch(None)
        # What is pending belongs to the caller, whether this call executes or not.
        self.session.capture.flush()
        try:
            return self._call(step, args, kwargs)
        finally:
            watch(before)

    def _call(self, step: Step[..., Any], args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        started = time.time()
        path, seeds = self._place(step, args, kwargs)
        if not step.caching.cache:
            return self._execute_unkeyed(step, path, seeds, args, kwargs, "caching is off for it")
        try:
            known = self.session.describer.step(step.__wrapped__, args, kwargs, step.caching)
        except CannotFingerprint as fault:
            self.session.warn(f"step '{path}' runs each time: {fault}")
            return self._execute_unkeyed(step, path, seeds, args, kwargs, str(fault))
        seeds.streams = {name: text for code in known.code for name, text in code.streams.items()}
        action = known.described.key.digest()
        unstable = self.session.cache.unstable(action)
        if unstable:
            return self._execute_unkeyed(step, path, seeds, args, kwargs, unstable)
        around = Surroundings(self.session.observer.places, self.session.observer.files, seeds.identity)
        look_up = self.session.cache.look_up(path, action, around)
        call = _Call(step, path, seeds, known.described, known, around, look_up)
        if self.session.forced and self._forced(path):
            return self._execute(call, args, kwargs, ["forced"])
        lease = None
        if look_up.manifest is None and self._flight is not None:
            call, lease = self._when_free(call, self._flight)
        if call.look_up.manifest is None:
            return self._execute(call, args, kwargs, None, lease)
        return self._served(call, args, kwargs, started)

    def _when_free(self, call: _Call, flight: StepFlight) -> tuple[_Call, Lease | None]:
        """A miss, when nobody else executes it any more; it may be a hit by then."""
        code, action, path = call.described.code, call.look_up.action, call.path
        lease, look_up = flight.take(
            path,
            code,
            call.look_up,
            call.seeds.identity(),
            lambda: self.session.cache.look_again(path, action, call.around),
        )
        return call._replace(look_up=look_up), lease

    def _served(self, call: _Call, args: tuple[object, ...], kwargs: dict[str, object], started: float) -> object:
        """Take a hit; execute after all if it can't be taken."""
        look_up = call.look_up
        assert look_up.manifest is not None
        try:
            cache = self.session.cache
            value = load_value(look_up.manifest.outputs["return"], cache.blobs, data_only=cache.data_only)
            self._take(look_up.manifest, look_up.result)
        except (StorageError, KeyError, OSError) as fault:
            if not isinstance(fault, StoreUnavailable | OSError):
                self.session.cache.forget(look_up.result)
            return self._execute(call, args, kwargs, [f"its stored result can't be used: {fault}"])
        self.session.cache.seen(call.path, look_up)
        self.session.record(hit_record(call.path, "step", look_up, time.time() - started, started))
        return value

    def _place(self, step: Step[..., Any], args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[str, SeedPath]:
        """Path and seeds of a call."""
        parent, describer = self.stack[-1], self.session.describer
        call: int | str
        number = call = parent.next_call(step.__name__)
        if step.caching.seed_by:
            call = describer.seed_key(step.__wrapped__, args, kwargs, step.caching.seed_by)
        return parent.path_of(step.__name__, number), parent.seeds_of(step.__name__, call)

    def _forced(self, path: str) -> bool:
        """Whether the path, an enclosing action, or all calls of this step are forced."""
        forced = self.session.forced
        parts = path.split("/")
        prefixes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        return any(prefix in forced or prefix.split("#")[0] in forced for prefix in prefixes)

    def _take(self, manifest: Manifest, result: str) -> None:
        """Give the enclosing action what the execution behind a hit gave it: files, metrics, output, inputs."""
        parent = self.stack[-1]
        # What it had read comes first, and for all: a file may have been read, then written.
        for outer in self.stack[:-1]:
            outer.observed.add(manifest.discovered, seeds=False)
        if manifest.accepted is not None or manifest.rests:
            accepted = [result] if manifest.accepted is not None else []
            for outer in self.stack:
                outer.rests.update(dict.fromkeys([*accepted, *manifest.rests]))
        parent.absorb(manifest.discovered, [])
        work = self.session.observer.places.work
        if work is not None and manifest.artifacts:
            paths = [item.path for item in manifest.artifacts]
            before = {path for path in paths if os.path.lexists(os.path.join(work, path))}
            artifacts.restore(work, manifest.artifacts, self.session.cache.blobs)
            _wrote(self.stack, paths, before)
        if work is not None:
            artifacts.remove(work, manifest.removed)
            for outer in self.stack:
                outer.observed.own.update("work/" + path.removesuffix("/") for path in manifest.removed)
        parent.absorb({}, manifest.metrics)
        forget_shown_warnings()
        if manifest.log:
            replay(manifest.log)
            self.session.capture.flush()

    def _execute(
        self,
        call: _Call,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        reasons: list[str] | None,
        lease: Lease | None = None,
    ) -> object:
        """Execute, record, and let those who wait for the ``lease`` have the result."""
        if self._flight is None:
            return self._recorded(call.spelled_out(), args, kwargs, reasons)
        self._flight.begin(call.described.code, lease)
        try:
            return self._recorded(call.spelled_out(), args, kwargs, reasons)
        finally:
            self._flight.end()

    def _recorded(
        self, call: _Call, args: tuple[object, ...], kwargs: dict[str, object], reasons: list[str] | None
    ) -> object:
        session = self.session
        if reasons is None:
            found = reasons_of(session.cache, call.described, call.look_up, call.around, call.seeds.root)
            reasons = list(found)
        figures = open_figures()
        brought = self._brought(call) if session.audit is not None else []
        try:
            run = self._run(call.step, call.path, call.seeds, args, kwargs, "; ".join(reasons), call.known)
        except Exception:
            session.cache.unkept(call.path, call.look_up, FAILED)
            raise
        for file in {file: None for code in call.known.code for file in code.files}:
            if file in session.imports:
                run.frame.observed.add(session.imports[file])
        if session.audit is not None and run.ran is not None:
            run.unfollowed = session.audit.unfollowed(run.ran, [call.described.code, *brought])
        stored, manifest = self._keep(call, run)
        close_figures(figures)
        if manifest is None:
            # Read all the same: what depends on this step depends on it.
            self.stack[-1].absorb(run.frame.observed.values(), run.frame.metrics)
            session.cache.unkept(call.path, call.look_up, UNKEPT)
            session.record(run.record(call.look_up.action, "", stored))
            return run.value
        result = session.cache.record(call.path, call.described, call.look_up, manifest)
        if self._flight is not None:
            self._flight.recorded(result)
        self.stack[-1].absorb(manifest.discovered, manifest.metrics)
        session.record(run.record(call.look_up.action, result, stored, manifest))
        if type(run.value) in IMMUTABLE:
            return run.value
        # A hit gives a copy that shares nothing with arguments and variables, so this call does too.
        try:
            return load_value(manifest.outputs["return"], session.cache.blobs, data_only=session.cache.data_only)
        except StorageError as fault:
            session.cache.warn(f"a result that was just kept can't be read: {fault}")
            return run.value

    def _keep(self, call: _Call, run: _Run) -> tuple[StoredValue | None, Manifest | None]:
        """Store what the step gave; no manifest if it can't be, or if it mustn't be because an argument was altered."""
        session = self.session
        fault = self._altered(call, run) or self._stale(call) or self._unfollowed(call, run)
        if fault:
            session.warn(f"step '{call.path}' {fault}")
        try:
            stored = store_value(
                run.value, session.cache.blobs, session.describer.code_of, data_only=session.cache.data_only
            )
            kept = artifacts.keep(session.observer.places.work or "", run.written, session.cache.blobs)
        except CannotStore as error:
            session.warn(f"step '{call.path}' runs each time, its result can't be stored: {error}")
            return None, None
        except (StorageError, OSError) as error:
            session.cache.warn(f"results can't be kept: {error}")
            return None, None
        if fault:
            return stored, None
        return stored, run.manifest(call.look_up.action, "step", {"return": stored}, kept, session.run_id)

    def _altered(self, call: _Call, run: _Run) -> str:
        """What the step has altered that a hit would leave as it is, in words; ``""`` for nothing."""
        key = call.described.key
        names = self._differing(call.known.arguments, key.inputs)
        if names:
            return f"altered its argument {names}, so its result is not cached; work on a copy and return it"
        names = self._differing(call.known.enclosed, key.closure)
        if names:
            return f"altered the enclosed variable {names}, so its result is not cached; return what is new"
        names = ", ".join(f"'{item}'" for item in run.drew_from)
        if names:
            return (
                f"drew from the generator {names}, so its result is not cached; make the generator in the step, "
                "from a seed that it is given or draws"
            )
        return ""

    def _differing(self, values: dict[str, object], before: Mapping[str, str]) -> str:
        candidates = mutable(values)
        if not candidates:
            return ""
        try:
            now = self.session.describer.fingerprints(candidates, "value")
        except CannotFingerprint:
            now = dict.fromkeys(candidates, "")
        return ", ".join(sorted(f"'{name}'" for name, mark in now.items() if before[name] != mark))

    def _stale(self, call: _Call) -> str:
        if all(self.session.as_loaded(code) for code in call.known.code):
            return ""
        return "ran code that was edited meanwhile, so its result is not cached"

    def _brought(self, call: _Call) -> list[CodeFingerprint]:
        """The code that its key holds besides its own: that of arguments and variables."""
        known = call.known
        changed = {item.label: item.held(mark) for item, mark in known.variables.items() if item.changed(mark)}
        return self.session.describer.brought(known.arguments, known.enclosed, changed)

    def _unfollowed(self, call: _Call, run: _Run) -> str:
        if not run.unfollowed:
            return ""
        if call.look_up.result and self.session.cache.write:
            self.session.cache.forget(call.look_up.result)  # kept when nobody looked
        return f"ran code that its fingerprint doesn't follow, so its result is not cached: {in_words(run.unfollowed)}"

    def _execute_unkeyed(
        self,
        step: Step[..., Any],
        path: str,
        seeds: SeedPath,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        reason: str,
    ) -> object:
        run = self._run(step, path, seeds, args, kwargs, reason, None)
        self.stack[-1].absorb(run.frame.observed.values(), run.frame.metrics)
        self.session.record(run.record("", "", None))
        return run.value

    def _run(
        self,
        step: Step[..., Any],
        path: str,
        seeds: SeedPath,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        reason: str,
        known: DescribedCall | None,
    ) -> _Run:
        """Execute the function as an action of its own: seeded, watched, its output and files told apart."""
        session = self.session
        work = session.observer.places.work
        before = artifacts.snapshot(work) if work is not None else {}
        session.capture.start()
        with session.observer.action() as observed:
            frame = Frame(path, seeds, observed)
            run = _Run(frame, reason, time.time())
            self._claim(known)
            self.stack.append(frame)
            context.enter(self)
            try:
                with (
                    put_back(path=work is not None),
                    SeededAction(seeds.seed_for) as seeded,
                    audited(session.audit) as run.ran,
                ):
                    watch(session.observer)
                    run.value = step.__wrapped__(*args, **kwargs)
            except BaseException as error:
                session.record(run.failed(error))
                raise
            finally:
                watch(None)
                run.seconds = time.time() - run.started
                context.leave(self)
                session.capture.stop()
                self.stack.pop()
                self._end(run, bool(seeded.drew), before, known)
        return run

    def _claim(self, known: DescribedCall | None) -> None:
        """Make what the step is handed or names its input, for it may read that unseen."""
        if known is not None:
            session = self.session
            claim(session.observer, session.describer, known.code, known.arguments)

    def _end(self, run: _Run, drew: bool, before: artifacts.Snapshot, known: DescribedCall | None) -> None:
        """Sum up what the step did; if it failed, all of that is the caller's, who may catch the exception."""
        observed = run.frame.observed
        self.session.observer.settle(observed)
        if self.stack[-1].path:
            self.stack[-1].log += run.frame.log
        if drew:
            observed.seed[""] = run.frame.seeds.identity()
        work = self.session.observer.places.work
        if work is not None:
            after = artifacts.snapshot(work)
            opened = {name[5:] for name in observed.written if name.startswith("work/")}
            run.written = sorted({*artifacts.changed(before, after, work), *(opened & set(after))})
            run.removed = sorted(set(before) - set(after))
            _wrote(self.stack, run.written, before)
        if known is not None:
            run.drew_from = after_step(
                known.variables, observed, [outer.observed for outer in self.stack if outer.path]
            )
        if run.error:
            self.stack[-1].absorb(observed.values(), run.frame.metrics)


def _wrote(stack: list[Frame], paths: list[str], before: Container[str]) -> None:
    """Tell the enclosing actions which files were written; ``before`` has those that were there."""
    for frame in stack:
        frame.observed.written.update("work/" + path for path in paths)
        frame.observed.made.update("work/" + path for path in paths if path not in before)


class _Run:
    """One execution and what came of it."""

    def __init__(self, frame: Frame, reason: str, started: float) -> None:
        self.frame = frame
        self.reason = reason
        self.started = started
        self.seconds = 0.0
        self.value: object = None
        self.error = ""
        self.drew_from: list[str] = []
        self.ran: Ran | None = None
        self.unfollowed: tuple[Unfollowed, ...] = ()
        self.written: list[str] = []
        self.removed: list[str] = []

    def manifest(
        self,
        action: str,
        kind: str,
        outputs: dict[str, StoredValue],
        kept: list[Artifact],
        run_id: str,
    ) -> Manifest:
        frame = self.frame
        return Manifest(
            action=action,
            kind=kind,
            path=frame.path,
            outputs=outputs,
            metrics=list(frame.metrics),
            artifacts=kept,
            removed=self.removed,
            log=joined(frame.log),
            discovered=frame.observed.values(),
            seed=frame.seeds.seed(),
            seconds=self.seconds,
            run=run_id,
            created=self.started,
            host=HOST,
            rests=tuple(frame.rests),
        )

    def record(
        self, action: str, result: str, stored: StoredValue | None, manifest: Manifest | None = None
    ) -> ActionRecord:
        outputs = {"return": stored} if stored is not None else {}
        record = executed_record(
            self.frame, "step", self.reason, self.started, self.seconds, outputs, action, result, manifest
        )
        return record._replace(unfollowed=self.unfollowed)

    def failed(self, error: BaseException) -> ActionRecord:
        self.error = f"{type(error).__name__}: {error}"
        seconds = time.time() - self.started
        record = executed_record(self.frame, "step", self.reason, self.started, seconds, {}, "", "", None)
        return record._replace(outcome="failed", error=self.error)


def replay(log: Iterable[tuple[str, str]]) -> None:
    """Print again what an execution had printed."""
    for stream, text in log:
        print(text, end="", file=sys.stdout if stream == "stdout" else sys.stderr)
