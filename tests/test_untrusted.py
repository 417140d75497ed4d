"""Bounded parsing and unpacking, and tests that never fail themselves, whatever they are given."""

from __future__ import annotations

import json
import os
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops import untrusted
from expops.untrusted import inflated, is_inside, is_moment, is_name, is_number, is_seconds, json_in

texts = st.text(st.characters(), max_size=8)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
CHECKS = [getattr(untrusted, name) for name in dir(untrusted) if name.startswith("is_")]


@given(anything)
def test_a_check_answers_whatever_it_is_given(value: object) -> None:
    for check in CHECKS:
        assert check(value) in (True, False)
    shape = untrusted.object_of(a=untrusted.row_of(untrusted.is_text, untrusted.is_count, optional=1))
    assert shape(value) in (True, False)
    assert untrusted.map_of(untrusted.list_of(untrusted.is_digest))(value) in (True, False)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_what_was_packed_is_unpacked_up_to_the_limit(data: bytes, limit: int) -> None:
    if len(data) <= limit:
        assert inflated(zlib.compress(data), limit) == data
    else:
        with pytest.raises(ValueError, match="more than"):
            inflated(zlib.compress(data), limit)


@given(st.binary(max_size=50), st.data())
def test_what_was_cut_or_goes_on_is_refused(data: bytes, draw: st.DataObject) -> None:
    packed = zlib.compress(data)
    with pytest.raises(ValueError, match=r"cut short|damaged"):
        inflated(packed[: draw.draw(st.integers(0, len(packed) - 1))])
    with pytest.raises(ValueError, match="appended"):
        inflated(packed + b"x")


def test_a_bomb_takes_little_memory() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join([packer.compress(bytes(1 << 20)) for _ in range(300)]) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than 1,048,576 bytes"):
            inflated(bomb, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("raw", [b"[" * 200_000, b"\xff", b"", b"{", b"1" * 5000], ids=lambda raw: repr(raw[:5]))
def test_what_is_no_json_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_in(raw)
    with pytest.raises(ValueError, match="at most"):
        json_in(json.dumps("x" * 50).encode(), 20)


@given(texts.filter(is_name))
def test_a_name_is_one_for_the_system(name: str) -> None:
    assert not os.path.exists(os.path.join("/nowhere", name))
    assert os.environ.get("NOBODY_SETS_" + name) is None


@given(st.lists(st.sampled_from(["a", "b.c", "..", ".", "", "é"]), max_size=4).map("/".join) | texts)
def test_what_is_inside_stays_inside(path: str) -> None:
    if is_inside(path):
        assert os.path.normpath(os.path.join("/home/folder", path)).startswith("/home/folder/")


@pytest.mark.parametrize("path", ["/a", "../a", "a/../b", "a//b", "", "/", ".", "a/.", "a\0", "\ud800", 7, None])
def test_what_leads_out_is_not_inside(path: object) -> None:
    assert not is_inside(path)


@pytest.mark.parametrize("path", ["a", "a/b", "a/b/", "..a", "a..", "é/ü", "a\\b", "\udc80"])
def test_names_of_files_are_inside(path: str) -> None:
    assert is_inside(path)


def test_numbers_that_can_not_be_shown_are_none() -> None:
    assert not is_moment(1e308)
    assert not is_moment(float("nan"))
    assert not is_moment(True)
    assert not is_seconds(float("inf"))
    assert not is_number(10**400)
    assert is_number(float("nan"))
