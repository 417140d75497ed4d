"""What every codec must do; subclass :class:`CodecSuite` in a test file to check yours."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..codecs.base import Codec, Encoded


class CodecSuite:
    """Tests of the contract in :mod:`expops.codecs.base`.

    A subclass gives a fixture ``codec`` and :meth:`values`, and may refine :meth:`same` and ``foreign``.
    """

    foreign: ClassVar[tuple[object, ...]] = ()
    """Values that the codec is not for."""

    examples: ClassVar[int] = 100
    """How many values to try in each test."""

    @pytest.fixture
    def codec(self) -> Codec:
        """The codec to test."""
        raise NotImplementedError("a subclass of CodecSuite defines the fixture 'codec'")

    def values(self) -> st.SearchStrategy[Any]:
        """Values that the codec is for."""
        raise NotImplementedError("a subclass of CodecSuite defines 'values'")

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values are equal in all that the codec promises to keep."""
        return type(one) is type(other) and bool(one == other)

    def test_values_come_back(self, codec: Codec) -> None:
        """Of the same type, and equal, from nothing but the head and the bytes of the buffers."""

        def check(value: Any) -> None:
            assert self.same(decoded(codec, encoded(codec, value)), value)

        self._for_all(check)

    def test_what_is_written_is_plain_bytes(self, codec: Codec) -> None:
        """Under the codec's own name; buffers are contiguous."""

        def check(value: Any) -> None:
            written = encoded(codec, value)
            assert written.codec == codec.name
            assert type(written.head) is bytes
            for buffer in written.buffers:
                assert isinstance(buffer, memoryview)
                assert buffer.contiguous

        assert codec.name
        self._for_all(check)

    def test_encoding_alters_nothing(self, codec: Codec) -> None:
        """The value is the same before and after."""

        def check(value: Any) -> None:
            before = copy.deepcopy(value)
            encoded(codec, value)
            assert self.same(value, before)

        self._for_all(check)

    def test_decoded_values_share_nothing(self, codec: Codec) -> None:
        """Overwriting the memory of one leaves the original and the other as they were."""

        def check(value: Any) -> None:
            before = copy.deepcopy(value)
            written = encoded(codec, value)
            first_memory, second_memory = private(written), private(written)
            first = codec.decode(written.head, first_memory)
            second = codec.decode(written.head, second_memory)
            del first
            for buffer in first_memory:
                buffer[:] = bytes(len(buffer))
            assert self.same(second, before)
            assert self.same(value, before)

        self._for_all(check)

    def test_values_written_twice_come_back(self, codec: Codec) -> None:
        """What was decoded can be encoded like the original."""

        def check(value: Any) -> None:
            once = decoded(codec, encoded(codec, value))
            assert self.same(decoded(codec, encoded(codec, once)), value)

        self._for_all(check)

    def test_foreign_values_are_left_to_others(self, codec: Codec) -> None:
        """``None`` says that the codec is not for a value."""
        for value in self.foreign:
            assert codec.encode(value) is None, repr(value)

    def _for_all(self, check: Callable[[Any], None]) -> None:
        suppressed = [HealthCheck.too_slow, HealthCheck.data_too_large]
        ruled = settings(max_examples=self.examples, deadline=None, suppress_health_check=suppressed)
        ruled(given(self.values())(check))()


def encoded(codec: Codec, value: object) -> Encoded:
    """``value`` written down by a codec that is for it."""
    written = codec.encode(value)
    assert written is not None, f"codec {codec.name} declines {value!r}"
    return written


def private(written: Encoded) -> list[memoryview]:
    """Copies of the buffers, as a store gives them: writable, of bytes, with nobody else's eyes on them."""
    return [memoryview(bytearray(buffer.cast("B") if buffer.nbytes else b"")) for buffer in written.buffers]


def decoded(codec: Codec, written: Encoded) -> Any:
    """The value again."""
    return codec.decode(written.head, private(written))
