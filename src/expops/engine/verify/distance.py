"""How far two floating-point numbers are apart."""

from __future__ import annotations

import math
import struct
from typing import Final

# Width in bytes -> formats of the number and of the integer with the same bits.
_FORMATS: Final = {2: ("<e", "<h"), 4: ("<f", "<i"), 8: ("<d", "<q")}


def ulps(first: float, second: float, width: int = 8) -> int | None:
    """Number of representable steps from ``first`` to ``second``, floats of ``width`` bytes; ``None`` for NaN.

    The bits of IEEE 754 numbers of one sign, read as integers, are in the order of the numbers, and neighbours differ
    by one; those of negative numbers are counted downward from zero, so that ``-0.0`` and ``0.0`` meet. (Bruce Dawson,
    "Comparing Floating Point Numbers, 2012 Edition".)
    """
    if math.isnan(first) or math.isnan(second):
        return None
    return abs(_ordinal(first, width) - _ordinal(second, width))


def _ordinal(value: float, width: int) -> int:
    as_float, as_integer = _FORMATS[width]
    bits: int = struct.unpack(as_integer, struct.pack(as_float, value))[0]
    return bits if bits >= 0 else -(1 << (8 * width - 1)) - bits


def close(recorded: float, found: float, tolerance: float) -> bool:
    """Whether ``found`` is within the tolerance, absolute and relative: ``|a - b| <= tolerance * (1 + |a|)``.

    Equal infinities are close, and so are two NaNs.
    """
    if math.isnan(recorded) or math.isnan(found):
        return math.isnan(recorded) and math.isnan(found)
    if math.isinf(recorded) or math.isinf(found):
        return recorded == found
    return abs(recorded - found) <= tolerance * (1 + abs(recorded))
