"""Ids of Firestore's documents: keys stay apart and in order, whatever they are."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from expops.kv._documents import LONGEST, encode, id_of, in_order, key_of, range_of

LONG = st.integers(LONGEST - 2, LONGEST + 2).map(lambda length: "x" * length)
KEYS = st.builds(
    "".join, st.lists(st.text(st.characters() | st.sampled_from("\0\ud800/.-_~!az{0"), max_size=4) | LONG, max_size=3)
)


@given(KEYS)
@example("")
@example("/")
@example(".")
@example("__x__")
@example("\U0010ffff" * 5000)
def test_every_key_has_an_id_that_firestore_takes(key: str) -> None:
    name = id_of(key)
    assert re.fullmatch(r"[!-.0-~]+", name)
    assert len(name) < 1450  # what numbers a part needs room, too
    assert name not in (".", "..")
    assert not re.fullmatch(r"__.*__", name)
    assert key_of(name) == (encode(key) if len(encode(key)) <= LONGEST else None)


@given(st.text(st.sampled_from("k-!~0az{_") | st.characters(codec="ascii"), max_size=8))
def test_only_ids_have_keys(name: str) -> None:
    key = key_of(name)
    assert key is None or id_of(key.decode("utf-8", "surrogatepass")) == name


@given(st.sets(KEYS, max_size=8))
def test_ids_are_in_the_order_of_keys(keys: set[str]) -> None:
    ids = {id_of(key): encode(key) for key in keys}
    assert len(ids) == len(keys)
    found = in_order((name, ids[name], None) for name in sorted(ids))
    assert [key for key, _ in found] == sorted(map(encode, keys))


@given(KEYS, st.sampled_from(["", "0", "/", "\0", "\ud800", "x" * 9]), KEYS)
def test_ranges_hold_what_begins_so(prefix: str, more: str, other: str) -> None:
    low, high = range_of(prefix)
    assert low <= id_of(prefix + more) < high
    if low <= id_of(other) < high and len(encode(prefix)) <= LONGEST:
        assert encode(other).startswith(encode(prefix))
