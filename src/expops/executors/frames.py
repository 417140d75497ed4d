"""Frames between a pool and its workers: one byte of kind, eight of length, then the body.

Kept almost free of imports, because every worker pays for them before its first task.
"""

from __future__ import annotations

import os
from typing import Final

TASK: Final = 1
MESSAGE: Final = 2
RESULT: Final = 3
ERROR: Final = 4

HEADER: Final = 9
# A body from this size on isn't copied to go out in one write with its header.
_APART: Final = 1 << 16


def header(kind: int, length: int) -> bytes:
    """The bytes in front of a body of ``length`` bytes."""
    return bytes((kind,)) + length.to_bytes(8, "big")


def parse_header(data: bytes | bytearray) -> tuple[int, int]:
    """Kind and length that the first bytes of ``data`` tell."""
    return data[0], int.from_bytes(data[1:HEADER], "big")


def write(fd: int, kind: int, body: bytes) -> None:
    """Write a whole frame to a blocking descriptor. Raises ``OSError``."""
    head = header(kind, len(body))
    for part in (head, body) if len(body) >= _APART else (head + body,):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(fd, rest) :]


def read(fd: int) -> tuple[int, bytearray] | None:
    """Read a whole frame from a blocking descriptor; ``None`` at its end. Raises ``OSError``."""
    head = _read_exactly(fd, HEADER)
    if len(head) < HEADER:
        return None
    kind, length = parse_header(head)
    body = _read_exactly(fd, length)
    return None if len(body) < length else (kind, body)


def _read_exactly(fd: int, length: int) -> bytearray:
    """``length`` bytes, or fewer where the stream ends."""
    data = bytearray()
    while len(data) < length:
        piece = os.read(fd, min(length - len(data), 1 << 20))
        if not piece:
            break
        data += piece
    return data
