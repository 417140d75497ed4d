"""Rules for Matplotlib. Imported only once a Matplotlib value has been met."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.cbook import CallbackRegistry

from .node import Context, Node, Rule
from .objects import reduced

# Counts how often the object was taken apart or connected to.
_COUNTERS: Final = frozenset({"_cid_gen"})


def _callbacks(value: Any, context: Context) -> Node:
    return reduced(value, context, without=_COUNTERS)


RULES: Final[dict[type, Rule]] = {CallbackRegistry: _callbacks}
