"""The JSON documents that ``--json`` prints. Strict JSON: what is no finite number there is a string."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from ..errors import ConfigError, ExpopsError
from ..runs.model import ActionRecord, Metrics, RunRecord


def write_json(document: object, file: IO[str]) -> None:
    """Print ``document`` as one line."""
    try:
        text = json.dumps(document, allow_nan=False)
    except ValueError:
        # Rare, and looking for it costs more than writing it all.
        text = json.dumps(_finite(document), allow_nan=False)
    file.write(text + "\n")


@contextmanager
def stdout_on_stderr() -> Iterator[None]:
    """Standard output is standard error meanwhile: user code and C libraries write to descriptor 1 without asking."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def run_document(run: RunRecord, status: str, actions: Sequence[ActionRecord], metrics: Metrics) -> dict[str, Any]:
    """A run as ``run`` and ``show`` print it."""
    return {
        **run_facts(run, status),
        "actions": [action.document() for action in actions],
        "metrics": metrics,
    }


def audit_document(actions: Sequence[ActionRecord]) -> dict[str, Any]:
    """What the audit of code has found: how many actions it checked, and what they ran that isn't followed."""
    executed = [action for action in actions if action.outcome == "executed"]
    found = [{"action": action.path, **item._asdict()} for action in executed for item in action.unfollowed]
    return {"checked": len(executed), "unfollowed": found}


def run_facts(run: RunRecord, status: str) -> dict[str, Any]:
    """A run without its actions, as ``runs`` prints it."""
    return {
        "run_id": run.run_id,
        "status": status,
        "seed": _number(run.seed),
        **({"sweep": run.sweep} if run.sweep else {}),
        "started": moment(run.started),
        "finished": moment(run.finished) if run.finished else None,
        "seconds": round(run.seconds, 6),
        "saved_seconds": round(run.saved, 6),
        "counts": run.counts,
        "jobs": run.jobs,
        "overrides": run.overrides,
        "command": run.command,
        "host": run.host,
        "git": {"commit": run.git_commit, "dirty": run.git_dirty},
        "python": run.python,
        "libraries": run.libraries,
    }


def error_document(error: ExpopsError) -> dict[str, Any]:
    """An error that kept a command from its work."""
    problems = error.problems if isinstance(error, ConfigError) else ()
    return {
        "error": {
            "type": type(error).__name__,
            "message": str(error),
            "problems": [problem._asdict() for problem in problems],
        }
    }


def moment(seconds: float) -> str:
    """A time as ISO 8601 in UTC."""
    whole = math.floor(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


def _number(seed: str) -> int | str:
    # Beyond 53 bits many JSON readers would round it.
    return int(seed) if len(seed) <= 15 else seed


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
