"""Means and intervals of metrics across seeds."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.runs.statistics import across, interquartile_mean, summarise

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("given_values", "expected"),
    [
        ([5, 8, 4, 38, 8, 6, 9, 7, 7, 3, 1, 6], 6.5),  # a quarter of twelve is three at either end
        ([1, 3, 5, 7, 9, 11, 13, 15, 17], 9.0),
        ([1.0], 1.0),
        ([1.0, 3.0], 2.0),
        # Of three, a quarter of the weight at either end is three quarters of the outer observations.
        ([0.0, 0.0, 6.0], (0.0 * 0.25 + 0.0 * 1 + 6.0 * 0.25) / 1.5),
        ([0, 0, 0, 1000], 0.0),
    ],
)
def test_interquartile_mean(given_values: list[float], expected: float) -> None:
    assert interquartile_mean(given_values) == pytest.approx(expected, abs=1e-12)


@given(values, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_all_lies_within(found: list[float], shuffle: random.Random) -> None:
    summary = summarise(found)
    shuffled = found[:]
    shuffle.shuffle(shuffled)
    again = summarise(shuffled)
    assert again.iqm == summary.iqm
    assert repr(again) == repr(summary)
    slack = 1e-9 * max(map(abs, found)) + 1e-12
    assert min(found) - slack <= summary.iqm <= max(found) + slack
    if len(found) > 1:
        assert min(found) - slack <= summary.low <= summary.high <= max(found) + slack
    else:
        assert math.isnan(summary.low)


def test_the_last_value_of_a_series_counts_and_nan_does_not() -> None:
    found = across(
        [
            {"fit": {"loss": {1: 9.0, 2: 1.0}, "bad": {1: math.nan}}},
            {"fit": {"loss": {1: 8.0, 3: 3.0}, "bad": {1: math.inf}}},
        ]
    )
    assert found.keys() == {"fit"}
    assert found["fit"].keys() == {"loss"}
    assert (found["fit"]["loss"].seeds, found["fit"]["loss"].mean) == (2, 2.0)


def test_drawing_resamples_leaves_the_global_generator_alone() -> None:
    before = random.getstate()
    summarise([1.0, 2.0, 3.0])
    assert random.getstate() == before
