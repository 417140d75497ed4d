"""Rules for SciPy's sparse matrices and arrays. Imported only once a SciPy value has been met."""

from __future__ import annotations

import sys
from typing import Any, Final

from .node import Context, Node, Rule, attributes, node

# What is known about the indices so far (sorted, no duplicates), and how to print: no part of the value.
_IGNORED: Final = frozenset({"_has_sorted_indices", "_has_canonical_format", "maxprint"})


def _sparse(value: Any, context: Context) -> Node:
    state = {name: part for name, part in vars(value).items() if name not in _IGNORED}
    return node("sparse", [type(value), value.format, attributes(state)], ["", "", ""])


def _rules() -> dict[type, Rule]:
    """For the common base of sparse classes, if that part of the library is loaded; others are plain objects."""
    sparse = sys.modules.get("scipy.sparse")
    return {} if sparse is None else {sparse.csr_array.__mro__[-2]: _sparse, sparse.spmatrix: _sparse}


RULES: Final[dict[type, Rule]] = _rules()
