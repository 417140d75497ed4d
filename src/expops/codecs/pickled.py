"""Everything else: pickle protocol 5, with large buffers beside the stream instead of in it."""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections.abc import Sequence
from typing import Any, Final

from ..errors import CannotStore, CorruptData
from .base import Encoded
from .culprit import explain

_IN_BAND_BELOW: Final = 4096
# A stream above this size is a buffer, so that heads stay small.
_LARGE_STREAM: Final = 1 << 16
_STREAM_IN_BUFFER: Final = b""


def _dates(numbers: Any, dtype: Any) -> Any:
    return numbers.view(dtype)


def _reduce_array(array: Any) -> Any:
    """How an array is pickled: dates as the numbers below them, since NumPy writes them into the stream as bytes.

    NumPy turns an array that isn't contiguous into the machine's byte order on the way, so such a one is copied first.
    """
    if not array.dtype.isnative and not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = array.copy()
    if array.dtype.kind in "mM":
        return _dates, (array.view("i8"), array.dtype)
    return array.__reduce_ex__(5)


def _dumps(value: object) -> tuple[bytes, list[memoryview]]:
    buffers: list[memoryview] = []

    def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
        with memoryview(buffer) as view:
            if view.nbytes < _IN_BAND_BELOW or not view.contiguous:
                return True
        buffers.append(buffer.raw())
        return False

    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol=5, buffer_callback=keep_in_band)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        pickler.dispatch_table = {**copyreg.dispatch_table, numpy.ndarray: _reduce_array}
    pickler.dump(value)
    return stream.getvalue(), buffers


class PickleCodec:
    """Any object that pickle can take apart. Arrays in it come back writable if they were."""

    name = "pickle"

    def encode(self, value: object) -> Encoded:
        """The pickle stream as the head, or, if it is long, as the last buffer, after the out-of-band ones.

        Raises :class:`CannotStore` with the path to the part at fault.
        """
        try:
            stream, buffers = _dumps(value)
        except Exception as error:  # whatever a class's own __reduce__ raises, the value can't be written
            raise CannotStore(explain(value, error)) from error
        if len(stream) < _LARGE_STREAM:
            return Encoded(self.name, stream, tuple(buffers))
        return Encoded(self.name, _STREAM_IN_BUFFER, (*buffers, memoryview(stream)))

    def decode(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """The value again; runs code that the stream names.

        Raises :class:`CorruptData` for a broken stream, and for one that today's classes can't make a value of:
        either way the value has to be computed anew.
        """
        stream: bytes | memoryview = head
        if head == _STREAM_IN_BUFFER:
            if not buffers:
                raise CorruptData("a stored pickle is empty")
            *buffers, stream = buffers
        try:
            return pickle.loads(stream, buffers=buffers)
        except MemoryError:
            raise
        except Exception as error:  # a broken stream can call anything with anything
            raise CorruptData(f"a stored pickle can't be loaded: {type(error).__name__}: {error}") from error
