"""Misses to workers and back: builds tasks, starts the executor, tells the watcher what workers say.

Imported when the first process is to execute: a run in which all is cached needs none of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ..cache.leases import UNKNOWN, News
from ..cache.manifest import Manifest
from ..executors.base import Failed, Finished, Message
from ..executors.process import RawOutput
from ..pipeline.binding import DATA_HYPERPARAMETERS, Binding
from ..pipeline.signing_keys import variables
from .events import Numeric, Printed, Started, StepEnded, Waiting, Warned, Watcher
from .options import Options
from .plan import Planned
from .project import Project
from .records import ended_record
from .scratch import RunFolder, clear_dead_runs
from .setup import Setup
from .task import Argument, Bundle, Literal, Outcome, ProcessTask, Ref, execute
from .workspace import close_workspace


class Dispatcher:
    """The executor of one run, and the run's working folder while it lives.

    ``numeric`` collects what workers tell of their arithmetic, each once.
    """

    def __init__(self, project: Project, options: Options, run_id: str, watcher: Watcher) -> None:
        self._project = project
        self._options = options
        self._watcher = watcher
        self._code = project.code
        self._leases = project.cache.leases
        self.numeric: list[dict[str, Any]] = []
        self._processes = {process.name: process for process in project.config.processes}
        work = os.path.join(options.hidden, "work")
        clear_dead_runs(work)
        self._folder = RunFolder(work, run_id)
        if self._folder.fault:
            watcher.warned(f"{self._folder.fault}, so processes work in {self._folder.path}")
        self._setup = Setup(
            project=project.root,
            project_name=project.config.name,
            run_id=run_id,
            work=self._folder.path,
            seed=options.seed,
            import_roots=project.import_roots,
            data=project.config.data,
            libraries=project.config.cache.libraries,
            profile=project.config.profile,
            audit=options.audit,
            holder=project.cache.leases.holder if project.cache.leases is not None else UNKNOWN,
            open_cache=options.open_cache,
            open_memo=options.open_memo,
            secrets=variables(project.config.cache.signing),
        )
        # Workers look up what is pending here.
        project.cache.flush()
        self._executor = options.make_executor(options.jobs, self._tell)

    def submit(self, name: str, planned: Planned, manifests: Mapping[str, Manifest]) -> None:
        """Have a planned process execute; ``manifests`` are those of its upstream processes."""
        process = self._processes[name]
        assert planned.binding is not None
        assert planned.described is not None
        assert planned.look_up is not None
        task = ProcessTask(
            setup=self._setup,
            name=name,
            script=process.script,
            function=process.function,
            arguments=task_arguments(planned.binding, manifests),
            described=planned.described,
            contents={file: self._code.content(file) for file in planned.described.code.files if file.endswith(".py")},
            look_up=planned.look_up,
            reason=planned.reason,
            forced=frozenset(path for path in self._options.forced if path.split("/")[0] == name),
            keep=process.cache and planned.caching.cache and not planned.unstable,
            caching=planned.caching,
        )
        self._executor.submit(name, partial(execute, task))

    def ended(self, timeout: float) -> Iterator[Outcome]:
        """Processes that ended since the last call; waits up to ``timeout`` seconds for something to happen."""
        for event in self._executor.events(timeout):
            if isinstance(event, Message):
                self._tell(event)
            elif isinstance(event, Failed):
                # Its worker died, or the task could not be sent: there is no outcome but this.
                error = f"{type(event.error).__name__}: {event.error}"
                if self._leases is not None:
                    self._leases.lost(event.task)
                record = ended_record(self._options.seed, event.task, "failed", "", error)
                yield Outcome(event.task, "failed", record, [], None, {}, error, "")
            elif isinstance(event, Finished) and isinstance(event.value, Outcome):
                yield event.value

    def _tell(self, message: Message) -> None:
        payload = message.payload
        if isinstance(payload, Printed):
            self._watcher.printed(payload.process, payload.stream, payload.text)
        elif isinstance(payload, StepEnded):
            self._watcher.step_ended(payload.path, payload.outcome)
        elif isinstance(payload, Warned):
            self._watcher.warned(payload.message)
        elif isinstance(payload, Started):
            self._watcher.started(payload.process, payload.reason)
        elif isinstance(payload, Waiting):
            self._watcher.waiting(payload.path, payload.holder)
        elif isinstance(payload, News):
            if self._leases is not None:
                self._leases.heard(message.task, payload)
        elif isinstance(payload, Numeric):
            if payload.told not in self.numeric:
                self.numeric.append(payload.told)
        elif isinstance(payload, RawOutput):
            self._watcher.printed(message.task, payload.stream, payload.data.decode("utf-8", "backslashreplace"))

    def close(self, *, stop: bool) -> None:
        """End the executor; with ``stop``, tasks under way are ended too. Removes the working folder."""
        if stop:
            self._executor.cancel()
        self._executor.close()
        close_workspace(self._setup)
        self._folder.remove()


def task_arguments(binding: Binding, manifests: Mapping[str, Manifest]) -> dict[str, Argument]:
    """The arguments of a process: where upstream manifests have them, or their values from the configuration."""
    outputs: dict[str, Argument] = {
        argument: Ref(source, output, manifests[source].outputs[output])
        for argument, (source, output) in binding.outputs.items()
    }
    parameters: dict[str, Argument] = {argument: Literal(value) for argument, value in binding.parameters.items()}
    if binding.style != DATA_HYPERPARAMETERS:
        return {**outputs, **parameters}
    data: dict[str, dict[str, Argument]] = {}
    for source, output in binding.outputs.values():
        data.setdefault(source, {})[output] = outputs[f"{source}/{output}"]
    by_process: dict[str, Argument] = {source: Bundle(items) for source, items in data.items()}
    return {"data": Bundle(by_process), "hyperparameters": Bundle(parameters)}
