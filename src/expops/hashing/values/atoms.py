"""Canonical bytes of values without parts, and of long lists of such values.

Each encoding starts with a tag of its own and says where it ends, so that no two different values share one.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from itertools import compress, repeat
from operator import is_not
from typing import Any, Final

from ..digest import digest_bytes

# Encodings up to this length stand in their container as they are; longer ones by their digest.
_INLINE: Final = 256
SEALED_LENGTH: Final = 65
_LARGE: Final = 4096
PACK_FROM: Final = 16
_NAN: Final = float("nan")
_pack_double = struct.Struct("<d").pack


def seal(body: bytes) -> bytes:
    """``body`` if it is short, else its digest under a tag."""
    return body if len(body) <= _INLINE else b"#" + digest_bytes(body).encode()


def _float(value: float) -> bytes:
    return b"f" + _pack_double(value if value == value else _NAN)


def _complex(value: complex) -> bytes:
    return b"c" + _float(value.real) + _float(value.imag)


def _str(value: str) -> bytes:
    body = value.encode("utf-8", "surrogatepass")
    size = len(body)
    return b"s%d:%b" % (size, body) if size < _LARGE else b"S%d:%b" % (size, digest_bytes(body).encode())


def _bytes(value: bytes) -> bytes:
    size = len(value)
    return b"y%d:%b" % (size, value) if size < _LARGE else b"Y%d:%b" % (size, digest_bytes(value).encode())


def _bytearray(value: bytearray) -> bytes:
    return b"a" + _bytes(bytes(value))


ATOMS: Final[dict[type, Callable[..., bytes]]] = {
    type(None): lambda value: b"N",
    type(...): lambda value: b"E",
    type(NotImplemented): lambda value: b"U",
    bool: lambda value: b"1" if value else b"0",
    int: lambda value: b"i%x;" % value,
    float: _float,
    complex: _complex,
    str: _str,
    bytes: _bytes,
    bytearray: _bytearray,
}


def _little(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _floats(values: Sequence[float]) -> bytes:
    total = sum(values)
    if total != total:
        values = [value if value == value else _NAN for value in values]
    return _little(array("d", values))


def _strings(values: Sequence[str]) -> bytes:
    """All of ``values`` in one piece: joined by NUL if no value holds one, else with their lengths."""
    joined = "\0".join(values)
    if joined.count("\0") == len(values) - 1:
        return b"0" + joined.encode("utf-8", "surrogatepass")
    lengths = _little(array("q", map(len, values)))
    return b"1" + lengths + "".join(values).encode("utf-8", "surrogatepass")


def _strings_with_holes(values: Sequence[object]) -> bytes:
    """Strings among which some values are missing (``None`` or a float, mostly NaN)."""
    holes = list(compress(range(len(values)), map(is_not, map(type, values), repeat(str))))
    filled = list(values)
    for index in holes:
        filled[index] = ""
    others = b"".join([ATOMS[type(values[index])](values[index]) for index in holes])
    body = _strings(filled)  # type: ignore[arg-type]
    return b"%d,%d:%b%b%b" % (len(holes), len(others), _little(array("q", holes)), others, body)


def packed(tag: bytes, values: Sequence[Any]) -> bytes | None:
    """Encoding of a long sequence of plain scalars in one go, or ``None`` if it isn't one.

    Depends on the values only, like every encoding, so that it is as canonical as one by one.
    """
    kinds = set(map(type, values))
    body: bytes
    if kinds == {float}:
        letter, body = b"f", _floats(values)
    elif kinds == {int}:
        try:
            letter, body = b"i", _little(array("q", values))
        except OverflowError:
            return None
    elif kinds == {bool}:
        letter, body = b"b", bytes(values)
    elif kinds == {str}:
        letter, body = b"s", _strings(values)
    elif str in kinds and kinds <= {str, float, type(None)}:
        letter, body = b"h", _strings_with_holes(values)
    else:
        return None
    return seal(b"P%b%b%d,%d:%b" % (tag, letter, len(values), len(body), body))
