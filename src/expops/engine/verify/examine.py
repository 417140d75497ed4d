"""Loading stored values in a worker, where the project's classes are known, to find where they differ."""

from __future__ import annotations

import os
from typing import NamedTuple

from ...cache.manifest import StoredValue
from ...cache.values import load_value
from ...errors import StorageError
from ...executors.base import Emit
from ..setup import Setup
from ..workspace import workspace
from .difference import Difference, Differences, differences


class ExamineTask(NamedTuple):
    """Pairs of stored values, each with the path under which differences in it are told; ``None`` is no value."""

    setup: Setup
    script: str
    pairs: tuple[tuple[str, StoredValue | None, StoredValue | None], ...]


def examine(task: ExamineTask, emit: Emit) -> list[Differences]:
    """Where the two values of each pair differ."""
    shared = workspace(task.setup)
    os.makedirs(task.setup.work, exist_ok=True)
    with shared.process(task.setup.work, (), lambda stream, text: None, ""):
        shared.load_script(task.script)
        cache = shared.cache
        found = []
        for path, before, after in task.pairs:
            if before is None or after is None:
                texts = ["(absent)" if value is None else "(present)" for value in (before, after)]
                found.append(only(Difference(path, texts[0], texts[1])))
                continue
            try:
                one, other = (load_value(item, cache.blobs, data_only=cache.data_only) for item in (before, after))
                walked = differences(one, other, path)
            except (StorageError, RecursionError) as fault:
                walked = only(Difference(path, "", "", None, f"can't be looked into: {fault}"))
            found.append(walked if walked.number else only(Difference(path, "", "", None, HIDDEN)))
        return found


HIDDEN = "differs only in its fingerprint: in identity or sharing of parts, or in what no attribute shows"


def only(difference: Difference) -> Differences:
    """One difference that no tolerance covers."""
    return Differences((difference,), 1, difference.ulps, float("inf"))
