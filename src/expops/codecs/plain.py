"""Plain data as JSON: built-in types only, and every one of them comes back as what it was.

JSON's own types stand for themselves. Every object in the JSON text has one key, a tag that tells which other type
its value stands for: ``{"t": [...]}`` a tuple, ``{"d": [key, value, ...]}`` a dict, ``{"F": n}`` a list of floats
in buffer ``n``, and so on.
"""

from __future__ import annotations

import binascii
import json
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from ..errors import CorruptData
from .base import Encoded

_Buffers: TypeAlias = list[memoryview]

# From this length on, bytes and lists of numbers are raw buffers instead of text.
_LARGE_BYTES: Final = 4096
_LONG_LIST: Final = 256
# A text above this size is a buffer, so that heads stay small.
_LARGE_TEXT: Final = 1 << 16
_SMALL_INT: Final = 1 << 63
_DEPTH: Final = 50
_TEXT_IN_BUFFER: Final = b""

_loads: Final = json.JSONDecoder().decode
_dumps: Final = json.JSONEncoder(check_circular=False, allow_nan=False, separators=(",", ":")).encode


class _NotPlain(Exception):
    """There is something in the value that this codec does not write."""


class _Writer:
    """One value on its way to JSON."""

    __slots__ = ("buffers", "seen")

    def __init__(self) -> None:
        self.buffers: _Buffers = []
        # Mutable parts met so far: one that is met twice must come back as one, which JSON can't say.
        self.seen: set[int] = set()

    def write(self, value: Any, depth: int) -> object:
        writer = _WRITERS.get(type(value))
        if writer is None or not depth:
            raise _NotPlain
        return writer(self, value, depth - 1)

    def items(self, values: Iterable[object], depth: int) -> list[object]:
        return [self.write(value, depth) for value in values]

    def once(self, value: object) -> None:
        if id(value) in self.seen:
            raise _NotPlain
        self.seen.add(id(value))

    def buffer(self, data: memoryview) -> int:
        self.buffers.append(data)
        return len(self.buffers) - 1


def _itself(writer: _Writer, value: object, depth: int) -> object:
    return value


def _int(writer: _Writer, value: int, depth: int) -> object:
    return value if -_SMALL_INT < value < _SMALL_INT else {"i": f"{value:x}"}


def _float(writer: _Writer, value: float, depth: int) -> object:
    return value if value - value == 0 else {"f": repr(value)}


def _str(writer: _Writer, value: str, depth: int) -> object:
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        # Two surrogates side by side would come back from JSON as the one character that they encode.
        return {"u": value.encode("utf-8", "surrogatepass").hex()}
    return value


def _bytes(writer: _Writer, value: bytes, depth: int) -> object:
    if len(value) >= _LARGE_BYTES:
        return {"B": writer.buffer(memoryview(value))}
    return {"b": binascii.b2a_base64(value, newline=False).decode()}


def _complex(writer: _Writer, value: complex, depth: int) -> object:
    return {"c": [_float(writer, value.real, depth), _float(writer, value.imag, depth)]}


def _list(writer: _Writer, value: list[Any], depth: int) -> object:
    writer.once(value)
    if len(value) >= _LONG_LIST:
        kinds = set(map(type, value))
        if kinds == {str} and isinstance(_str(writer, "".join(value), depth), str):
            return value
        packed = _numbers(value, kinds)
        if packed is not None:
            return {packed[0]: writer.buffer(packed[1])}
    return writer.items(value, depth)


def _numbers(value: list[Any], kinds: set[type]) -> tuple[str, memoryview] | None:
    if kinds == {float}:
        return "F", _little(array("d", value))
    if kinds == {int}:
        try:
            return "I", _little(array("q", value))
        except OverflowError:
            return None
    return None


def _little(numbers: array[int] | array[float]) -> memoryview:
    if sys.byteorder == "big":
        numbers.byteswap()
    return memoryview(numbers).cast("B")


def _tuple(writer: _Writer, value: tuple[object, ...], depth: int) -> object:
    return {"t": writer.items(value, depth)}


def _dict(writer: _Writer, value: dict[object, object], depth: int) -> object:
    writer.once(value)
    return {"d": writer.items(chain.from_iterable(value.items()), depth)}


def _set(writer: _Writer, value: set[object], depth: int) -> object:
    writer.once(value)
    return {"s": writer.items(value, depth)}


def _frozenset(writer: _Writer, value: frozenset[object], depth: int) -> object:
    return {"z": writer.items(value, depth)}


_WRITERS: Final[dict[type, Callable[[_Writer, Any, int], object]]] = {
    type(None): _itself,
    bool: _itself,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    complex: _complex,
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
}


def _pairs(parts: list[Any]) -> dict[Any, Any]:
    if len(parts) % 2:
        raise ValueError("a dict with a key that has no value")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _unpacked(code: str, data: memoryview) -> list[Any]:
    numbers: array[Any] = array(code)
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


_READERS: Final[dict[str, Callable[[Any], object]]] = {
    "i": lambda text: int(text, 16),
    "f": float,
    "u": lambda text: bytes.fromhex(text).decode("utf-8", "surrogatepass"),
    "b": lambda text: binascii.a2b_base64(text, strict_mode=True),
    "c": lambda parts: complex(*parts),
    "t": tuple,
    "d": _pairs,
    "s": set,
    "z": frozenset,
}
_BUFFER_READERS: Final[dict[str, Callable[[memoryview], object]]] = {
    "B": bytes,
    "F": lambda data: _unpacked("d", data),
    "I": lambda data: _unpacked("q", data),
}


class PlainCodec:
    """Plain data: ``None``, ``bool``, ``int``, ``float``, ``complex``, ``str``, ``bytes``, and ``list``, ``tuple``,
    ``dict``, ``set`` and ``frozenset`` of them; no subclasses, and nothing in which a mutable part occurs twice.
    """

    name = "plain"

    def encode(self, value: object) -> Encoded | None:
        """JSON text as the head, or, if it is long, as the last buffer; ``None`` if the value isn't plain."""
        if type(value) not in _WRITERS:
            return None
        writer = _Writer()
        try:
            text = _dumps(writer.write(value, _DEPTH)).encode()
        except _NotPlain:
            return None
        if len(text) < _LARGE_TEXT:
            return Encoded(self.name, text, tuple(writer.buffers))
        return Encoded(self.name, _TEXT_IN_BUFFER, (*writer.buffers, memoryview(text)))

    def decode(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """The value again. Raises :class:`CorruptData` if ``head`` or ``buffers`` are not what was written."""

        def read(tagged: dict[str, Any]) -> object:
            ((tag, body),) = tagged.items()
            reader = _READERS.get(tag)
            return _BUFFER_READERS[tag](buffers[body]) if reader is None else reader(body)

        try:
            text = head if head != _TEXT_IN_BUFFER else bytes(buffers[-1])
            if b"{" not in text:
                # Nothing but JSON's own types: the decoder that is made already does.
                return _loads(text.decode())
            return json.loads(text, object_hook=read)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
            raise CorruptData(f"a stored value can't be read as plain data: {error!r}") from error
