"""The suite for codecs passes our own, and fails those that break the contract."""

import json
from collections.abc import Sequence

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import strategies as st

from expops.codecs.base import Codec, Encoded
from expops.codecs.ndarray import NdarrayCodec
from expops.codecs.pickled import PickleCodec
from expops.codecs.plain import PlainCodec
from expops.testing.codec_suite import CodecSuite

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class PlainValues(CodecSuite):
    examples = 30

    def values(self) -> st.SearchStrategy[object]:
        return PLAIN


class TestPlainCodec(PlainValues):
    foreign = (object(), lambda: None)

    @pytest.fixture
    def codec(self) -> Codec:
        return PlainCodec()


class TestPickleCodec(PlainValues):
    @pytest.fixture
    def codec(self) -> Codec:
        return PickleCodec()


class TestNdarrayCodec(CodecSuite):
    examples = 60
    foreign = (1, [1.0], np.array([object()]))

    @pytest.fixture
    def codec(self) -> Codec:
        return NdarrayCodec()

    def values(self) -> st.SearchStrategy[np.ndarray]:
        kinds = npst.scalar_dtypes() | npst.byte_string_dtypes() | npst.unicode_string_dtypes()
        arrays = npst.arrays(kinds, npst.array_shapes(min_dims=0, min_side=0, max_side=4))
        return arrays | arrays.map(np.asfortranarray) | arrays.map(lambda array: array.T[::-1] if array.ndim else array)

    def same(self, one: np.ndarray, other: np.ndarray) -> bool:
        return (
            type(one) is type(other)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and (one.tobytes() == other.tobytes())
        )


class JsonOnly:
    """Tuples come back as lists."""

    name = "json-only"

    def encode(self, value: object) -> Encoded | None:
        return None if isinstance(value, bytes) else Encoded(self.name, json.dumps(value).encode())

    def decode(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        return json.loads(head)


class Remembers:
    """Gives back the very object that it was given."""

    name = "remembers"

    def __init__(self) -> None:
        self.value: list[int] = []

    def encode(self, value: list[int]) -> Encoded:
        value.append(0)
        self.value = value
        return Encoded("another name", b"", (memoryview(b"0123")[::2],))

    def decode(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        return self.value


class TupleValues(CodecSuite):
    examples = 5

    def values(self) -> st.SearchStrategy[object]:
        return st.tuples(st.integers())


class ListValues(CodecSuite):
    examples = 5

    def values(self) -> st.SearchStrategy[object]:
        return st.lists(st.integers())


def test_another_type_is_found() -> None:
    with pytest.raises(AssertionError):
        TupleValues().test_values_come_back(JsonOnly())


def test_a_value_that_encoding_alters_is_found() -> None:
    with pytest.raises(AssertionError):
        ListValues().test_encoding_alters_nothing(Remembers())


def test_another_name_and_strided_buffers_are_found() -> None:
    with pytest.raises(AssertionError):
        ListValues().test_what_is_written_is_plain_bytes(Remembers())


def test_a_codec_that_takes_what_is_not_for_it_is_found() -> None:
    class Suite(TupleValues):
        foreign = ([],)

    with pytest.raises(AssertionError):
        Suite().test_foreign_values_are_left_to_others(JsonOnly())
