"""What was written comes back equal, of the same type, and writable."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from codec_checks import round_trip
from hypothesis import given, settings
from sklearn.ensemble import RandomForestClassifier

import value_strategies as vs
from expops.codecs.registry import encode
from expops.hashing.values import BufferDigests, fingerprint


@given(vs.plain | vs.long_lists)
def test_plain_data(value: object) -> None:
    assert encode(value).codec == "plain" or value is None or encode(value).codec == "pickle"
    assert fingerprint(round_trip(value)) == fingerprint(value)


@given(vs.values)
def test_objects_of_all_kinds(value: object) -> None:
    back = round_trip(value)
    assert type(back) is type(value)
    assert fingerprint(back) == fingerprint(value)


@given(vs.any_arrays)
def test_arrays(array: np.ndarray) -> None:
    assert encode(array).codec == "ndarray"
    back = round_trip(array)
    assert type(back) is np.ndarray
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable
    assert back.flags.aligned
    if array.flags.forc:
        assert (back.flags.c_contiguous, back.flags.f_contiguous) == (
            array.flags.c_contiguous,
            array.flags.f_contiguous,
        )


@given(vs.arrays)
def test_scalars_of_numpy(array: np.ndarray) -> None:
    for scalar in array.reshape(-1)[:2]:
        back = round_trip(scalar)
        assert type(back) is type(scalar)
        assert fingerprint(back) == fingerprint(scalar)


@settings(max_examples=40)
@given(vs.frames)
def test_frames(frame: pd.DataFrame) -> None:
    back = round_trip(frame)
    pd.testing.assert_frame_equal(back, frame, check_freq=True)
    assert back.dtypes.tolist() == frame.dtypes.tolist()
    assert type(back.index) is type(frame.index)
    assert back.attrs == frame.attrs
    assert fingerprint(back) == fingerprint(frame)
    if len(back):
        back.iloc[0, 1] = 7
        assert back.iloc[0, 1] == 7


def test_arrays_inside_other_values_come_back_writable() -> None:
    model = RandomForestClassifier(3, random_state=0).fit(np.arange(4000.0).reshape(1000, 4), [0, 1] * 500)
    value = {
        "large": np.zeros(10_000),
        "small": np.zeros(3),
        "fortran": np.zeros((100, 100), order="F"),
        "model": model,
    }
    back = round_trip(value)
    for name in ("large", "small", "fortran"):
        back[name][...] = 5
        assert back[name].sum() == 5 * back[name].size
    assert back["fortran"].flags.f_contiguous
    assert back["model"].predict([[0.0, 1.0, 2.0, 3.0]]) == model.predict([[0.0, 1.0, 2.0, 3.0]])


def test_large_frames_come_back_writable_and_in_their_blocks() -> None:
    frame = pd.DataFrame(np.zeros((5000, 3)), columns=list("abc")).assign(n=range(5000), text="x")
    back = round_trip(frame)
    back.loc[3, "a"] = 1.5
    back.loc[3, "text"] = "y"
    back["n"] += 1
    back["n"] *= 2
    assert back.loc[3].tolist() == [1.5, 0.0, 0.0, 8, "y"]
    assert frame["a"].sum() == 0
    series = round_trip(frame["b"])
    series.iloc[0] = 2.5
    assert series.sum() == 2.5


def test_what_is_written_into_a_decoded_value_does_not_reach_the_original() -> None:
    for original in (np.zeros(5000), {"x": np.zeros(5000)}):
        before = fingerprint(original)
        back = round_trip(original)
        (back["x"] if isinstance(back, dict) else back)[:] = 1
        assert fingerprint(original) == before


OTHERS: list[Any] = [
    pa.table({"a": [1, None], "b": ["x", None]}),
    sp.csr_array(np.eye(50)),
    np.random.default_rng(3),
    np.ma.array([1, 2], mask=[0, 1]),
    np.array([1, "a", None], dtype=object),
    *vs.variable_strings,
    np.rec.array([(1, 2.0)], names="a,b"),
    np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    np.zeros(3, np.dtype([(("title", "a"), "i1"), ("b", "f8", (2,))])),
    pd.MultiIndex.from_product([[1, 2, 3], ["a"]])[:2],
    pd.Series(pd.array([1, None], dtype="Int64"), name=("a", 1)),
    pd.date_range("2020", periods=3, tz="Europe/Paris"),
    pd.Categorical(["a", "b"], categories=["b", "a", "c"], ordered=True),
    pd.DataFrame({"a": []}),
    [pd.NaT, pd.NA, pd.Timestamp("2020"), float("nan")],
    ValueError("x", 1),
    bytearray(b"x"),
    pickle.PickleError,
    len,
]


@pytest.mark.parametrize("value", OTHERS, ids=[type(value).__name__ for value in OTHERS])
def test_values_of_libraries(value: Any) -> None:
    back = round_trip(value)
    assert type(back) is type(value)
    assert fingerprint(back) == fingerprint(value)


def test_one_object_in_two_places_stays_one() -> None:
    shared: list[int] = [1]
    members = {1}
    back = round_trip({"a": shared, "b": (shared, members), "c": members})
    back["a"].append(2)
    assert back["b"][0] == [1, 2]
    assert back["c"] is back["b"][1]
    ring: list[Any] = []
    ring.append(ring)
    back = round_trip(ring)
    assert back[0] is back


def test_the_memory_of_arrays_is_handed_out_and_not_copied() -> None:
    array = np.zeros((300, 200))
    fortran = np.asfortranarray(array)
    frame = pd.DataFrame(array)
    for value, base in ((array, array), (fortran, fortran), ({"x": array}, array), (frame, frame.to_numpy())):
        (buffer,) = encode(value).buffers
        assert np.shares_memory(np.frombuffer(buffer, np.uint8), base)
        assert buffer.nbytes == array.nbytes


@pytest.mark.parametrize("value", [np.arange(10_000.0), {"x": np.arange(10_000.0)}])
def test_the_digest_of_a_stored_buffer_serves_the_fingerprint(value: Any) -> None:
    digests = BufferDigests()
    expected = fingerprint(value)
    for buffer in encode(value).buffers:
        digests.of(buffer)
    array = value if isinstance(value, np.ndarray) else value["x"]
    array[0] = 7
    # The memory has changed since, so only a remembered digest gives the old fingerprint.
    assert fingerprint(value, digests=digests) == expected != fingerprint(copy.deepcopy(value))
