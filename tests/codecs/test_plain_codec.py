"""Plain data as JSON: what is taken, and what is left to pickle."""

from __future__ import annotations

import json
from collections import OrderedDict
from enum import IntEnum
from typing import Any

import pytest
from codec_checks import written

from expops.codecs.plain import PlainCodec
from expops.errors import CorruptData

CODEC = PlainCodec()


class Level(IntEnum):
    LOW = 1


class Text(str):
    pass


@pytest.mark.parametrize(
    "value",
    [Level.LOW, Text("a"), [Text("a")], OrderedDict(), (1, [object()]), {Level.LOW: 1}, bytearray(b"a"), ..., len],
)
def test_other_types_are_left_to_pickle(value: object) -> None:
    assert CODEC.encode(value) is None


def test_what_json_cannot_say_is_left_to_pickle() -> None:
    shared: list[int] = []
    ring: list[Any] = []
    ring.append([ring])
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    for value in ([shared, shared], {"a": shared, "b": [shared]}, ring, deep, (shared, shared)):
        assert CODEC.encode(value) is None


def test_immutable_parts_may_be_shared() -> None:
    shared = (1, "a")
    assert CODEC.encode([shared, shared, {shared: shared}]) is not None


def test_small_values_are_short_readable_text() -> None:
    encoded = CODEC.encode({"lr": 0.1, "sizes": [1, 2], "pair": ("a", None)})
    assert encoded is not None
    assert encoded.buffers == ()
    assert json.loads(encoded.head) == {"d": ["lr", 0.1, "sizes", [1, 2], "pair", {"t": ["a", None]}]}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (b"x" * 5000, 5000),
        ([0.5] * 1000, 8000),
        ([7] * 1000, 8000),
        (["some text"] * 10_000, None),
        (dict.fromkeys(range(20000), "x"), None),
    ],
)
def test_large_values_are_buffers_with_a_small_head(value: object, size: int | None) -> None:
    encoded = CODEC.encode(value)
    assert encoded is not None
    assert len(encoded.head) < 100
    assert size is None or [buffer.nbytes for buffer in encoded.buffers] == [size]
    _, head, buffers = written(encoded)
    assert CODEC.decode(head, buffers) == value


def test_several_buffers_find_their_places() -> None:
    value = [[0.5] * 300, b"a" * 5000, ("x", [3] * 300), {"k": [1.5] * 300}, ["y" * 10] * 10_000]
    encoded = CODEC.encode(value)
    assert encoded is not None
    assert len(encoded.buffers) == 5
    _, head, buffers = written(encoded)
    assert CODEC.decode(head, buffers) == value


def test_the_order_of_dicts_and_their_keys_of_any_type_survive() -> None:
    value = {"b": 1, "a": 2, (1, "x"): 3, None: 4, 1.5: 5, True: 6, frozenset([1]): 7, b"k": 8}
    encoded = CODEC.encode(value)
    assert encoded is not None
    back = CODEC.decode(encoded.head, [])
    assert list(back.items()) == list(value.items())  # type: ignore[attr-defined]
    assert [type(key) for key in back] == [type(key) for key in value]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{",
        b"\xff",
        b'{"t": 1}',
        b'{"?": 1}',
        b'{"t": [], "d": []}',
        b"{}",
        b'{"d": [1]}',
        b'{"d": [[], 1]}',
        b'{"F": 0}',
        b'{"F": "x"}',
        b'{"b": "%"}',
        b'{"i": "xyz"}',
        b'{"u": "zz"}',
        b'{"c": [1, 2, 3]}',
        b"1 2",
    ],
)
def test_a_damaged_head_is_corrupt_data(head: bytes) -> None:
    with pytest.raises(CorruptData, match="can't be read as plain data"):
        CODEC.decode(head, [])


def test_a_cut_buffer_is_corrupt_data() -> None:
    encoded = CODEC.encode([0.5] * 1000)
    assert encoded is not None
    with pytest.raises(CorruptData):
        CODEC.decode(encoded.head, [encoded.buffers[0][:-3]])
