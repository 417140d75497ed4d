"""What of a local store has yet to go to a remote one: marks beside the records, written in one transaction with them.

::

    outbox/<moment><random>   keys that were written or deleted together, as a JSON list
    gone/<key>                that the key was deleted, so that it is not read from the remote store meanwhile

Each write has a mark of its own, so that removing one never hides a write that came after it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from .base import KVStore

MARKS: Final = "outbox/"
GONE: Final = "gone/"


def mark(keys: Iterable[str]) -> tuple[str, bytes]:
    """The mark of a write of ``keys``: a record to be written along."""
    name = f"{MARKS}{time.time_ns():016x}{os.urandom(4).hex()}"
    return name, json.dumps(list(keys), separators=(",", ":")).encode()


class Waiting(NamedTuple):
    """Marks, and the keys that they name, oldest first."""

    marks: list[str]
    keys: list[str]


def waiting(store: KVStore, limit: int | None = None) -> Waiting:
    """The oldest marks, up to the one with which they name ``limit`` keys; all without one."""
    marks: list[str] = []
    keys: dict[str, None] = {}
    for name, raw in store.scan(MARKS):
        marks.append(name)
        keys.update(dict.fromkeys(json.loads(raw)))
        if limit is not None and len(keys) >= limit:
            break
    return Waiting(marks, list(keys))


def gone(store: KVStore, keys: Collection[str]) -> set[str]:
    """Those of ``keys`` that were deleted and may still be in the remote store."""
    found = store.get_many([GONE + key for key in keys])
    return {key for key in keys if GONE + key in found}
