"""All codecs: the first that a value is for writes it, and its name finds it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..errors import CannotStore, CorruptData
from .base import Codec, Encoded
from .ndarray import NdarrayCodec
from .pickled import PickleCodec
from .plain import PlainCodec

_PICKLE: Final = PickleCodec()
_SPECIAL: Final[tuple[Codec, ...]] = (PlainCodec(), NdarrayCodec())
_BY_NAME: Final[dict[str, Codec]] = {codec.name: codec for codec in (*_SPECIAL, _PICKLE)}


def names() -> tuple[str, ...]:
    """The names of all codecs, the one that takes every value last."""
    return tuple(_BY_NAME)


def encode(value: object, *, data_only: bool = False) -> Encoded:
    """Write ``value`` down, without copying large buffers; with ``data_only``, only if no code runs to read it.

    Raises :class:`~expops.errors.CannotStore`.
    """
    for codec in _SPECIAL:
        encoded = codec.encode(value)
        if encoded is not None:
            return encoded
    if data_only:
        kind = type(value)
        raise CannotStore(
            f"a {kind.__module__}.{kind.__qualname__}, or something in it, has to be pickled, which "
            "`experiment.cache.codecs: data-only` refuses; return numbers, text, containers of them, or NumPy arrays"
        )
    return _PICKLE.encode(value)


def decode(name: str, head: bytes, buffers: Sequence[memoryview]) -> object:
    """The value that codec ``name`` wrote, on the memory of ``buffers``, which must be writable and private.

    Raises :class:`~expops.errors.CorruptData` for an unknown codec, or a head or buffers that it did not write.
    """
    codec = _BY_NAME.get(name)
    if codec is None:
        known = ", ".join(_BY_NAME)
        raise CorruptData(f"no codec is called {name!r} (there are {known}); a newer expops may have written this")
    return codec.decode(head, buffers)
