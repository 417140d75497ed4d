"""Hypothesis strategies for values that steps take and return, shared by the tests of fingerprints and codecs."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.extra import pandas as hpd

Pair = namedtuple("Pair", "left right")


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


@dataclasses.dataclass
class Record:
    name: str
    weights: Any
    extra: Any = None


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left: Any, right: Any) -> None:
        self.left, self.right = left, right


class Tagged(list):
    """A list with an attribute of its own."""

    tag: Any = None


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(codec=None), max_size=8)
    | st.sampled_from(["\ud800", "\ud83d\ude00", "\U0001f600", "", "\0", "é"])
    | st.binary(max_size=8)
)
hashables = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=4
)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(hashables, inner, max_size=4)
        | st.sets(hashables, max_size=4)
        | st.frozensets(hashables, max_size=4)
    ),
    max_leaves=12,
)
long_lists = st.one_of(
    [
        st.lists(part, min_size=16, max_size=300)
        for part in (
            st.floats(),
            st.integers(),
            st.integers(-9, 9),
            st.booleans(),
            st.text(max_size=4),
            st.text(max_size=4) | st.none() | st.floats(),
        )
    ]
)

# Of NumPy 2 and newer.
variable_strings = (
    [np.array(items, dtype=np.dtypes.StringDType()) for items in (["a", "b"], ["a", "c"])]
    if hasattr(np.dtypes, "StringDType")
    else []
)


def _tagged(items: list[Any], tag: Any) -> Tagged:
    made = Tagged(items)
    made.tag = tag
    return made


def objects_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects of classes of the standard library and of this module, made of ``inner``."""
    lists = st.lists(inner, max_size=3)
    return st.one_of(
        st.builds(Record, st.text(max_size=3), inner, inner),
        st.builds(Slotted, inner, inner),
        st.builds(Pair, inner, inner),
        st.builds(_tagged, lists, inner),
        lists.map(deque),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(OrderedDict),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(lambda items: defaultdict(list, items)),
        st.text(max_size=5).map(Counter),
    )


stdlib_scalars = st.one_of(
    st.sampled_from(Colour),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.times(),
    st.timedeltas(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.sampled_from([datetime.UTC, range(3), slice(1, 2), ..., NotImplemented]),
)
dtypes = hnp.scalar_dtypes() | hnp.unicode_string_dtypes(max_len=3) | hnp.byte_string_dtypes(max_len=3)
arrays = hnp.arrays(
    st.one_of(dtypes, hnp.array_dtypes(dtypes, max_size=3, allow_subarrays=True)),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
layouts = st.sampled_from([np.ascontiguousarray, np.asfortranarray, np.transpose, lambda array: array[..., ::-1]])


def laid_out(array: np.ndarray, layout: Any) -> np.ndarray:
    """``array`` in another memory order, or a view that is not contiguous."""
    return layout(array) if array.ndim else array


any_arrays = st.builds(laid_out, arrays, layouts)
columns = [
    hpd.column("floats", dtype=float),
    hpd.column("ints", dtype="int32"),
    hpd.column("flags", dtype=bool),
    hpd.column("times", dtype="datetime64[ns]"),
    hpd.column("texts", elements=st.text(max_size=3) | st.none(), dtype=object),
]
indexes = st.one_of(hpd.range_indexes(max_size=5), hpd.indexes(dtype="int64", max_size=5))
plain_frames = hpd.data_frames(columns, index=indexes)


def _dressed(frame: pd.DataFrame, text: str, attrs: dict[str, Any]) -> pd.DataFrame:
    dressed = frame.assign(texts=frame["texts"].astype(text))
    dressed.attrs = attrs
    return dressed


frames = st.builds(
    _dressed,
    plain_frames,
    st.sampled_from([object, "str", "string", "category"]),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
values = st.recursive(
    plain | stdlib_scalars | any_arrays | long_lists,
    lambda inner: (
        objects_of(inner) | st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
