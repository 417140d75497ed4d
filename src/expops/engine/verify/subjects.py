"""What there is to check: the processes whose result the cache has, with the inputs that it was recorded from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...cache.manifest import Manifest, unpack
from ...errors import CorruptData
from ...pipeline.config import ProcessConfig
from ...runs.ledger import Ledger
from ...runs.model import ActionRecord
from ..dispatch import task_arguments
from ..plan import Planned
from ..project import Project
from ..setup import Setup
from ..task import ProcessTask
from .bench import Subject
from .compare import recorded


class Subjects(NamedTuple):
    """Processes that can be executed again, and the reasons why others can't."""

    ready: dict[str, Subject]
    untested: dict[str, str]


def find_subjects(project: Project, plan: Mapping[str, Planned], setup: Setup) -> Subjects:
    """All processes of the plan, which must be of the whole project or closed upstream."""
    processes = {process.name: process for process in project.config.processes}
    manifests = {name: item.manifest for name, item in plan.items() if item.manifest is not None}
    ledger = Ledger(project.cache.kv)
    runs: dict[str, list[ActionRecord]] = {}
    found = Subjects({}, {})
    for name, item in plan.items():
        manifest = manifests.get(name)
        if manifest is None:
            found.untested[name] = _why_not(item, processes[name])
            continue
        if manifest.run not in runs:
            runs[manifest.run] = ledger.actions(manifest.run)
        steps = _steps(project, name, runs[manifest.run])
        task = _task(project, processes[name], item, manifests, setup)
        found.ready[name] = Subject(name, task, recorded(name, manifest, steps), manifest, processes[name].tolerance)
    return found


def _why_not(item: Planned, process: ProcessConfig) -> str:
    if not process.cache:
        return "caching is off for it, so no result of it is recorded"
    if item.verdict == "unknown":
        return f"its inputs are not all recorded: it {item.reason}"
    return f"no recorded result ({item.reason}); `expops run` makes one"


def _steps(project: Project, name: str, actions: list[ActionRecord]) -> dict[str, tuple[ActionRecord, Manifest | None]]:
    """The step calls of the execution that gave the recorded result."""
    steps = [action for action in actions if action.path.startswith(name + "/")]
    raw = project.cache.kv.get_many(["result/" + action.result for action in steps if action.result])
    return {action.path: (action, _manifest(raw.get("result/" + action.result))) for action in steps}


def _manifest(raw: bytes | None) -> Manifest | None:
    if raw is None:
        return None
    try:
        return unpack(raw)
    except CorruptData:
        # It is computed again by the next run; there is nothing to compare with.
        return None


def _task(
    project: Project, process: ProcessConfig, item: Planned, manifests: Mapping[str, Manifest], setup: Setup
) -> ProcessTask:
    assert item.binding is not None
    assert item.described is not None
    assert item.look_up is not None
    files = [file for file in item.described.code.files if file.endswith(".py")]
    return ProcessTask(
        setup=setup,
        name=process.name,
        script=process.script,
        function=process.function,
        arguments=task_arguments(item.binding, manifests),
        described=item.described,
        contents={file: project.code.content(file) for file in files},
        look_up=item.look_up._replace(manifest=None),
        reason="verified",
        forced=frozenset(),
        keep=True,
        caching=item.caching,
    )
