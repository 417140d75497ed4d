"""What the cache remembers of the actions in the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..cache.explain import CodeRecord, Described, code_record, key_of
from ..cache.keys import ActionKey
from ..cache.manifest import Manifest, unpack
from ..errors import CorruptData
from ..hashing.code import CodeFingerprint
from ..kv.base import KVStore
from ..runs.model import ActionRecord


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
    read = {name: key_of(value) for name, value in raw.items() if name.startswith("key/")}
    keys = {name: parts for name, parts in read.items() if parts is not None}
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
