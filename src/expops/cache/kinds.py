"""Which records a machine shares with others, and how two machines' records of one action are put together."""

from __future__ import annotations

import json
from typing import Final

from ..kv.tiered import Kinds

_VARIANTS: Final = 16  # as in store.py
LEDGER: Final = ("record/", "run/", "run-actions/", "run-metrics/")
# What says nothing by itself: it goes along with the next results.
ALONG: Final = ("source/", *LEDGER)
RESULT: Final = "result/"
ACTION: Final = "action/"
# In the order in which they go to a remote store: who finds a record there finds all that it names.
SHARED: Final = ("source/", "code/", "key/", RESULT, ACTION, "last/", "verified/", *LEDGER)


def merged_variants(mine: bytes | None, theirs: bytes) -> bytes:
    """An ``action/`` record with the variants of both, each once, this machine's first. What can't be read has none."""
    own = json.loads(mine) if mine else []
    try:
        others = [variant for variant in json.loads(theirs) if variant not in own]
    except (ValueError, TypeError):
        return mine or b"[]"
    return json.dumps([*own, *others][:_VARIANTS], separators=(",", ":")).encode() if others else mine or theirs


KINDS: Final = Kinds(
    shared=SHARED,
    own=("cleared",),
    followed=("last/", "verified/"),
    # By content: a run that lacks one need not wait for a network to learn that others have it.
    unasked=("record/",),
    merged={ACTION: merged_variants},
)
