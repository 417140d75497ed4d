"""``action/`` records: in which ways an action has discovered inputs, latest first."""

from __future__ import annotations

import json
from typing import Final

from ..untrusted import is_digest, is_name, json_in, list_of
from .discovery import KINDS, Names

ACCEPTED: Final = "accepted"  # among a variant's kinds: digests of results that were accepted there
MOST: Final = 16  # of an action; the oldest are forgotten
_dumps: Final = json.JSONEncoder(separators=(",", ":")).encode
_CHECKS: Final = {**dict.fromkeys(KINDS, list_of(is_name)), ACCEPTED: list_of(is_digest)}


def variants_in(raw: bytes | None) -> list[Names]:
    """What a record says; nothing of what is none, which others may have written."""
    try:
        variants = json_in(raw) if raw else []
    except ValueError:
        return []
    return [variant for variant in variants if _is_variant(variant)][:MOST] if isinstance(variants, list) else []


def pack_variants(variants: list[Names]) -> bytes:
    """The record that says so."""
    return _dumps(variants[:MOST]).encode()


def merged_variants(mine: bytes | None, theirs: bytes) -> bytes:
    """A record with the variants of both, each once, this machine's first. What can't be read has none."""
    own = variants_in(mine)
    others = [variant for variant in variants_in(theirs) if variant not in own]
    return pack_variants([*own, *others]) if others or mine is None else mine


def _is_variant(variant: object) -> bool:
    return isinstance(variant, dict) and all(
        kind in _CHECKS and _CHECKS[kind](names) for kind, names in variant.items()
    )
