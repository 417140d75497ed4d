"""Canonical bytes of plain structured data: what keys are made of.

Every item is written as a tag, its length, and its bytes, so that no two different structures share an
encoding: ``["ab", "c"]`` and ``["a", "bc"]`` differ, and so do ``1``, ``1.0``, ``True`` and ``"1"``.
Mappings are written in the order of their keys, since a key's fields have no order of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from .digest import digest_bytes

Plain: TypeAlias = "bool | int | float | str | bytes | Sequence[Plain] | Mapping[str, Plain] | None"


def _item(tag: bytes, body: bytes) -> bytes:
    return b"%b%d:%b" % (tag, len(body), body)


def encode(value: Plain) -> bytes:
    """Canonical bytes of ``value``.

    Raises ``TypeError`` for anything that is not plain data: keys hold fingerprints of values, not values.
    """
    kind = type(value)
    if kind is str:
        body = value.encode("utf-8", "surrogatepass")  # type: ignore[union-attr]
        return b"s%d:%b" % (len(body), body)
    if value is None:
        return b"n0:"
    if kind is bool:
        return b"b1:1" if value else b"b1:0"
    if kind is int:
        return _item(b"i", format(value, "x").encode())  # type: ignore[arg-type]
    if kind is float:
        return _item(b"f", struct.pack("<d", value))
    if kind is bytes:
        return _item(b"y", value)  # type: ignore[arg-type]
    if isinstance(value, Mapping):
        parts = [encode(key) + encode(value[key]) for key in sorted(value)]
        return _item(b"m%d," % len(parts), b"".join(parts))
    if isinstance(value, list | tuple):
        return _item(b"l%d," % len(value), b"".join([encode(part) for part in value]))
    raise TypeError(f"canonical bytes are for plain data, not {kind.__module__}.{kind.__qualname__}")


def digest_of(value: Plain) -> str:
    """Digest of the canonical bytes of ``value``."""
    return digest_bytes(encode(value))
