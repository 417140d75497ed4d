"""Encodings of shallow values without cycles: the fast way, one recursive call a part.

The encoding of a part that is longer than a few words is replaced by its digest, and remembered for as long as
the value is being encoded: a part that is shared a thousand times is encoded once, and its fingerprint doesn't tell
whether it was shared or copied.
"""

from __future__ import annotations

from .atoms import ATOMS, SEALED_LENGTH, seal
from .expand import expand
from .node import Context


class TooDeep(Exception):
    """The value is deeper than it may be here, or has a cycle."""


class Encoder:
    """Encodes values that may share parts; use one for one fingerprint."""

    __slots__ = ("_alive", "_context", "_known")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[int, bytes] = {}
        self._alive: list[object] = []

    def encode(self, value: object, depth: int) -> bytes:
        """The encoding of ``value``, at most ``depth`` levels deep. Raises :class:`TooDeep` and ``Refused``."""
        atom = ATOMS.get(type(value))
        if atom is not None:
            return atom(value)
        known = self._known.get(id(value))
        if known is not None:
            return known
        if not depth:
            raise TooDeep
        parts = expand(value, self._context)
        if isinstance(parts, bytes):
            encoding = parts
        else:
            tag, children, ordered, _ = parts
            depth -= 1
            encodings = [self.encode(child, depth) for child in children]
            if not ordered:
                encodings.sort()
            encoding = seal(tag + b"".join(encodings))
        if len(encoding) == SEALED_LENGTH or isinstance(value, type):
            # Alive, since a part may have been made for this and another may get its address.
            self._known[id(value)] = encoding
            self._alive.append(value)
        return encoding
