"""What every stored value must be when it comes back."""

from __future__ import annotations

from typing import Any

from expops.codecs.base import Encoded
from expops.codecs.registry import decode, encode


def written(encoded: Encoded) -> tuple[str, bytes, list[memoryview]]:
    """As a cache keeps it: copies, in writable private memory."""
    return encoded.codec, bytes(encoded.head), [memoryview(bytearray(buffer)) for buffer in encoded.buffers]


def round_trip(value: object) -> Any:
    return decode(*written(encode(value)))
