"""Walking two values side by side: what differs, where, and how far apart."""

from __future__ import annotations

import copy
import datetime
import math
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.engine.verify.difference import differences
from expops.engine.verify.distance import close, ulps

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@dataclass
class Model:
    coef: list[float] = field(default_factory=lambda: [1.0, 2.0])
    name: str = "m"
    inner: Any = None


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


@given(FINITE, st.integers(1, 1000))
def test_ulps_count_the_steps_of_nextafter(value: float, steps: int) -> None:
    other = value
    for _ in range(steps):
        other = math.nextafter(other, math.inf)
    if math.isfinite(other):
        assert ulps(value, other) == steps


@given(FINITE, FINITE, FINITE)
def test_ulps_are_a_distance(first: float, second: float, third: float) -> None:
    assert ulps(first, second) == ulps(second, first)
    assert (ulps(first, second) == 0) == (first == second)
    low, middle, high = sorted([first, second, third])
    assert ulps(low, high) == ulps(low, middle) + ulps(middle, high)


def test_ulps_of_other_widths() -> None:
    above = struct.unpack("<f", struct.pack("<i", struct.unpack("<i", struct.pack("<f", 0.1))[0] + 3))[0]
    assert ulps(float(np.float32(0.1)), above, 4) == 3
    assert ulps(float(np.float16(1)), float(np.nextafter(np.float16(1), np.float16(2))), 2) == 1
    assert ulps(math.nan, 1.0) is None
    assert ulps(-0.0, 0.0) == 0


@pytest.mark.parametrize(
    ("recorded", "found", "tolerance", "expected"),
    [
        (1.0, 1.0 + 1e-9, 1e-9, True),
        (1.0, 1.0 + 3e-9, 1e-9, False),
        (0.0, 1e-9, 1e-9, True),
        (1e6, 1e6 + 1e-4, 1e-9, True),
        (math.nan, math.nan, 0.0, True),
        (math.nan, 1.0, 1e9, False),
        (math.inf, math.inf, 0.0, True),
        (math.inf, -math.inf, 1e9, False),
    ],
)
def test_a_tolerance_is_absolute_and_relative(recorded: float, found: float, tolerance: float, expected: bool) -> None:
    assert close(recorded, found, tolerance) is expected


NOON = datetime.datetime(2026, 1, 2, 12)
CASES = [
    ({"a": [1, 2, 3]}, {"a": [1, 5, 3]}, "['a'][1]", "2", "5", None),
    ({"a": 1}, {"b": 1}, "['a']", "1", "(absent)", None),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "", "'a'", "'b'", None),
    ((1.0, 0.1 + 0.2), (1.0, 0.3), "[1]", "0.30000000000000004", "0.3", 1),
    ([1, 2], [1, 2, 3], "[2]", "(absent)", "3", None),
    ({1, 2}, {1, 3}, "", "2", "(absent)", None),
    (Model(), Model([1.0, 2.5]), ".coef[1]", "2.0", "2.5", 1 << 50),
    (Model(inner={"x": Slotted(3)}), Model(inner={"x": Slotted(4)}), ".inner['x'].value", "3", "4", None),
    (1, 1.0, "", "1", "1.0", None),
    (True, 1, "", "True", "1", None),
    (0.0, -0.0, "", "0.0", "-0.0", 0),
    (1 + 2j, 1 + 3j, ".imag", "2.0", "3.0", 1 << 51),
    (NOON, NOON.replace(hour=13), "", repr(NOON), repr(NOON.replace(hour=13)), None),
    (np.arange(6.0).reshape(2, 3), np.array([[0.0, 1, 2], [3, 4, 6]]), "[1, 2]", "5.0", "6.0", 1 << 50),
    (np.array([1, 2]), np.array([1, 3]), "[1]", "2", "3", None),
    (np.zeros(2), np.zeros(2, "float32"), ".dtype", "float64", "float32", None),
    (np.zeros(2), np.zeros((2, 1)), ".shape", "(2,)", "(2, 1)", None),
    (np.array(["a", None], object), np.array(["a", "b"], object), "[1]", "None", "'b'", None),
    (np.float32(1), np.nextafter(np.float32(1), np.float32(2)), "", "1.0", "1.0000001192092896", 1),
    (np.array([(1, 2.0)], "i4,f8"), np.array([(1, 3.0)], "i4,f8"), "['f1'][0]", "2.0", "3.0", 1 << 51),
    (pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [1, 3]}), "['x'].iloc[1]", "2", "3", None),
    (pd.DataFrame({"x": [1]}), pd.DataFrame({"y": [1]}), ".columns[0]", "'x'", "'y'", None),
    (pd.Series([1.0], index=["a"]), pd.Series([1.0], index=["b"]), ".index[0]", "'a'", "'b'", None),
    (pd.Series(["u", "v"], dtype="category"), pd.Series(["u", "u"], dtype="category"), "", "", "", None),
]


@pytest.mark.parametrize(("recorded", "found", "path", "old", "new", "distance"), CASES[:-1])
def test_the_place_and_both_values_are_told(
    recorded: object, found: object, path: str, old: str, new: str, distance: int | None
) -> None:
    first = differences(recorded, found).first[0]
    assert (first.path, first.recorded, first.found, first.ulps) == (path, old, new, distance)


@pytest.mark.parametrize("case", CASES)
def test_a_copy_does_not_differ(case: tuple[Any, ...]) -> None:
    assert differences(case[0], copy.deepcopy(case[0])).number == 0
    assert differences(case[0], case[1]).number > 0


def test_nan_is_no_difference_and_a_cycle_no_end() -> None:
    recorded: dict[str, Any] = {"x": math.nan, "y": np.array([math.nan, 1.0])}
    recorded["self"] = recorded
    found = copy.deepcopy(recorded)
    assert differences(recorded, found).number == 0
    found["y"][1] = 2.0
    assert differences(recorded, found).first[0].path == "['y'][1]"


def test_the_same_values_at_two_places_differ_twice() -> None:
    assert differences([1, "a", 1, "a"], [2, "b", 2, "b"]).number == 4


def test_all_are_counted_and_the_farthest_is_known() -> None:
    recorded = np.ones(30_000)
    found = differences(recorded, recorded + np.finfo(float).eps * np.arange(30_000))
    assert found.number == 29_999
    assert len(found.first) == 5
    assert found.first[0].path == "[1]"
    assert found.most_ulps is not None
    assert found.most_ulps > 1000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | FINITE | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_there_is_a_difference_where_the_text_differs(recorded: object, found: object) -> None:
    assert (differences(recorded, found).number > 0) == (repr(recorded) != repr(found))


@given(st.lists(FINITE, min_size=1, max_size=4), st.data())
def test_the_tolerance_needed_is_the_smallest_that_covers_all(values: list[float], data: st.DataObject) -> None:
    others = [data.draw(FINITE) for _ in values]
    needed = differences(values, others).needed
    if math.isfinite(needed) and needed:
        assert all(close(old, new, needed * (1 + 1e-12)) for old, new in zip(values, others, strict=True))
        assert not all(close(old, new, needed * (1 - 1e-9)) for old, new in zip(values, others, strict=True))
