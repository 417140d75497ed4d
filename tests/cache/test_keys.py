"""Keys: any difference in any part is another key, and no two structures share their bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from expops.cache.keys import FORMAT, ActionKey, result_digest
from expops.hashing.canonical import digest_of, encode
from expops.hashing.digest import digest_bytes

marks = st.text("abc", max_size=3)
maps = st.dictionaries(marks, marks, max_size=3)
profiles = st.sampled_from(["", "stable", "portable"])
keys = st.builds(ActionKey, st.sampled_from(["process", "step"]), marks, marks, maps, maps, maps, marks, profiles)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def tagged(value: object) -> object:
    """A form in which Python's equality tells apart what canonical bytes must tell apart."""
    if isinstance(value, list):
        return ("list", [tagged(item) for item in value])
    if isinstance(value, dict):
        return ("dict", sorted((key, tagged(item)) for key, item in value.items()))
    return (type(value).__name__, repr(value))


@given(keys, keys)
def test_keys_are_equal_exactly_if_their_parts_are(one: ActionKey, other: ActionKey) -> None:
    assert (one.digest() == other.digest()) == (one == other)


@given(plain, plain)
def test_canonical_bytes_are_equal_exactly_if_the_data_is(one: object, other: object) -> None:
    assert (encode(one) == encode(other)) == (repr(tagged(one)) == repr(tagged(other)))  # type: ignore[arg-type]


def test_parts_do_not_run_into_each_other() -> None:
    none: dict[str, str] = {}
    assert (
        ActionKey("step", "ab", "c", none, none, none).digest()
        != ActionKey("step", "a", "bc", none, none, none).digest()
    )
    as_input = ActionKey("step", "f", "c", {"x": "1"}, none, none)
    assert as_input.digest() != ActionKey("step", "f", "c", none, {"x": "1"}, none).digest()
    assert as_input.digest() != ActionKey("step", "f", "c", none, none, {"x": "1"}).digest()


def test_a_result_key_has_kind_name_and_value_of_each_discovered_input() -> None:
    base = result_digest("a", {"file": {"project/x": "1"}})
    assert base != result_digest("b", {"file": {"project/x": "1"}})
    assert base != result_digest("a", {"folder": {"project/x": "1"}})
    assert base != result_digest("a", {"file": {"project/y": "1"}})
    assert base != result_digest("a", {"file": {"project/x": "2"}})
    assert base != result_digest("a", {})


def test_golden_keys() -> None:
    """Pinned: a change here orphans every cache there is, and needs a higher FORMAT in cache/keys.py."""
    key = ActionKey("process", "train", "c0de", {"x": "f1"}, {"lr": "f2"}, {})
    assert key.digest() == "1cbaa76b85bad89be620cab7b44972ba7120a99b5ca0153b16588709df6edd63"
    assert (
        result_digest(key.digest(), {"seed": {"": "5eed"}})
        == "3d01193a3d68e22acdf0c486abbc930aa1e856c5b6f666e89e582f7865e8da8b"
    )


@given(st.binary().map(digest_bytes) | marks)
def test_an_action_that_discovered_nothing_has_its_result_by_the_same_rule(action: str) -> None:
    assert result_digest(action, {}) == digest_of(["result", FORMAT, action, {}])
