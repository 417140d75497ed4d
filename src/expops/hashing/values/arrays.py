"""Rules for NumPy. Imported only once a NumPy value has been met."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ..digest import digest_bytes
from .node import Context, Node, Rule, attributes, node
from .objects import reduced

_SMALL: Final = 4096


def raw(array: Any) -> memoryview | None:
    """The memory of a contiguous array without objects, in its order, or ``None`` if it is not contiguous."""
    if array.size == 0 or array.itemsize == 0:
        return memoryview(b"")
    if not array.flags.forc:
        return None
    flat = array if array.flags.c_contiguous else array.T
    return memoryview(np.asarray(flat).reshape(-1).view(np.uint8))


def _content(array: Any, context: Context) -> str:
    """Digest of the elements in C order, whatever the memory order."""
    if array.nbytes <= _SMALL:
        return digest_bytes(array.tobytes())
    if not array.flags.c_contiguous:
        # The copy is gone afterwards, so its address must not be remembered.
        return digest_bytes(memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8)))
    view = raw(array)
    assert view is not None
    return context.digests.of(view)


def dtype(value: Any, context: Context) -> Node:
    """A dtype: its kind, size and byte order, and its fields with their places."""
    if value.char == "T":
        return node("dtype", ["T", getattr(value, "na_object", None), hasattr(value, "na_object"), value.coerce])
    metadata = dict(value.metadata) if value.metadata else None
    if value.names is None:
        shape = value.subdtype and (value.subdtype[0], value.shape)
        # Types that others add to NumPy say no more in ``str`` than their size.
        return node("dtype", [value.str if value.kind != "V" else (value.str, value.name), shape, metadata])
    fields = [(name, *value.fields[name]) for name in value.names]
    return node("dtype", [value.type.__name__, value.itemsize, fields, metadata])


def _padded(value: Any) -> bool:
    """Whether the elements hold bytes that belong to no field: they are whatever was there before."""
    if value.subdtype is not None:
        return _padded(value.base)
    if value.names is None:
        return False
    parts = [value.fields[name][0] for name in value.names]
    return sum(part.itemsize for part in parts) != value.itemsize or any(map(_padded, parts))


def elements(array: Any, context: Context) -> object:
    """What stands for the elements of a base-class array: a digest, or values where there are objects."""
    if array.dtype.names is not None and (array.dtype.hasobject or _padded(array.dtype)):
        names = array.dtype.names
        return node("fields", [np.asarray(array[name]) for name in names], [f"[{name!r}]" for name in names])
    if array.dtype.hasobject:
        return array.ravel().tolist()
    return _content(array, context)


def ndarray(value: Any, context: Context) -> Node:
    """An array: class, dtype, shape, and elements in C order. Memory order and strides do not count."""
    if type(value) is np.ndarray:
        return node("ndarray", [_dtype_text(value.dtype), value.shape, elements(value, context)])
    base = value.view(np.ndarray)
    # Where a memory map comes from is no part of what it holds.
    state = {} if isinstance(value, np.memmap) else getattr(value, "__dict__", {})
    return node("array class", [type(value), base, attributes(state)], ["", "", ""])


def _dtype_text(value: Any) -> object:
    """A dtype as cheaply as can be: most are told by their text."""
    return value.str if value.kind not in "VT" and not value.metadata else value


def _masked(value: Any, context: Context) -> Node:
    parts = [type(value), value.data, np.ma.getmaskarray(value), value.fill_value, value.hardmask]
    return node("masked", parts, ["", ".data", ".mask", ".fill_value", ""])


def _scalar(value: Any, context: Context) -> Node:
    if value.dtype.hasobject:
        return reduced(value, context)
    if value.dtype.names is None and value.dtype.kind in "fc" and value != value:
        value = _one_nan(value)
    kind = None if type(value) is value.dtype.type else type(value)
    return node("scalar", [kind, np.asarray(value)])


def _one_nan(value: Any) -> Any:
    """A NaN scalar without sign and payload."""
    if value.dtype.kind == "f":
        return value.dtype.type("nan")
    parts = [float(part) if part == part else float("nan") for part in (value.real, value.imag)]
    return value.dtype.type(complex(*parts))


RULES: Final[dict[type, Rule]] = {
    np.ndarray: ndarray,
    np.ma.MaskedArray: _masked,
    np.dtype: dtype,
    np.generic: _scalar,
}
