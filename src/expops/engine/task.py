"""One process, from keys to manifest: the unit that an executor runs. It travels pickled; data comes from the cache."""

from __future__ import annotations

import copy
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from ..cache import artifacts
from ..cache.explain import FAILED, UNKEPT, Described
from ..cache.manifest import Artifact, Manifest, StoredValue
from ..cache.observe import watch
from ..cache.store import LookUp
from ..cache.values import load_value, store_value
from ..errors import CannotStore, ExpopsError, ProcessError, SourceError, StorageError
from ..executors.base import Emit
from ..hashing.code import CodeFingerprint
from ..pipeline import context
from ..pipeline.caching import Caching
from ..pipeline.decorators import Process
from ..runs.model import ActionRecord, Unfollowed
from ..seeding.session import SeededAction
from .actions import Session, StepCalls
from .audit import Ran, audited, in_words
from .claims import claim
from .events import Numeric, Printed, Started, StepEnded, Waiting, Warned
from .frames import Frame, SeedPath
from .names import folder_name
from .records import HOST, executed_record
from .setup import Setup
from .streams import joined
from .traces import user_trace
from .workspace import Workspace, workspace


class Ref(NamedTuple):
    """An argument that an upstream process gave: where its stored form is, and which process and output it is."""

    process: str
    output: str
    stored: StoredValue


class Literal(NamedTuple):
    """An argument from the configuration."""

    value: object


class Bundle(NamedTuple):
    """An argument that is a dict of others: ``data`` and ``hyperparameters``."""

    items: Mapping[str, Argument]


Argument: TypeAlias = Ref | Literal | Bundle


class Outcome(NamedTuple):
    """What came of a process.

    ``status`` is "executed", "failed", or "lost": a stored input could not be loaded, and ``lost`` names the process
    that must give it again. ``unstored`` maps outputs that no codec could write to the reason.
    """

    name: str
    status: str
    record: ActionRecord
    steps: list[ActionRecord]
    manifest: Manifest | None
    unstored: dict[str, str]
    error: str
    lost: str


class ProcessTask(NamedTuple):
    """A process that is to execute. Without ``keep`` its result is handed on, but not found again by a later run.

    ``contents`` maps the files of its code to the digests of what they held when it was planned; ``caching`` is what
    the source of the function said then.
    """

    setup: Setup
    name: str
    script: str
    function: str
    arguments: Mapping[str, Argument]
    described: Described
    contents: Mapping[str, str]
    look_up: LookUp
    reason: str
    forced: frozenset[str]
    keep: bool
    caching: Caching


def execute(task: ProcessTask, emit: Emit) -> Outcome:
    """Run a process in this OS process. Faults of user code end up in the outcome, not as exceptions."""
    return Execution(task, workspace(task.setup), emit).run()


class Execution:
    """One execution of a process, from an empty working folder to a recorded result."""

    def __init__(self, task: ProcessTask, shared: Workspace, emit: Emit) -> None:
        self.task = task
        self.shared = shared
        self.emit = emit
        self.steps: list[ActionRecord] = []
        self.unstored: dict[str, str] = {}
        self.work = os.path.join(shared.setup.work, folder_name(task.name))
        self.started = time.time()
        self.cpu = time.process_time()
        self.process = os.getpid()
        self.caching = task.caching
        self.seeds = SeedPath(shared.setup.seed, task.name, streams=task.described.code.streams)
        self.ran: Ran | None = None
        self.brought: list[CodeFingerprint] = []
        self.unfollowed: tuple[Unfollowed, ...] = ()

    def run(self) -> Outcome:
        """Execute, record, and leave nothing behind."""
        self.emit(Started(self.task.name, self.task.reason))
        if self.shared.cache.leases is not None:
            self.shared.cache.leases.report(self.emit)
        self._make_folder()
        self.shared.cache.prefetch_below(self.task.name, known=self.task.look_up.last is not None)
        try:
            outcome = self._captured()
            told = self.shared.numeric.news()
            if told is not None:
                self.emit(Numeric(told))
            return outcome
        finally:
            shutil.rmtree(self.work, ignore_errors=True)

    def _make_folder(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        data = os.path.join(self.shared.setup.project, artifacts.DATA)
        if os.path.isdir(data):
            os.symlink(data, os.path.join(self.work, artifacts.DATA))

    def _captured(self) -> Outcome:
        shared = self.shared
        calls: StepCalls
        with (
            shared.process(
                self.work,
                self.task.described.code.symbols,
                lambda stream, text: self._printed(calls, stream, text),
                self.task.described.key.profile,
            ),
            shared.observer.action() as observed,
            audited(shared.audit) as self.ran,
        ):
            frame = Frame(self.task.name, self.seeds, observed)
            calls = self.step_calls(frame)
            shared.capture.start()
            try:
                return self._body(calls, frame)
            finally:
                shared.capture.stop()

    def step_calls(self, frame: Frame) -> StepCalls:
        """Who serves the step calls of the process."""
        return StepCalls(self.session(), frame)

    def session(self) -> Session:
        """What all its actions share."""
        shared = self.shared
        return Session(
            cache=shared.cache,
            describer=shared.describer,
            observer=shared.observer,
            capture=shared.capture,
            run_id=shared.setup.run_id,
            record=self._step_ended,
            warn=lambda message: self.emit(Warned(message)),
            imports=shared.imports.read,
            as_loaded=shared.as_loaded,
            forced=self.task.forced,
            waits=lambda path, holder: self.emit(Waiting(path, holder)),
            audit=shared.audit,
        )

    def _printed(self, calls: StepCalls, stream: str, text: str) -> None:
        if os.getpid() != self.process:
            # A child that user code has forked: its text goes past the log, as any other program's does.
            os.write(2 if stream == "stderr" else 1, text.encode("utf-8", "backslashreplace"))
            return
        if not self.shared.observer.importing_library:  # which is once in a worker: which process comes first is chance
            calls.printed(stream, text)
        self.emit(Printed(self.task.name, stream, text))

    def _step_ended(self, record: ActionRecord) -> None:
        self.steps.append(record)
        self.emit(StepEnded(record.path, record.outcome))

    def _body(self, calls: StepCalls, frame: Frame) -> Outcome:
        try:
            function = self._function()
            arguments = {name: self._argument(item) for name, item in self.task.arguments.items()}
            if self.shared.audit is not None:
                self.brought = self.shared.describer.brought(arguments)
            result = self._call(calls, frame, function, arguments)
        except _Lost as fault:
            return self._outcome(frame, "lost", error=str(fault), lost=fault.process)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001
            # Whatever user code raises, SystemExit included, is the process's failure and not the worker's.
            self.shared.cache.unkept(self.task.name, self.task.look_up, FAILED)
            return self._outcome(frame, "failed", error=user_trace(error))
        calls.session.capture.flush()  # a last line without its end belongs to the log as well
        return self._finish(frame, result)

    def _argument(self, item: Argument) -> object:
        if isinstance(item, Literal):
            # A copy: in this OS process the value is the configuration's own, which others take too.
            return copy.deepcopy(item.value)
        if isinstance(item, Bundle):
            return {name: self._argument(part) for name, part in item.items.items()}
        try:
            cache = self.shared.cache
            return load_value(item.stored, cache.blobs, data_only=cache.data_only)
        except StorageError as fault:
            raise _Lost(item.process, f"output '{item.output}' of '{item.process}': {fault}") from fault

    def _call(
        self, calls: StepCalls, frame: Frame, function: Callable[..., Any], arguments: dict[str, object]
    ) -> Mapping[str, object]:
        """Call the process's function, seeded and watched."""
        claim(self.shared.observer, self.shared.describer, [self.task.described.code], arguments)
        context.enter(calls)
        try:
            with SeededAction(self.seeds.seed_for) as seeded:
                watch(self.shared.observer)
                result = function(**arguments)
        finally:
            watch(None)
            context.leave(calls)
            self.shared.observer.settle(frame.observed)
        if seeded.drew:
            frame.observed.seed[""] = self.seeds.identity()
        return self._checked(result)

    def _function(self) -> Callable[..., Any]:
        """Import the script, and with it what the classes of its arguments may need."""
        task = self.task
        module = self.shared.load_script(task.script)
        function = getattr(module, task.function, None)
        if not isinstance(function, Process):
            found = "is not a process: decorate it with @process()" if function is not None else "does not exist"
            raise ProcessError(f"function '{task.function}' in {task.script} {found}")
        if function.caching != task.caching and not self._edited():
            raise ProcessError(
                f"the options of @process of '{task.function}' in {task.script} are not what its source says; decorate "
                "it with expops's own process, once and by that name, or set them in the configuration"
            )
        self.caching = function.caching
        return function.__wrapped__

    def _edited(self) -> list[str]:
        """Files of its code that were edited after it was planned and before they were loaded."""
        loaded = self.shared.imports.contents
        return sorted(file for file, content in self.task.contents.items() if loaded.get(file, content) != content)

    def _checked(self, result: object) -> Mapping[str, object]:
        where = f"process '{self.task.name}' (function '{self.task.function}' in {self.task.script})"
        if not isinstance(result, dict):
            raise ProcessError(
                f"{where} returned {type(result).__name__}, not a dict; return its outputs by name, "
                "such as {'model': model}"
            )
        for name in result:
            if type(name) is not str:
                raise ProcessError(f"{where} returned the output name {name!r}; output names are strings")
        return result

    def _finish(self, frame: Frame, result: Mapping[str, object]) -> Outcome:
        """Store outputs and files, and record the result if it may be found again."""
        frame_seconds = time.time() - self.started
        for file in self.task.described.code.files:
            if file in self.shared.imports.read:
                frame.observed.add(self.shared.imports.read[file])
        faults = []
        outputs = self._store(result)
        for name, reason in self.unstored.items():
            faults.append(f"its output '{name}' can't be stored: {reason}")
        kept = []
        try:
            written = [path for path in sorted(artifacts.snapshot(self.work)) if not path.endswith("/")]
            kept = artifacts.keep(self.work, written, self.shared.cache.blobs)
        except (StorageError, OSError) as fault:
            faults.append(f"the files that it wrote can't be kept: {fault}")
        self._warn_of_places(frame, result)
        manifest = self._manifest(frame, outputs, kept, frame_seconds)
        for told in faults:
            self.emit(Warned(f"process '{self.task.name}' runs each time, {told}"))
        key = None if faults or not self.task.keep else self._key()
        if self._audit(key[0].code if key is not None else self.task.described.code):
            key = None
        if key is None:
            if self.task.keep:
                self.shared.cache.unkept(self.task.name, self.task.look_up, UNKEPT)
            return self._outcome(frame, "executed", manifest=manifest)
        described, look_up = key
        manifest = manifest._replace(action=look_up.action)
        result_digest = self.shared.cache.record(self.task.name, described, look_up, manifest)
        return self._outcome(frame, "executed", manifest=manifest, result=result_digest)

    def _audit(self, code: CodeFingerprint) -> bool:
        """Whether the process ran code that its fingerprint doesn't follow, so that its result is not to be kept."""
        if self.shared.audit is None or self.ran is None:
            return False
        self.unfollowed = self.shared.audit.unfollowed(self.ran, [code, *self.brought])
        if not self.unfollowed:
            return False
        found = in_words(self.unfollowed)
        told = "ran code that its fingerprint doesn't follow, so its result is not cached"
        self.emit(Warned(f"process '{self.task.name}' {told}: {found}"))
        if self.task.look_up.result and self.shared.cache.write:
            self.shared.cache.forget(self.task.look_up.result)  # kept when nobody looked
        return True

    def _warn_of_places(self, frame: Frame, result: Mapping[str, object]) -> None:
        name = self.task.name
        outside = sorted(item[8:] for item in frame.observed.written if item.startswith("project/"))
        if outside:
            files = ", ".join(outside[:3]) + (", …" if len(outside) > 3 else "")
            told = "which is no part of its result: a hit does not write it again"
            mend = "write files by relative names outside data/, and return what others need"
            self.emit(Warned(f"process '{name}' wrote {files} in the project's folder, {told}; {mend}"))
        for output, value in result.items():
            if isinstance(value, str | os.PathLike) and str(value).startswith(self.work + os.sep):
                told = "the path of a file in its working folder, which is gone when the process has ended"
                self.emit(Warned(f"output '{output}' of process '{name}' is {told}; return what the file holds"))

    def _key(self) -> tuple[Described, LookUp] | None:
        """What to record the result under: the planned key, unless the code was edited before it was loaded."""
        described, look_up = self.task.described, self.task.look_up
        edited = self._edited()
        if not edited:
            return described, look_up
        name = self.task.name
        try:
            code = self.shared.code.fingerprint(self.task.script, self.task.function)
            # With other options the key has other inputs, or the seeds were derived in another way.
            known = (self.caching, code.streams) == (self.task.caching, described.code.streams)
            certain = known and self.shared.as_loaded(code)
        except (SourceError, KeyError):
            certain = False
        if not certain:
            self.emit(Warned(f"{', '.join(edited)} is being edited: the result of process '{name}' is not cached"))
            return None
        if code.digest == described.code.digest:
            return described, look_up
        self.emit(Warned(f"{', '.join(edited)} was edited after this run began: process '{name}' ran the new code"))
        described = described._replace(key=described.key._replace(code=code.digest), code=code)
        return described, LookUp(described.key.digest(), "", None, None, look_up.last)

    def _store(self, result: Mapping[str, object]) -> dict[str, StoredValue]:
        cache, code_of = self.shared.cache, self.shared.describer.code_of
        stored = {}
        for name, value in result.items():
            try:
                stored[name] = store_value(value, cache.blobs, code_of, data_only=cache.data_only)
            except (CannotStore, StorageError) as fault:
                self.unstored[name] = str(fault)
        return stored

    def _manifest(
        self, frame: Frame, outputs: dict[str, StoredValue], kept: list[Artifact], seconds: float
    ) -> Manifest:
        return Manifest(
            action=self.task.look_up.action,
            kind="process",
            path=self.task.name,
            outputs=outputs,
            metrics=frame.metrics,
            artifacts=kept,
            removed=[],
            log=joined(frame.log),
            discovered=frame.observed.without_work(),
            seed=self.seeds.seed(),
            seconds=seconds,
            run=self.shared.setup.run_id,
            created=self.started,
            host=HOST,
            rests=tuple(frame.rests),
        )

    def _outcome(
        self,
        frame: Frame,
        status: str,
        *,
        manifest: Manifest | None = None,
        result: str = "",
        error: str = "",
        lost: str = "",
    ) -> Outcome:
        seconds = time.time() - self.started
        outputs = manifest.outputs if manifest is not None else {}
        record = executed_record(
            frame,
            "process",
            self.task.reason,
            self.started,
            seconds,
            outputs,
            self.task.look_up.action,
            result,
            manifest,
        )
        used = (time.process_time() - self.cpu, _peak_memory())
        record = record._replace(stored=bool(result), resources=used, unfollowed=self.unfollowed)
        if status != "executed":
            record = record._replace(outcome="failed", error=error)
        for message in self.shared.take_warnings():
            self.emit(Warned(message))
        return Outcome(self.task.name, status, record, self.steps, manifest, self.unstored, error, lost)


def _peak_memory() -> int:
    """Bytes that this OS process has had in memory at most."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _Lost(ExpopsError):
    """A stored input can't be loaded."""

    def __init__(self, process: str, message: str) -> None:
        super().__init__(message)
        self.process = process
