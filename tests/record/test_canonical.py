"""Canonical JSON: one text for one document, and the document again from it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.runs.canonical import canonical, digest, finite

# Larger whole numbers come back as integers, which have more digits than a float.
FLOATS = st.floats(-(2**53), 2**53)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_a_document_comes_back_equal(document: Any) -> None:
    text = canonical(document)
    assert canonical(json.loads(text)) == text
    assert json.loads(text) == document


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_count(document: dict[str, int], random: Any) -> None:
    items = list(document.items())
    random.shuffle(items)
    assert canonical(dict(items)) == canonical(document)
    assert digest(dict(items)) == digest(document)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_their_value(value: float) -> None:
    assert float(canonical(value)) == value


# From RFC 8785, appendix B and section 3.2.3.
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e21, "1e+21"),
        (999999999999999700000.0, "999999999999999700000"),
        (333333333.3333332, "333333333.3333332"),
        (0.000001, "0.000001"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.00012345, "0.00012345"),
        (-1.5e-5, "-0.000015"),
        (1e-27, "1e-27"),
        ({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}, None),
    ],
)
def test_the_examples_of_the_rfc(value: Any, text: str | None) -> None:
    if text is None:
        assert list(json.loads(canonical(value)).values()) == [2, 4, 6, 7, 1, 5, 3]
    else:
        assert canonical(value).decode() == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"x": [math.nan]}])
def test_what_json_lacks_is_refused_or_told_in_words(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON has no"):
        canonical(value)
    assert canonical(finite(value))


def test_a_lone_surrogate_is_an_escape() -> None:
    assert canonical("a\udcff") == b'"a\\udcff"'
    assert json.loads(canonical("a\udcff")) == "a\udcff"
