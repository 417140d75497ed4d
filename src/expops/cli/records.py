"""What the cache and the ledger remember of runs, actions and results."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from ..cache.explain import CodeRecord, Described, code_record, key_of, why, why_discovered
from ..cache.keys import ActionKey
from ..cache.manifest import Manifest, unpack
from ..errors import CorruptData, UnknownName
from ..hashing.code import CodeFingerprint
from ..kv.base import KVStore
from ..runs.ledger import Ledger
from ..runs.model import ActionRecord, RunRecord

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


class Remembered(NamedTuple):
    """What an action was known by, and what it gave; ``None`` for what the cache has not got any more."""

    described: Described | None
    manifest: Manifest | None
    code: CodeRecord | None = None


def remembered(kv: KVStore, actions: Iterable[ActionRecord]) -> dict[str, Remembered]:
    """By path, what the cache remembers of ``actions``, in two look-ups."""
    wanted = list(actions)
    names = ["key/" + item.action for item in wanted if item.action]
    names += ["result/" + item.result for item in wanted if item.result]
    raw = kv.get_many(names)
    keys = {name: key_of(value) for name, value in raw.items() if name.startswith("key/")}
    codes = kv.get_many({"code/" + key.code for key, _, _ in keys.values()})
    found = {}
    for item in wanted:
        manifest = manifest_in(raw.get("result/" + item.result), item.action)
        parts = keys.get("key/" + item.action)
        code = code_record(codes.get("code/" + parts[0].code)) if parts is not None else None
        found[item.path] = Remembered(_described(parts, code) if parts is not None else None, manifest, code)
    return found


def _described(parts: tuple[ActionKey, dict[str, str], dict[str, str]], code: CodeRecord | None) -> Described:
    key, labels, values = parts
    known = code or CodeRecord({}, {}, {}, {}, {}, "")
    fingerprint = CodeFingerprint(key.code, known.symbols, known.libraries, known.counted, known.widened, (), {})
    return Described(key, fingerprint, labels, values)


def manifest_in(raw: bytes | None, action: str) -> Manifest | None:
    """The manifest in a record, if there is a sound one and it is that action's."""
    if raw is None:
        return None
    try:
        manifest = unpack(raw)
    except CorruptData:
        return None
    return manifest if not action or manifest.action == action else None


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
