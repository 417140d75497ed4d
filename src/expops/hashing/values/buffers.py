"""Digests of large buffers, computed once although both the fingerprint and the blob store ask for them."""

from __future__ import annotations

import sys
from typing import Final

from ..digest import digest_bytes

# Below this size, looking a buffer up costs about as much as hashing it.
_REMEMBER_FROM: Final = 1 << 14


class BufferDigests:
    """Remembers the digests of buffers by address and size, and keeps the buffers alive.

    Use one for one record operation only: it does not see that a buffer's bytes change.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[str, memoryview]] = {}

    def of(self, view: memoryview) -> str:
        """Digest of the bytes of a C-contiguous ``view``; equals :func:`digest_bytes` of it."""
        size = view.nbytes
        # Only NumPy tells the address of a read-only buffer cheaply, and without it nobody shares large ones.
        numpy = sys.modules.get("numpy") if size >= _REMEMBER_FROM else None
        if numpy is None:
            return digest_bytes(view)
        flat = view.cast("B")
        key = (numpy.frombuffer(flat, numpy.uint8).__array_interface__["data"][0], size)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (digest_bytes(flat), flat)
        return known[0]
