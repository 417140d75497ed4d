"""Tolerances, and how a run's metrics and files are compared."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.record.compare import Tolerance, compare, worst
from expops.runs.model import ActionRecord

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)


def action(path: str, outputs: dict[str, str], outcome: str = "executed") -> ActionRecord:
    marks = {name: (mark, 1) for name, mark in outputs.items()}
    return ActionRecord(
        path,
        "process",
        outcome,
        "why",
        0,
        0,
        marks,
        "1",
        False,
        0,
        "",
        "",
        "",
        True,
        (),
        "E: no\n" * (outcome == "failed"),
    )


def recorded(path: str, outputs: dict[str, str]) -> dict[str, object]:
    told = {name: {"fingerprint": mark, "bytes": 1} for name, mark in outputs.items()}
    return {"path": path, "kind": "process", "outcome": "executed", "outputs": told, "artifacts": []}


def verdict(old: object, new: object, tolerance: Tolerance = Tolerance()) -> tuple[str, list[str]]:  # noqa: B008
    (found,) = compare(
        [recorded("p", {})],
        {"p": {"m": {"1": old}}},
        [action("p", {})],
        {"p": {"m": {1: new}}},
        {},
        lambda process, metric: tolerance,
    )
    return found.verdict, found.details


@given(FLOATS, FLOATS)
def test_without_tolerance_only_equal_metrics_are_the_same(old: float, new: float) -> None:
    assert (verdict(old, new)[0] == "same") == (old == new)


@given(FLOATS, st.floats(0, 1))
def test_a_metric_on_the_edge_is_within(old: float, relative: float) -> None:
    new = old + relative * abs(old)
    found = verdict(old, new, Tolerance(relative=relative + 1e-9))[0]
    assert found == ("same" if old == new else "within tolerance")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("NaN", math.nan, "same"),
        ("Infinity", math.inf, "same"),
        ("NaN", 1.0, "different"),
        ("Infinity", 1.0, "different"),
    ],
)
def test_what_is_no_number_is_compared_too(old: str, new: float, expected: str) -> None:
    assert verdict(old, new, Tolerance(1e9, 1e9))[0] == expected


def test_outputs_are_compared_by_name() -> None:
    before = [recorded("a", {"x": "1", "y": "2"}), recorded("b", {"x": "1"}), recorded("c", {}), recorded("d", {})]
    now = [action("a", {"x": "1", "z": "3"}), action("b", {"x": "1"}), action("c", {}, "failed")]
    found = compare(before, {}, now, {}, {"d": "data/x.csv has changed"}, lambda _: Tolerance())
    assert [(item.path, item.verdict, item.details) for item in found] == [
        ("a", "different", ["output 'y' is missing", "output 'z' is new"]),
        ("b", "same", []),
        ("c", "could not run", ["E: no"]),
        ("d", "could not run", ["data/x.csv has changed"]),
    ]
    assert worst(found) == "could not run"
    assert worst([]) == "same"
