"""A record as the bytes of an object: with its key, so that it can't stand for another, and a digest of all.

::

    XR1\\n            format
    16 bytes         the beginning of the BLAKE3 digest of what follows
    16 bytes         drawn by the writer, who knows its own write again by it
    8 bytes          when the record expires, in seconds since the epoch (float64, little-endian); 0 for never
    4 bytes          length of the key
    key, value
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from ..hashing.digest import digest_bytes

_FORMAT: Final = b"XR1\n"
_SEAL: Final = 16
MARK: Final = 16
_HEAD: Final = struct.Struct(f"<{MARK}sdI")


class Record(NamedTuple):
    """What an object holds; ``expires`` is 0 for never."""

    key: str
    value: bytes
    expires: float
    mark: bytes


def pack(record: Record) -> bytes:
    """The bytes of the object."""
    name = record.key.encode("utf-8", "surrogatepass")
    body = _HEAD.pack(record.mark, record.expires, len(name)) + name + record.value
    return _FORMAT + _seal(body) + body


def unpack(data: bytes) -> Record | None:
    """The record again; ``None`` for bytes that :func:`pack` has not written."""
    start = len(_FORMAT) + _SEAL
    body = data[start:]
    if len(body) < _HEAD.size or data[:start] != _FORMAT + _seal(body):
        return None
    mark, expires, length = _HEAD.unpack_from(body)
    end = _HEAD.size + length
    try:
        key = body[_HEAD.size : end].decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None  # the digest is sound, and anybody can have worked it out
    return Record(key, body[end:], expires, mark) if end <= len(body) else None


def _seal(body: bytes) -> bytes:
    return bytes.fromhex(digest_bytes(body))[:_SEAL]
