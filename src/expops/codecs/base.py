"""The contract of a codec: a value becomes a small head and raw buffers, and comes back as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

Bytes: TypeAlias = bytes | bytearray | memoryview
# The codecs whose reading runs no code, whatever it is that they read.
DATA_ONLY: Final = frozenset({"plain", "ndarray"})


class Encoded(NamedTuple):
    """A value written down: which codec, its head, and its large contiguous buffers (not copied)."""

    codec: str
    head: bytes
    buffers: tuple[memoryview, ...] = ()


class Codec(Protocol):
    """One way to write values down. Stateless; ``name`` is part of every manifest that uses it."""

    name: str

    def encode(self, value: object) -> Encoded | None:
        """Write ``value`` down, or ``None`` if this codec is not for it.

        Raises :class:`~expops.errors.CannotStore` when the codec is for it, but it can't be written.
        """

    def decode(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """The value again, of the same type, equal and writable.

        ``buffers`` are writable and private; the value may keep them as its memory (zero copy).
        """
