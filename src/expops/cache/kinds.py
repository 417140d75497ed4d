"""Which records a machine shares with others."""

from __future__ import annotations

from typing import Final

from ..kv.tiered import Kinds
from .variants import merged_variants

LEDGER: Final = ("record/", "run/", "run-actions/", "run-metrics/")
# What says nothing by itself: it goes along with the next results.
ALONG: Final = ("source/", *LEDGER)
RESULT: Final = "result/"
ACTION: Final = "action/"
# In the order in which they go to a remote store: who finds a record there finds all that it names.
SHARED: Final = ("source/", "code/", "key/", RESULT, ACTION, "last/", "verified/", *LEDGER)

KINDS: Final = Kinds(
    shared=SHARED,
    own=("cleared",),
    followed=("last/", "verified/"),
    # By content: a run that lacks one need not wait for a network to learn that others have it.
    unasked=("record/",),
    merged={ACTION: merged_variants},
)
