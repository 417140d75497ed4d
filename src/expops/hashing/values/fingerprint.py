"""The fingerprint of a value: 64 hexadecimal characters that equal values share.

The encoding of a part that is longer than a few words is replaced by its digest, and remembered for as long as
the value is being encoded: a part that is shared a thousand times is encoded once, and its fingerprint doesn't tell
whether it was shared or copied.
"""

from __future__ import annotations

from typing import Final

from ..digest import digest_bytes
from .atoms import ATOMS, SEALED_LENGTH, seal
from .buffers import BufferDigests
from .expand import expand
from .graph import encode as encode_graph
from .node import CodeOf, Context, Refused

# Deeper values, among them all with cycles, take the way that needs no recursion. A level is up to three frames.
_DEPTH: Final = 60


class _Elsewhere(Exception):
    """The value is too deep, or something in it must be refused with its path."""


class _Encoder:
    __slots__ = ("_alive", "_context", "_known")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[int, bytes] = {}
        self._alive: list[object] = []

    def encode(self, value: object, depth: int) -> bytes:
        atom = ATOMS.get(type(value))
        if atom is not None:
            return atom(value)
        known = self._known.get(id(value))
        if known is not None:
            return known
        if not depth:
            raise _Elsewhere
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


def fingerprint(
    value: object,
    *,
    digests: BufferDigests | None = None,
    code_of: CodeOf | None = None,
    name: str = "value",
) -> str:
    """Identity of ``value``: equal for equal values, in every process, Python version and under every hash seed.

    Types count (``1``, ``1.0`` and ``True`` differ), so do shapes, dtypes and the order of lists, tuples and
    dicts; the order of sets, the memory layout of arrays and frames, and which parts are shared do not. NaN
    equals NaN (in arrays if their bits do), and ``-0.0`` differs from ``0.0``.

    ``digests`` are recalled, and added to, for large buffers. ``code_of`` gives the fingerprint of the code of a
    function, class or module of the project, and ``None`` for others, which count by name. ``name`` is what
    messages call the value. Raises :class:`CannotFingerprint` with the path to the part that has no identity.
    """
    atom = ATOMS.get(type(value))
    if atom is not None:
        return digest_bytes(atom(value))
    context = Context(BufferDigests() if digests is None else digests, code_of)
    try:
        encoding = _Encoder(context).encode(value, _DEPTH)
    except (_Elsewhere, Refused, RecursionError):
        encoding = encode_graph(value, context, name)
    return digest_bytes(encoding)
