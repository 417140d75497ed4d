"""Equal values have equal fingerprints, and different ones don't."""

from __future__ import annotations

import copy
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath
from types import MappingProxyType, SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import value_strategies as vs
from expops.hashing.values import fingerprint


class Text(str):
    pass


class Number(int):
    pass


class Node:
    def __init__(self, value: object, *others: object) -> None:
        self.value, self.others = value, others


@given(vs.values)
def test_a_deep_copy_has_the_same_fingerprint(value: object) -> None:
    assert fingerprint(copy.deepcopy(value)) == fingerprint(value)


def typed(value: object) -> object:
    """A value as text that tells types, signs and NaN apart; sets without their order."""
    if isinstance(value, set | frozenset):
        return (type(value).__name__, sorted(map(repr, map(typed, value))))
    if isinstance(value, dict):
        return ("dict", [(typed(key), typed(part)) for key, part in value.items()])
    if isinstance(value, list | tuple):
        return (type(value).__name__, [typed(part) for part in value])
    if isinstance(value, complex):
        return ("complex", repr(value.real), repr(value.imag))
    return (type(value).__name__, repr(value))


@given(vs.plain | vs.long_lists, vs.plain | vs.long_lists)
def test_plain_values_share_a_fingerprint_exactly_if_they_are_the_same(one: object, other: object) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (repr(typed(one)) == repr(typed(other)))


@given(st.lists(vs.scalars, min_size=1, max_size=40), st.data())
def test_one_changed_element_changes_the_fingerprint(values: list[object], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(values) - 1))
    changed = list(values)
    changed[index] = data.draw(vs.scalars)
    assume(repr(typed(changed)) != repr(typed(values)))
    assert fingerprint(changed) != fingerprint(values)


@pytest.mark.parametrize(
    "different",
    [
        [1, 1.0, True, "1", b"1", bytearray(b"1"), 1 + 0j, Number(1), Text("1"), Decimal(1), Fraction(1)],
        [0, 0.0, -0.0, False, None, "", b"", [], (), {}, set(), frozenset(), ..., NotImplemented],
        [[1, 2], [2, 1], [[1, 2]], [[1], 2], (1, 2), [1, [2]], {1, 2}, {1: 2}, deque([1, 2]), array("q", [1, 2])],
        [["ab", "c"], ["a", "bc"], ["abc"], ["a", "b", "c"], "abc"],
        [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}, OrderedDict(a=1, b=2), Counter(a=1, b=2)],
        [defaultdict(list), defaultdict(dict), {}, OrderedDict(), Counter(), MappingProxyType({})],
        ["\ud83d\ude00", "\U0001f600", "\ud83d", "\ude00"],
        [10**5000, 10**5000 + 1, -(10**5000)],
        [Decimal("1.0"), Decimal("1.00"), Decimal("NaN"), Decimal("-0"), Decimal("0")],
        [deque([1]), deque([1], 1), deque([1], 2)],
        [range(3), range(0, 3, 1 + 1), [0, 1, 2], slice(3), slice(0, 3)],
        [PurePosixPath("a"), PureWindowsPath("a"), "a", PurePosixPath("b")],
        [array("i", [1]), array("q", [1]), array("d", [1]), array("q", []), memoryview(b"1")],
        [vs.Pair(1, 2), vs.Pair(2, 1), (1, 2), vs.Slotted(1, 2), vs.Record("", 1, 2), SimpleNamespace(left=1, right=2)],
        [vs.Colour.RED, vs.Colour.BLUE, 1, "b", vs.Colour],
        [
            datetime(2020, 1, 1),
            datetime(2020, 1, 1, tzinfo=UTC),
            datetime(2020, 1, 1, tzinfo=ZoneInfo("UTC")),
            datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            datetime(2020, 1, 1, fold=1),
            date(2020, 1, 1),
            time(0),
            timedelta(0),
        ],
        [["x"] * 16, ["x"] * 17, ["x"] * 15, ("x",) * 16, ["x"] * 15 + [None], ["x"] * 15 + [float("nan")]],
        [["\0", *["x"] * 16], ["", "", *["x"] * 15], ["\0x", *["x"] * 15]],
        [[1.0] * 16, [1] * 16, [True] * 16, [1.0] * 15 + [1], array("d", [1.0] * 16)],
        [b"x" * 5000, "x" * 5000, b"x" * 5001, bytearray(b"x" * 5000)],
    ],
    ids=lambda group: f"{type(group[0]).__name__}-{type(group[1]).__name__}",
)
def test_different_values_have_different_fingerprints(different: list[object]) -> None:
    assert len({fingerprint(value) for value in different}) == len(different)
    assert len({fingerprint((value, value)) for value in different}) == len(different)


@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: [x], lambda x: [x] * 20, lambda x: complex(1, x), lambda x: ["a"] * 20 + [x]]
)
def test_all_nans_are_equal(wrap: object) -> None:
    assert callable(wrap)
    assert fingerprint(wrap(float("nan"))) == fingerprint(wrap(-float("nan")))
    assert fingerprint(wrap(float("nan"))) != fingerprint(wrap(float("inf")))


def test_infinities_that_add_up_to_nan_are_no_nan() -> None:
    inf = float("inf")
    assert fingerprint([inf, -inf] * 10) != fingerprint([-inf, inf] * 10)


def test_attributes_count_but_not_the_order_in_which_they_were_set() -> None:
    one, other = SimpleNamespace(a=1, b=2), SimpleNamespace(b=2, a=1)
    assert fingerprint(one) == fingerprint(other)
    other.c = 3
    assert fingerprint(one) != fingerprint(other)


def test_attributes_of_subclasses_of_builtin_types_count() -> None:
    class Names(set):
        pass

    for kind in (Text, Number, vs.Tagged, Names, Node):
        plain, dressed = kind("1"), kind("1")
        dressed.tag = "x"
        assert fingerprint(plain) != fingerprint(dressed)


def test_sets_of_any_members_have_no_order() -> None:
    members = [Node(index) for index in range(20)]
    assert fingerprint(set(members)) == fingerprint(set(copy.deepcopy(members)))
    assert fingerprint(set(members)) != fingerprint(set(members[:-1]))


@given(vs.plain)
def test_shared_and_copied_parts_are_the_same(part: object) -> None:
    shared = (part, part, [part, {"x": part}])
    copied = (part, copy.deepcopy(part), [copy.deepcopy(part), {"x": copy.deepcopy(part)}])
    assert fingerprint(shared) == fingerprint(copied)


def test_what_a_lazy_cache_of_a_library_holds_does_not_count() -> None:
    from functools import lru_cache

    cached = lru_cache(len)
    before = fingerprint(cached)
    cached("abc")
    assert fingerprint(cached) == before
