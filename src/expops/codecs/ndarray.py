"""NumPy arrays and scalars: dtype, shape and memory order as JSON, the elements as one raw buffer."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

from ..errors import CorruptData
from .base import Encoded

_SIMPLE: Final = re.compile(r"[<>|=][a-zA-Z][0-9]{0,10}(\[[a-zA-Z0-9]*\])?")


def _described(dtype: Any) -> object | None:
    """``dtype`` as JSON, or ``None`` if it would not come back as it is."""
    if dtype.hasobject or dtype.metadata:
        return None
    numpy: Any = sys.modules["numpy"]
    if dtype.names is None:
        # Types that other libraries add to NumPy say no more in their text than their size.
        return dtype.str if dtype.kind != "V" or numpy.dtype(dtype.str) == dtype else None
    described = numpy.lib.format.dtype_to_descr(dtype)
    back = numpy.lib.format.descr_to_dtype(_tuples(json.loads(json.dumps(described))))
    same = back == dtype and back.type is dtype.type and back.isalignedstruct == dtype.isalignedstruct
    return described if same else None


def _tuples(described: Any) -> Any:
    """NumPy tells a field from a list of fields by its being a tuple; JSON has lists only."""
    if not isinstance(described, list):
        return described
    return [_field(field) for field in described]


def _field(field: list[Any]) -> tuple[Any, ...]:
    name, kind, *shape = field
    title = tuple(name) if isinstance(name, list) else name
    return (title, _tuples(kind), *map(tuple, shape))


def _is_type(described: Any) -> bool:
    """Whether it describes a type of elements. NumPy would evaluate some other texts as expressions."""
    if isinstance(described, list):
        return all(isinstance(field, list) and len(field) > 1 and _is_type(field[1]) for field in described)
    return isinstance(described, str) and _SIMPLE.fullmatch(described) is not None


class NdarrayCodec:
    """Arrays of exactly ``numpy.ndarray``, and NumPy's scalars, of every dtype without objects.

    Fortran order is kept; an array that is contiguous in neither order is copied. All come back writable.
    """

    name = "ndarray"

    def encode(self, value: object) -> Encoded | None:
        """The elements' own memory as the buffer (none if it is empty); ``None`` if it is another type."""
        numpy: Any = sys.modules.get("numpy")
        if numpy is None:
            return None
        scalar = isinstance(value, numpy.generic)
        if not scalar and type(value) is not numpy.ndarray:
            return None
        array: Any = numpy.asarray(value)
        described = _described(array.dtype)
        if described is None or (scalar and array.dtype.type is not type(value)):
            return None
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        fields = {"dtype": described, "shape": array.shape, "order": "F" if fortran else "C", "scalar": scalar}
        head = json.dumps(fields, separators=(",", ":")).encode()
        if not array.nbytes:
            return Encoded(self.name, head)
        rows = array.T if fortran else numpy.ascontiguousarray(array)
        return Encoded(self.name, head, (memoryview(rows.reshape(-1).view(numpy.uint8)),))

    def decode(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """The array, on the memory of ``buffers``. Raises :class:`CorruptData` if they don't fit together."""
        # Reading an array needs NumPy, whoever asks for it.
        import numpy

        try:
            fields = json.loads(head)
            if not _is_type(fields["dtype"]):
                raise ValueError(f"there is no type of elements {fields['dtype']!r:.100}")
            dtype = numpy.lib.format.descr_to_dtype(_tuples(fields["dtype"]))
            shape = tuple(fields["shape"])
            if dtype.hasobject or any(side < 0 for side in shape):
                # Laid over bytes, objects would be addresses that anyone can have written.
                raise ValueError(f"no array of {dtype} and shape {shape} is written this way")
            array: Any = _placed(numpy, shape, dtype, fields["order"], buffers)
            return array[()] if fields["scalar"] else array
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise CorruptData(f"a stored array can't be read: {error!r}") from error


def _placed(numpy: Any, shape: tuple[int, ...], dtype: Any, order: str, buffers: Sequence[memoryview]) -> Any:
    if not buffers:
        if math.prod(shape) * dtype.itemsize:
            raise ValueError("its elements are missing")
        if dtype.itemsize:
            return numpy.empty(shape, dtype, order=order)
        # There may be any number of elements without bytes, and NumPy would make room for each.
        return numpy.ndarray(shape, dtype, buffer=bytearray(), order=order)
    (buffer,) = buffers
    array = numpy.ndarray(shape, dtype, buffer=buffer, order=order)
    if array.nbytes != buffer.nbytes:
        raise ValueError(f"{buffer.nbytes} bytes where {array.nbytes} belong")
    # Compiled code may take for granted that elements start at multiples of their size.
    return array if array.flags.aligned else array.copy(order="K")
