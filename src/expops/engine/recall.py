"""What the cache remembers of the actions in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..cache.explain import Described
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


def remembered(kv: KVStore, actions: Iterable[ActionRecord]) -> dict[str, Remembered]:
    """By path, what the cache remembers of ``actions``, in two look-ups."""
    wanted = list(actions)
    names = ["key/" + item.action for item in wanted if item.action]
    names += ["result/" + item.result for item in wanted if item.result]
    raw = kv.get_many(names)
    keys = {name: json_list(value) for name, value in raw.items() if name.startswith("key/")}
    codes = kv.get_many({"code/" + parts[2] for parts in keys.values()})
    return {
        item.path: Remembered(
            _described(keys.get("key/" + item.action), codes),
            manifest_in(raw.get("result/" + item.result), item.action),
        )
        for item in wanted
    }


def _described(parts: list[Any] | None, codes: dict[str, bytes]) -> Described | None:
    if parts is None:
        return None
    kind, name, code, inputs, parameters, closure, labels, values = parts
    raw = codes.get("code/" + code)
    symbols, libraries, widened = json_list(raw) if raw is not None else ({}, {}, {})
    fingerprint = CodeFingerprint(code, symbols, libraries, widened, ())
    return Described(ActionKey(kind, name, code, inputs, parameters, closure), fingerprint, labels, values)


def manifest_in(raw: bytes | None, action: str) -> Manifest | None:
    """The manifest in a record, if there is a sound one and it is that action's."""
    if raw is None:
        return None
    try:
        manifest = unpack(raw)
    except CorruptData:
        return None
    return manifest if not action or manifest.action == action else None


def json_list(raw: bytes) -> list[Any]:
    """A record of the cache that is a list."""
    parts: list[Any] = json.loads(raw)
    return parts
