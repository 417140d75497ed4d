"""Where two NumPy arrays differ. Imported only where NumPy is loaded."""

from __future__ import annotations

import math
from typing import Any

import numpy

from .difference import Difference, Walk, text_of
from .distance import ulps

_MEASURED = 10_000  # elements whose distance is measured one by one


def compare(walk: Walk, path: str, recorded: Any, found: Any) -> bool:
    """Note where two arrays or scalars differ; ``False`` for values of other kinds."""
    if isinstance(recorded, numpy.generic):
        recorded, found = numpy.asarray(recorded), numpy.asarray(found)
    if not isinstance(recorded, numpy.ndarray):
        return False
    if recorded.dtype != found.dtype:
        walk.add(path + ".dtype", str(recorded.dtype), str(found.dtype), "types of elements differ")
    elif recorded.shape != found.shape:
        walk.add(path + ".shape", str(recorded.shape), str(found.shape), "shapes differ")
    elif recorded.dtype.names is not None:
        for name in recorded.dtype.names:
            compare(walk, f"{path}[{name!r}]", recorded[name], found[name])
    elif recorded.dtype.kind == "c":
        compare(walk, path + ".real", recorded.real, found.real)
        compare(walk, path + ".imag", recorded.imag, found.imag)
    elif recorded.dtype.hasobject:
        for index in numpy.ndindex(recorded.shape):
            walk.compare(path + _place(index), recorded[index], found[index])
    else:
        _elements(walk, path, recorded, found)
    if isinstance(recorded, numpy.ma.MaskedArray):
        compare(walk, path + ".mask", numpy.ma.getmaskarray(recorded), numpy.ma.getmaskarray(found))
    return True


def _elements(walk: Walk, path: str, recorded: Any, found: Any) -> None:
    old, new = numpy.asarray(recorded), numpy.asarray(found)
    differs = old != new
    floats = old.dtype.kind == "f"
    if floats:
        differs = (differs & ~(numpy.isnan(old) & numpy.isnan(new))) | (numpy.signbit(old) != numpy.signbit(new)) & (
            old == new
        )
    elif old.dtype.kind in "mM":
        differs &= ~(numpy.isnat(old) & numpy.isnat(new))
    count = int(numpy.count_nonzero(differs))
    if not count:
        return
    if not floats:
        walk.needed = math.inf
    elif (finite := numpy.isfinite(old) & numpy.isfinite(new))[differs].all():
        gaps = numpy.abs(old[finite].astype(float) - new[finite]) / (1 + numpy.abs(old[finite].astype(float)))
        walk.needed = max(walk.needed, float(gaps.max()))
    else:
        walk.needed = math.inf
    places = numpy.argwhere(differs)[:_MEASURED]
    for number, place in enumerate(places):
        index = tuple(map(int, place))
        distance = _distance(old[index], new[index]) if floats else None
        rest = count - len(places) + 1 if number == len(places) - 1 else 1
        walk.note(Difference(path + _place(index), text_of(old[index]), text_of(new[index]), distance), rest)


def _distance(old: Any, new: Any) -> int | None:
    return ulps(float(old), float(new), old.itemsize) if old.itemsize in (2, 4, 8) else None


def _place(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""
