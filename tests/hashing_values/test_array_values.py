"""Fingerprints of NumPy arrays, scalars, dtypes and generators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given

import value_strategies as vs
from expops.hashing.digest import digest_bytes
from expops.hashing.values import BufferDigests, fingerprint


@given(vs.arrays, vs.layouts)
def test_memory_order_and_strides_do_not_count(array: np.ndarray, layout: Any) -> None:
    moved = vs.laid_out(array, layout)
    assert fingerprint(moved) == fingerprint(np.array(moved, order="C", copy=True))
    assert fingerprint(moved) == fingerprint(np.array(moved, order="F", copy=True))


@given(vs.any_arrays, vs.any_arrays)
def test_arrays_of_different_dtype_shape_or_bytes_differ(one: np.ndarray, other: np.ndarray) -> None:
    assume((one.dtype, one.shape, one.tobytes()) != (other.dtype, other.shape, other.tobytes()))
    assert fingerprint(one) != fingerprint(other)


@given(vs.arrays)
def test_a_changed_element_counts(array: np.ndarray) -> None:
    assume(array.size and array.itemsize)
    changed = array.copy()
    changed.reshape(-1).view(np.uint8)[-1] ^= 1
    assert fingerprint(changed) != fingerprint(array)


def test_large_arrays_of_any_layout() -> None:
    square = np.arange(250_000.0).reshape(500, 500)
    for view in (square, np.asfortranarray(square)):
        assert fingerprint(view) == fingerprint(square)
    assert fingerprint(square.T) == fingerprint(square.T.copy()) != fingerprint(square)
    assert fingerprint(square[::2]) == fingerprint(square[::2].copy()) != fingerprint(square[1::2])


def test_bytes_between_fields_do_not_count() -> None:
    dtype = np.dtype([("flag", "i1"), ("weight", "f8"), ("inner", [("a", "i1"), ("b", "i4")])], align=True)
    clean, dirty = np.zeros(3, dtype), np.zeros(3, dtype)
    dirty.view(np.uint8)[...] = 255
    for name in ("flag", "weight"):
        dirty[name] = 0
    dirty["inner"]["a"] = 0
    dirty["inner"]["b"] = 0
    assert clean.tobytes() != dirty.tobytes()
    assert fingerprint(clean) == fingerprint(dirty)
    assert fingerprint(clean) != fingerprint(clean[["weight", "flag", "inner"]])
    dirty["inner"]["b"] = 1
    assert fingerprint(clean) != fingerprint(dirty)


def test_objects_in_arrays_count_by_value() -> None:
    one = np.array([[1, "a"], [None, {"x": 1}]], dtype=object)
    other = np.array([[1, "a"], [None, {"x": 1}]], dtype=object)
    assert fingerprint(one) == fingerprint(other) == fingerprint(np.asfortranarray(other))
    other[1, 1]["x"] = 2
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    "different",
    [
        [np.zeros(4), np.zeros((2, 2)), np.zeros((4, 1)), np.zeros(4, "f4"), np.zeros(4, ">f8"), [0.0] * 4],
        [np.zeros(0), np.zeros((0, 2)), np.zeros((2, 0)), np.array(0.0), np.float64(0), np.float32(0), 0.0],
        [np.float64("nan"), np.float32("nan"), float("nan"), np.complex128(complex(float("nan"), 1))],
        [np.array(["a"]), np.array(["a"], "U2"), np.array([b"a"]), np.array(["a"], object), np.str_("a"), "a"],
        [np.zeros(1, "M8[s]"), np.zeros(1, "M8[ns]"), np.zeros(1, "m8[s]"), np.zeros(1, "i8")],
        [np.zeros(1, [("a", "i4")]), np.zeros(1, [("b", "i4")]), np.zeros(1, [("a", "u4")]), np.zeros(1, "V4")],
        [np.ma.array([1, 2]), np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 3]), np.array([1, 2])],
        [np.dtype("f8"), np.dtype("f4"), np.dtype([("a", "f8")]), np.float64, "f8"],
        [np.random.default_rng(1), np.random.default_rng(2), np.random.RandomState(1), np.random.RandomState(2)],
        [np.array(["a", "b"]), np.array(["a", "c"]), *vs.variable_strings],
        [np.rec.array([(1, 2.0)], names="a,b"), np.array([(1, 2.0)], [("a", "i8"), ("b", "f8")])],
        [np.sin, np.cos, np.float32, np],
    ],
    ids=lambda group: type(group[0]).__name__,
)
def test_different_arrays_have_different_fingerprints(different: list[object]) -> None:
    assert len({fingerprint(value) for value in different}) == len(different)


def test_scalar_nans_are_equal_whatever_their_sign() -> None:
    for kind in (np.float16, np.float32, np.float64, np.longdouble):
        assert fingerprint(kind("nan")) == fingerprint(-kind("nan"))
    nan = float("nan")
    assert fingerprint(np.complex128(complex(nan, 1))) == fingerprint(np.complex128(complex(-nan, 1)))
    assert fingerprint(np.complex128(complex(nan, 1))) != fingerprint(np.complex128(complex(nan, 2)))


def test_the_state_of_a_generator_counts() -> None:
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    assert fingerprint(one) == fingerprint(other)
    one.random()
    assert fingerprint(one) != fingerprint(other)
    other.random()
    assert fingerprint(one) == fingerprint(other)


class Signal(np.ndarray):
    rate: int


def test_subclasses_count_with_their_attributes() -> None:
    one, other = np.zeros(3).view(Signal), np.zeros(3).view(Signal)
    one.rate, other.rate = 1, 1
    assert fingerprint(one) == fingerprint(other) != fingerprint(np.zeros(3))
    other.rate = 2
    assert fingerprint(one) != fingerprint(other)


def test_a_memory_map_counts_by_its_elements_and_not_by_its_file(tmp_path: Any) -> None:
    maps = []
    for name in ("a", "b"):
        np.save(tmp_path / name, np.arange(5))
        maps.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    assert fingerprint(maps[0]) == fingerprint(maps[1])


def test_a_large_buffer_is_hashed_once_for_fingerprint_and_blob() -> None:
    array = np.arange(10_000.0)
    digests = BufferDigests()
    before = digests.of(memoryview(array.view(np.uint8)))
    assert before == digest_bytes(array.tobytes())
    expected = fingerprint(array)
    # What was remembered is used, right or wrong: this is how it shows.
    array[0] = 7
    assert fingerprint(array, digests=digests) == expected != fingerprint(array)


def test_remembered_buffers_stay_alive_so_that_their_addresses_are_not_used_again() -> None:
    digests = BufferDigests()
    for number in range(50):
        made = np.full(5_000, number)
        assert digests.of(memoryview(made.view(np.uint8))) == digest_bytes(made.tobytes())
        assert fingerprint({"x": made[::2]}, digests=digests) == fingerprint({"x": made[::2]})
        del made


@pytest.mark.parametrize("data", [b"", b"x" * 100, bytearray(100_000), memoryview(bytes(100_000))[10:]])
def test_buffers_of_any_kind_have_the_digest_of_their_bytes(data: Any) -> None:
    assert BufferDigests().of(memoryview(data)) == digest_bytes(bytes(data))
