"""What lies in memory that nobody has filled yet.

Blocks from the C library are filled by ``MALLOC_PERTURB_``, which is set on the worker. NumPy keeps small blocks for
itself: those are filled here, once, as NumPy is loaded; what it recycles later holds what the program left there.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any, Final

from ....seeding.on_import import after_import

_KEPT: Final = 1024  # bytes of the largest block that NumPy keeps for itself
_OF_EACH: Final = 8  # blocks of one size, a few more than it keeps


def install(byte: int) -> None:
    """Fill NumPy's spare blocks with ``byte``, now or when it is loaded."""
    after_import("numpy", partial(_fill, byte))


def _fill(byte: int) -> None:
    numpy: Any = sys.modules["numpy"]
    for size in range(1, _KEPT + 1):
        blocks = [numpy.full(size, byte, dtype="uint8") for _ in range(_OF_EACH)]
        del blocks
