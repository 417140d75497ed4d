"""Random state that others have left behind: every process finds the global generators somewhere else."""

from __future__ import annotations

import ctypes
import random
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Any


def leave(seed: int, libraries: Collection[str]) -> None:
    """Move the state of ``random``, NumPy, PyTorch and the C library's ``rand``.

    A library of ``libraries`` is loaded for that, as another process of the same worker would have done.
    """
    random.seed(seed)
    random.gauss(0, 1)  # one of a pair; the other is kept for the next call
    if "numpy" in libraries:
        with suppress(ImportError):
            import numpy.random

            numpy.random.seed(seed)
            numpy.random.standard_normal(3)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).srand(seed)
