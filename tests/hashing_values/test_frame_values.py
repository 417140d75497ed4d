"""Fingerprints of pandas and Arrow values, SciPy matrices, scikit-learn estimators and Matplotlib figures."""

from __future__ import annotations

import copy
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import value_strategies as vs
from expops.hashing.values import fingerprint


@settings(max_examples=40)
@given(vs.frames)
def test_a_copied_frame_has_the_same_fingerprint(frame: pd.DataFrame) -> None:
    assert fingerprint(frame.copy()) == fingerprint(frame)
    assert fingerprint(copy.deepcopy(frame)) == fingerprint(frame)


@settings(max_examples=40)
@given(vs.frames)
def test_blocks_do_not_count(frame: pd.DataFrame) -> None:
    apart = pd.DataFrame({name: frame[name].copy() for name in frame.columns}, index=frame.index, columns=frame.columns)
    apart.attrs = dict(frame.attrs)
    assert fingerprint(apart) == fingerprint(frame)


def test_a_frame_in_one_block_equals_one_in_many() -> None:
    table = np.arange(3000.0).reshape(1000, 3)
    one = pd.DataFrame(table, columns=list("abc"))
    many = pd.DataFrame({name: table[:, index].copy() for index, name in enumerate("abc")})
    many.columns = one.columns
    transposed = pd.DataFrame(np.asfortranarray(table), columns=list("abc"))
    assert fingerprint(one) == fingerprint(many) == fingerprint(transposed)


BASE: dict[str, Any] = {"a": [1, 2], "b": pd.Series(["x", None], dtype=object), "c": [0.5, float("nan")]}


def changed(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({**BASE, **columns})


def with_attrs() -> pd.DataFrame:
    frame = changed()
    frame.attrs["source"] = "x"
    return frame


@pytest.mark.parametrize(
    "different",
    [
        [
            changed(),
            changed(a=[1, 3]),
            changed(a=[1.0, 2.0]),
            changed(b=["x", "y"]),
            changed(b=pd.Series(["x", None], dtype="string")),
            changed(b=pd.Series(["x", float("nan")], dtype=object)),
            changed(b=pd.Series(["x", None], dtype="category")),
            changed(c=[0.5, 1]),
            changed().rename(columns={"a": "z"}),
            changed()[["b", "a", "c"]],
            changed().set_axis([5, 6]),
            changed().set_axis([0, 1]),
            changed().set_axis(["0", "1"]),
            changed().rename_axis("name"),
            changed().rename_axis("name", axis=1),
            changed().iloc[:1],
            changed().set_flags(allows_duplicate_labels=False),
            with_attrs(),
        ],
        [
            pd.Series([1, 2]),
            pd.Series([1, 2], name="x"),
            pd.Series([1, 2], dtype="Int64"),
            pd.Series([1, None], dtype="Int64"),
            pd.Series([1, 2], dtype="int64[pyarrow]"),
            pd.Index([1, 2]),
            pd.DataFrame([1, 2]),
        ],
        [
            pd.RangeIndex(3),
            pd.Index([0, 1, 2]),
            pd.Index([0, 1, 2], name="x"),
            pd.RangeIndex(3, name="x"),
            pd.MultiIndex.from_tuples([(0,), (1,), (2,)]),
            pd.CategoricalIndex([0, 1, 2]),
            pd.interval_range(0, 3),
            pd.Index([0, 1, 2], dtype=object),
        ],
        [
            pd.MultiIndex.from_product([[1, 2], ["a"]]),
            pd.MultiIndex.from_product([[1, 2], ["a"]], names=["x", "y"]),
            pd.MultiIndex.from_product([[1, 2, 3], ["a"]])[:2],
        ],
        [
            pd.date_range("2020", periods=3),
            pd.DatetimeIndex(list(pd.date_range("2020", periods=3))),
            pd.date_range("2020", periods=3, tz="UTC"),
            pd.date_range("2020", periods=3, tz="Europe/Paris"),
            pd.period_range("2020", periods=3, freq="D"),
            pd.timedelta_range("1D", periods=3),
        ],
        [
            pd.Categorical(["a", "b"]),
            pd.Categorical(["a", "b"], ordered=True),
            pd.Categorical(["a", "b"], categories=["b", "a"]),
            pd.Categorical(["a", "b"], categories=["a", "b", "c"]),
            pd.CategoricalDtype(["a", "b"]),
        ],
        [
            pd.array(["a", None], dtype="string[python]"),
            pd.array(["a", None], dtype="string[pyarrow]"),
            pd.array(["a", None], dtype="str"),
            pd.arrays.SparseArray([0, 1]),
            pd.arrays.SparseArray([0, 1], fill_value=1),
        ],
        [
            pd.Timestamp("2020"),
            pd.Timestamp("2020", tz="UTC"),
            pd.Timedelta(1),
            pd.Period("2020"),
            pd.Period("2020", "M"),
        ],
        [
            pd.NaT,
            pd.NA,
            None,
            float("nan"),
            np.datetime64("NaT", "s"),
            pd.Interval(0, 1),
            pd.Interval(0, 1, closed="left"),
        ],
    ],
    ids=lambda group: type(group[0]).__name__,
)
def test_different_pandas_values_have_different_fingerprints(different: list[object]) -> None:
    assert len({fingerprint(value) for value in different}) == len(different)
    assert [fingerprint(copy.deepcopy(value)) for value in different] == [fingerprint(value) for value in different]


def test_what_lies_below_a_mask_does_not_count() -> None:
    def masked(below: int) -> Any:
        return pd.arrays.IntegerArray(np.array([1, below]), np.array([False, True]))

    assert fingerprint(masked(5)) == fingerprint(masked(6))


def test_what_pandas_has_looked_up_before_does_not_count() -> None:
    frame = pd.DataFrame({"a": range(5)}, index=pd.Index(list("abcde")))
    before = fingerprint(frame)
    assert frame.index.is_unique
    assert frame.loc["c", "a"] == 2
    assert frame["a"].index.get_loc("d") == 3
    assert fingerprint(frame) == before


@given(st.lists(st.none() | st.text(max_size=3) | st.floats() | st.integers(0, 3), max_size=40))
def test_columns_of_mixed_objects_tell_missing_values_apart(items: list[Any]) -> None:
    column = pd.Series(items, dtype=object)
    assert fingerprint(column) == fingerprint(pd.Series(copy.deepcopy(items), dtype=object))
    for index, item in enumerate(items):
        if item is None:
            other = column.copy()
            other.iloc[index] = float("nan")
            assert fingerprint(other) != fingerprint(column)


class Panel(pd.DataFrame):
    _metadata = ("unit",)

    @property
    def _constructor(self) -> type:
        return Panel


def test_a_subclass_counts_with_its_declared_attributes() -> None:
    one, other = Panel({"a": [1]}), Panel({"a": [1]})
    one.unit = other.unit = "m"
    assert fingerprint(one) == fingerprint(other) != fingerprint(pd.DataFrame({"a": [1]}))
    other.unit = "s"
    assert fingerprint(one) != fingerprint(other)


ITEMS: list[tuple[Any, list[Any]]] = [
    (pa.int32(), [1, None, 3, 4]),
    (pa.float64(), [1.0, None, float("nan"), -0.0]),
    (pa.bool_(), [True, None, False, True]),
    (pa.string(), ["a", None, "", "bcd"]),
    (pa.large_binary(), [b"a", None, b"", b"bcd"]),
    (pa.string_view(), ["a", None, "", "a long enough text"]),
    (pa.binary(2), [b"ab", None, b"cd", b"ef"]),
    (pa.timestamp("us", "UTC"), [1, None, 3, 4]),
    (pa.decimal128(5, 2), [decimal.Decimal("1.25"), None, decimal.Decimal("3.00"), decimal.Decimal("4.00")]),
    (pa.list_(pa.int64()), [[1, None], None, [], [4]]),
    (pa.list_(pa.int64(), 2), [[1, 2], None, [3, 4], [5, None]]),
    (
        pa.struct({"x": pa.int8(), "y": pa.string()}),
        [
            {"x": 1, "y": None},
            None,
            {"x": 3, "y": "c"},
            {"x": 4, "y": ""},
        ],
    ),
    (pa.map_(pa.string(), pa.int64()), [[("a", 1)], None, [], [("b", None)]]),
    (pa.dictionary(pa.int8(), pa.string()), ["a", None, "a", "b"]),
    (pa.null(), [None, None, None, None]),
]


@pytest.mark.parametrize(("kind", "items"), ITEMS, ids=[str(kind) for kind, _ in ITEMS])
def test_chunks_and_offsets_of_arrow_arrays_do_not_count(kind: Any, items: list[Any]) -> None:
    whole = pa.array(items, kind)
    padded = pa.array([items[2], items[0], *items, items[3]], kind).slice(2, 4)
    chunked = pa.chunked_array([pa.array(items[:1], kind), pa.array(items[1:], kind)])
    if not pa.types.is_dictionary(kind):
        assert fingerprint(padded) == fingerprint(whole)
    assert fingerprint(pa.table({"x": chunked})) == fingerprint(pa.table({"x": whole}))
    assert fingerprint(chunked.slice(1)) == fingerprint(pa.chunked_array([whole.slice(1)]))
    others = [items[::-1], items[:3], [*items[:3], None], [*items[:3], items[0]]]
    prints = {fingerprint(pa.array(other, kind)) for other in (items, *others)}
    assert len(prints) == len({repr(pa.array(other, kind).to_pylist()) for other in (items, *others)})


def test_arrow_types_and_schemas_count() -> None:
    array = pa.array([1, 2])
    tables = [
        pa.table({"x": array}),
        pa.table({"y": array}),
        pa.table({"x": array.cast(pa.int32())}),
        pa.table({"x": array}).replace_schema_metadata({"k": "v"}),
        pa.record_batch({"x": array}),
        pa.table({}),
    ]
    values: list[object] = [*tables, array, pa.chunked_array([array]), pa.scalar(1), pa.int64(), tables[0].schema]
    assert len({fingerprint(value) for value in values}) == len(values)


def test_nulls_count_by_being_null_and_not_by_what_lies_below() -> None:
    valid = pa.array([True, False]).buffers()[1]
    one, other = (pa.Array.from_buffers(pa.int64(), 2, [valid, pa.py_buffer(np.array([1, n]))]) for n in (5, 6))
    assert fingerprint(one) == fingerprint(other) != fingerprint(pa.array([1, 5]))


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("suffix", ["array", "matrix"])
def test_sparse_matrices(kind: str, suffix: str) -> None:
    def made(seed: int) -> Any:
        dense = np.random.default_rng(seed).random((8, 8))
        return getattr(sp, f"{kind}_{suffix}")(np.where(dense < 0.3, dense, 0))

    assert fingerprint(made(1)) == fingerprint(made(1)) != fingerprint(made(2))
    looked_at = made(1)
    if kind in ("csr", "csc"):
        assert looked_at.has_sorted_indices
        assert looked_at.has_canonical_format
    assert fingerprint(looked_at) == fingerprint(made(1))
    assert fingerprint(copy.deepcopy(looked_at)) == fingerprint(looked_at)


def test_estimators_count_by_parameters_and_what_they_learnt() -> None:
    draws = np.random.default_rng(0)
    features, labels = draws.random((60, 3)), draws.integers(0, 2, 60)
    for make in (LogisticRegression, lambda **other: RandomForestClassifier(3, random_state=0, **other)):
        fresh, fitted, again = make(), make().fit(features, labels), make().fit(features, labels)
        assert fingerprint(fitted) == fingerprint(again) == fingerprint(copy.deepcopy(fitted))
        assert fingerprint(fitted) != fingerprint(fresh)
        assert fingerprint(make(n_jobs=1)) != fingerprint(make(n_jobs=2))
        assert fingerprint(fitted) != fingerprint(make().fit(features[:-1], labels[:-1]))


def test_the_address_that_a_vectorizer_keeps_does_not_count() -> None:
    def vectorizer() -> CountVectorizer:
        made = CountVectorizer(stop_words=["the", "a"])
        made.fit_transform(["the cat", "a dog"])
        return made

    one, other = vectorizer(), vectorizer()
    assert one._stop_words_id != other._stop_words_id
    assert fingerprint(one) == fingerprint(other)


def test_taking_a_figure_apart_does_not_change_it() -> None:
    figure = Figure()
    line = figure.subplots().plot([1, 2, 3])[0]
    before = fingerprint(figure)
    assert fingerprint(figure) == before
    line.set_ydata([1, 2, 4])
    assert fingerprint(figure) != before
