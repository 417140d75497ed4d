"""What the cache and the ledger remember of runs, actions and results."""

from __future__ import annotations

import os
import re

from ..cache.explain import why, why_discovered
from ..engine.recall import Remembered
from ..errors import UnknownName
from ..kv.base import KVStore
from ..runs.ledger import Ledger
from ..runs.model import RunRecord

_BEFORE = re.compile(r"(last|latest)~(\d{1,6})")


def find_run(ledger: Ledger, name: str) -> RunRecord:
    """The run of that id, of a unique beginning of one, ``last``, or ``last~2``: two before the last.

    Raises :class:`UnknownName`.
    """
    match = _BEFORE.fullmatch(name)
    if match is None:
        return ledger.find(name)
    runs = ledger.runs()
    back = int(match[2])
    if back >= len(runs):
        raise UnknownName(f"there is no run '{name}': the ledger has {len(runs)} in all; `expops runs` lists them")
    return runs[-1 - back]


def status_of(run: RunRecord) -> str:
    """The run's status; ``killed`` if its process on this machine is gone without having said how it ended."""
    if run.status != "running":
        return run.status
    import socket  # only where a run was left open

    if run.host != socket.gethostname():
        return run.status
    try:
        os.kill(run.pid, 0)
    except ProcessLookupError:
        return "killed"
    except PermissionError:
        return run.status  # somebody else's, and alive
    return run.status


def causes(kv: KVStore, before: Remembered, now: Remembered) -> list[str]:
    """In words, why two actions of one path are not the same; empty if nothing is known to differ."""
    found: list[str] = []
    if before.described is not None and now.described is not None:
        old = before.described.key.digest()
        if old != now.described.key.digest():
            found += why(now.described, old, lambda name: kv.get_many([name]).get(name))
    if before.manifest is not None and now.manifest is not None:
        found += why_discovered(before.manifest.discovered, now.manifest.discovered)
    return found
