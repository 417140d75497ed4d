"""BLAKE3 digests: the only module that knows the hash library.

A digest is a lower-case hexadecimal string of 64 characters (32 bytes).
"""

from __future__ import annotations

import os
from typing import Final, TypeAlias

from blake3 import blake3

Bytes: TypeAlias = bytes | bytearray | memoryview

DIGEST_LENGTH: Final = 64
# Below this size, starting threads costs more than they save (measured: about 1 MiB on two cores).
_PARALLEL_FROM: Final = 1 << 20
_CHUNK: Final = 1 << 20


def digest_bytes(data: Bytes) -> str:
    """Digest of a contiguous buffer."""
    view = data if type(data) is bytes else memoryview(data).cast("B")
    if len(view) < _PARALLEL_FROM:
        return blake3(view).hexdigest()
    return blake3(view, max_threads=blake3.AUTO).hexdigest()


def digest_file(path: str | os.PathLike[str]) -> str:
    """Digest of a file's content; equals :func:`digest_bytes` of its bytes. Raises ``OSError``."""
    hasher = blake3(max_threads=blake3.AUTO)
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


class Digester:
    """A digest of bytes that arrive in pieces."""

    __slots__ = ("_hasher",)

    def __init__(self) -> None:
        self._hasher = blake3()

    def update(self, data: Bytes) -> None:
        """Append ``data``."""
        self._hasher.update(data)

    def hexdigest(self) -> str:
        """Digest of all that was appended so far."""
        return self._hasher.hexdigest()
