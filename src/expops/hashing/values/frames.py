"""Rules for pandas. Imported only once a pandas value has been met."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from .node import Context, Node, Rule, attributes, node, shown
from .objects import reduced


def _extras(value: Any) -> Node:
    """The attributes that a subclass of a frame or series declares as its own."""
    names = [name for name in value._metadata if name != "_name"]  # noqa: SLF001  the documented hook for subclasses
    return attributes({name: getattr(value, name, None) for name in names})


def _frame(value: Any, context: Context) -> Node:
    """A frame, column by column: whether columns share a block of memory does not count."""
    columns = list(value._iter_column_arrays())  # noqa: SLF001  the public ways build a Series for each column
    head = [type(value), value.columns, value.index, value.attrs, value.flags.allows_duplicate_labels, _extras(value)]
    labels = ["", ".columns", ".index", ".attrs", "", ""]

    def label(index: int) -> str:
        return labels[index] if index < len(labels) else f"[{shown(value.columns[index - len(labels)])}]"

    return node("frame", [*head, *columns], label)


def _series(value: Any, context: Context) -> Node:
    parts = [type(value), value.name, value.index, value.attrs, value.flags.allows_duplicate_labels, _extras(value)]
    labels = ["", ".name", ".index", ".attrs", "", "", ""]
    return node("series", [*parts, _array_of(value)], labels)


def _array_of(value: Any) -> Any:
    """The array below a series or index, not wrapped where it is NumPy's."""
    array = value.array
    return array.to_numpy() if isinstance(array, pd.arrays.NumpyExtensionArray) else array


def _index(value: Any, context: Context) -> Node:
    parts = [type(value), value.name, getattr(value, "freqstr", None), _array_of(value)]
    return node("index", parts, ["", ".name", "", ""])


def _range_index(value: Any, context: Context) -> Node:
    return node("range index", [type(value), value.name, value.start, value.stop, value.step])


def _multi_index(value: Any, context: Context) -> Node:
    """Levels and codes, since unused levels can be seen and grouped by."""
    parts = [type(value), tuple(value.names), list(value.levels), [np.asarray(codes) for codes in value.codes]]
    return node("multi index", parts, ["", ".names", ".levels", ".codes"])


def _dtype(value: Any, context: Context) -> Node:
    """An extension dtype, by what its class declares to tell two of them apart."""
    names = value._metadata  # noqa: SLF001  part of the interface of extension dtypes
    if not names:
        return node("extension dtype", [type(value), str(value)])
    return node("extension dtype", [type(value), str(value), [getattr(value, name) for name in names]])


def _masked(value: Any) -> Node:
    """Values and mask; what lies below the mask is whatever was there before."""
    data, mask = value._data, value._mask  # noqa: SLF001  the only ways to them that copy nothing
    if mask.any():
        data = data.copy()
        data[mask] = data.dtype.type()
    return node("masked extension array", [type(value), value.dtype, data, mask])


def _extension_array(value: Any, context: Context) -> Node:
    if hasattr(value, "_pa_array"):
        return node("arrow extension array", [type(value), value.dtype, value._pa_array], ["", "", ""])  # noqa: SLF001
    if hasattr(value, "_mask") and hasattr(value, "_data"):
        return _masked(value)
    if isinstance(value, pd.Categorical):
        return node("categorical", [type(value), value.codes, value.categories, value.ordered])
    if hasattr(value, "_ndarray"):
        return node("extension array", [type(value), value.dtype, value._ndarray], ["", "", ""])  # noqa: SLF001
    return reduced(value, context)


RULES: Final[dict[type, Rule]] = {
    pd.DataFrame: _frame,
    pd.Series: _series,
    pd.Index: _index,
    pd.RangeIndex: _range_index,
    pd.MultiIndex: _multi_index,
    pd.api.extensions.ExtensionDtype: _dtype,
    pd.api.extensions.ExtensionArray: _extension_array,
}
