"""Canonical bytes of plain structured data: what keys are made of.

Every item is written as a tag, its length, and its bytes, so that no two different structures share an
encoding: ``["ab", "c"]`` and ``["a", "bc"]`` differ, and so do ``1``, ``1.0``, ``True`` and ``"1"``.
Mappings are written in the order of their keys, since a key's fields have no order of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from .digest import digest_bytes

Plain: TypeAlias = "bool | int | float | str | bytes | Sequence[Plain] | Mapping[str, Plain] | None"


def encode(value: Plain) -> bytes:
    """Canonical bytes of ``value``.

    Raises ``TypeError`` for anything that is not plain data: keys hold fingerprints of values, not values.
    """
    encoder = _ENCODERS.get(type(value)) or _encoder_of(value)
    return encoder(value)


def _item(tag: bytes, body: bytes) -> bytes:
    return b"%b%d:%b" % (tag, len(body), body)


def _text(value: str) -> bytes:
    body = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(body), body)


def _sequence(value: Sequence[Plain]) -> bytes:
    body = b"".join([_ENCODERS.get(type(part), encode)(part) for part in value])
    return b"l%d,%d:%b" % (len(value), len(body), body)


def _mapping(value: Mapping[str, Plain]) -> bytes:
    if not value:
        return b"m0,0:"
    body = b"".join([_text(key) + _ENCODERS.get(type(value[key]), encode)(value[key]) for key in sorted(value)])
    return b"m%d,%d:%b" % (len(value), len(body), body)


_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    str: _text,
    type(None): lambda value: b"n0:",
    bool: lambda value: b"b1:1" if value else b"b1:0",
    int: lambda value: _item(b"i", format(value, "x").encode()),
    float: lambda value: _item(b"f", struct.pack("<d", value)),
    bytes: lambda value: _item(b"y", value),
    list: _sequence,
    tuple: _sequence,
    dict: _mapping,
}


def _encoder_of(value: object) -> Callable[[Any], bytes]:
    if isinstance(value, Mapping):
        return _mapping
    if isinstance(value, list | tuple):
        return _sequence
    kind = type(value)
    raise TypeError(f"canonical bytes are for plain data, not {kind.__module__}.{kind.__qualname__}")


def digest_of(value: Plain) -> str:
    """Digest of the canonical bytes of ``value``."""
    return digest_bytes(encode(value))
