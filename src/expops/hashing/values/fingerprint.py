"""The fingerprint of a value: 64 hexadecimal characters that equal values share."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from ..digest import digest_bytes
from .atoms import ATOMS
from .buffers import BufferDigests
from .graph import encode as encode_graph
from .node import CodeOf, Context, Refused
from .recursive import Encoder, TooDeep

# Deeper values, among them all with cycles, take the way that needs no recursion. A level is up to three frames.
_DEPTH: Final = 60


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
    with suppress(TooDeep, Refused, RecursionError):
        return digest_bytes(Encoder(context).encode(value, _DEPTH))
    return digest_bytes(encode_graph(value, context, name))
