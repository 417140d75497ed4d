"""Signed records keep the contract; whatever takes their place, a look-up gives what was written or nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.buckets.bucket import Bucket
from expops.buckets.place import Place
from expops.errors import StoreUnavailable
from expops.kv.base import KVStore
from expops.kv.breaker import CircuitBreaker
from expops.kv.bucket import BucketKV
from expops.kv.enveloped import SIGNED, UnsignedKV
from expops.kv.journal import JournaledKV
from expops.kv.memory import MemoryKV
from expops.kv.signed import SignedKV
from expops.kv.sqlite import SQLiteKV
from expops.testing.kv_suite import ODD_KEYS, KVStoreSuite

ONE, OTHER = b"1" * 32, b"2" * 32


class InMemory(KVStoreSuite):
    @pytest.fixture
    def inner(self) -> KVStore:
        return MemoryKV()


class TestSignedInMemory(InMemory):
    @pytest.fixture
    def store(self, inner: KVStore) -> KVStore:
        return SignedKV(CircuitBreaker(inner), [ONE])


class TestUnsigned(InMemory):
    @pytest.fixture
    def store(self, inner: KVStore) -> KVStore:
        return UnsignedKV(
            inner, place=f"the store of a test, {os.urandom(8).hex()}"
        )  # what is found of it is remembered


class TestWhileKeysAreChanged(InMemory):
    """Two clients that sign with different keys and know both."""

    @pytest.fixture
    def store(self, inner: KVStore) -> KVStore:
        return SignedKV(inner, [ONE, OTHER])

    @pytest.fixture
    def second(self, inner: KVStore) -> KVStore:
        return SignedKV(inner, [OTHER, ONE])


class TestSignedSQLite(KVStoreSuite):
    examples = 10

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KVStore]:
        store = SignedKV(SQLiteKV(str(tmp_path / "kv.sqlite")), [ONE])
        yield store
        store.close()


class TestSignedBehindAJournal(KVStoreSuite):
    """As the records of a server are wired."""

    examples = 10

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KVStore]:
        store = JournaledKV(SignedKV(MemoryKV(), [ONE]), str(tmp_path / "journals"))
        yield store
        store.close()


class TestSignedBucket(KVStoreSuite):
    examples = 5

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KVStore]:
        bucket = Bucket(Place("folder", str(tmp_path), "team/project"))
        yield SignedKV(BucketKV(lambda: bucket), [ONE])
        bucket.close()


names = st.one_of(st.sampled_from(ODD_KEYS), st.text(st.characters() | st.sampled_from("\0\ud800/ab"), max_size=5))
secrets = st.binary(min_size=1, max_size=70)


@given(names, st.binary(), secrets, st.data())
def test_whatever_takes_its_place_a_look_up_gives_what_was_written_or_nothing(
    key: str, value: bytes, secret: bytes, data: st.DataObject
) -> None:
    inner = MemoryKV()
    store = SignedKV(inner, [secret])
    store.put(key, value)
    raw = inner.get_many([key])[key]
    changed = st.builds(
        lambda at, piece, cut: raw[:at] + piece + raw[at + cut :],
        st.integers(0, len(raw)),
        st.binary(max_size=3),
        st.integers(0, 3),
    )
    unsigned = st.builds(lambda rest: SIGNED + rest, st.binary())
    inner.put(key, data.draw(st.one_of(changed, unsigned, st.binary(), st.just(value))))
    assert store.get_many([key]) in ({}, {key: value})
    assert dict(store.scan("")) in ({}, {key: value})
    if inner.get_many([key])[key] != raw:
        assert store.get_many([key]) == {}


@given(names, names, st.binary(), st.binary())
def test_a_record_can_not_stand_for_another(key: str, other: str, value: bytes, tail: bytes) -> None:
    """Also where key and value run into each other in another way."""
    inner = MemoryKV()
    store = SignedKV(inner, [ONE])
    store.put(key, value + tail)
    raw = inner.get_many([key])[key]
    inner.put(other, raw)
    assert store.get_many([other]) == ({other: value + tail} if other == key else {})
    shifted = raw[: len(SIGNED) + 32] + value
    inner.put(key + tail.decode("latin-1"), shifted)
    assert store.get_many([key + tail.decode("latin-1")]) == ({} if tail else {key: value})


@given(names, st.binary(), secrets, secrets)
def test_another_key_or_project_sees_nothing(key: str, value: bytes, one: bytes, other: bytes) -> None:
    inner = MemoryKV()
    SignedKV(inner, [one], scope="a").put(key, value)
    assert SignedKV(inner, [one], scope="a").get_many([key]) == {key: value}
    assert SignedKV(inner, [one], scope="b").get_many([key]) == {}
    # A secret shorter than the hash's block is the same with zeros behind it: RFC 2104.
    if one.rstrip(b"\0") != other.rstrip(b"\0"):
        assert SignedKV(inner, [other], scope="a").get_many([key]) == {}


def test_the_signature_is_the_one_of_the_documented_form() -> None:
    """Computed with openssl: a change of it makes every record of every team a miss."""
    inner = MemoryKV()
    SignedKV(inner, [b"k" * 32], scope="team").put("result/ä", b"value")
    assert inner.get_many(["result/ä"])["result/ä"].hex() == (
        "6578706f7073207369676e656420310a42b5f15f76a28353246ae5bff0d32ed5b98b8524e3340b54ac0368912ff2f14776616c7565"
    )


def test_values_and_keys_are_not_hidden_and_secrets_are_not_shown() -> None:
    inner = MemoryKV()
    store = SignedKV(inner, [ONE])
    store.put("a", b"value")
    raw = inner.get_many(["a"])["a"]
    assert raw.endswith(b"value")
    assert ONE not in raw


def test_keys_are_retired_without_a_gap() -> None:
    inner = MemoryKV()
    old, both, new = SignedKV(inner, [ONE]), SignedKV(inner, [OTHER, ONE]), SignedKV(inner, [OTHER])
    old.put_many({"a": b"1", "b": b"2"})
    assert both.get_many(["a", "b"]) == {"a": b"1", "b": b"2"}
    assert both.up_to_date(["a", "b", "c"]) == set()
    both.put("a", b"1")
    assert both.up_to_date(["a", "b", "c"]) == {"a"}
    assert both.replace("b", b"2", b"3")
    assert new.get_many(["a", "b"]) == {"a": b"1", "b": b"3"}
    assert old.get_many(["a", "b"]) == {}


@pytest.mark.parametrize("there", [b"", b"unsigned", SIGNED + b"x" * 40])
def test_what_is_not_signed_blocks_nobody(there: bytes) -> None:
    inner = MemoryKV()
    store = SignedKV(inner, [ONE])
    inner.put("a", there)
    assert not store.replace("a", there, b"mine")
    assert store.create("a", b"mine", 60)
    assert not store.create("a", b"other")
    assert store.get_many(["a"]) == {"a": b"mine"}
    inner.put("a", there)
    store.put("a", b"put")
    assert store.get_many(["a"]) == {"a": b"put"}


def test_of_many_that_take_the_place_of_the_unsigned_one_wins() -> None:
    inner = MemoryKV()
    for turn in range(50):
        inner.put(f"{turn}", b"unsigned")
        gate = threading.Barrier(4)

        def create(number: int, turn: int = turn, gate: threading.Barrier = gate) -> bool:
            store = SignedKV(inner, [ONE])
            gate.wait()
            return store.create(f"{turn}", b"%d" % number)

        with ThreadPoolExecutor(4) as pool:
            won = list(pool.map(create, range(4)))
        assert sum(won) == 1
        assert SignedKV(inner, [ONE]).get_many([f"{turn}"]) == {f"{turn}": b"%d" % won.index(True)}


class Busy(MemoryKV):
    """Somebody writes again and again."""

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        self.put(key, old + b"x")
        return super().replace(key, old, new, ttl)


def test_who_writes_all_the_time_is_told_of() -> None:
    inner = Busy()
    inner.put("a", b"unsigned")
    with pytest.raises(StoreUnavailable, match="the bucket: others write 'a' all the time"):
        SignedKV(inner, [ONE], place="the bucket").create("a", b"mine")


def test_it_is_told_once() -> None:
    inner, told = MemoryKV(), list[str]()
    store = SignedKV(inner, [ONE], place="gs://b/team", warn=told.append)
    store.put("signed", b"1")
    assert store.get_many(["signed", "absent"]) == {"signed": b"1"}
    assert told == []
    inner.put_many({"a": b"1", "b": b"2"})
    store.get_many(["a", "b"])
    list(store.scan(""))
    (text,) = told
    assert text.startswith("gs://b/team: records that none of this machine's signing keys has signed are not used")
    assert "expops cache push" in text


def test_who_has_no_keys_is_told_of_them_and_hides_nothing_from_others() -> None:
    inner = MemoryKV()
    signed, store, another = SignedKV(inner, [ONE]), *(UnsignedKV(inner, place="gs://b/mixed") for _ in range(2))
    store.put("a", b"1")
    assert store.get_many(["a"]) == {"a": b"1"}
    signed.put_many({"a": b"2", "b": b"3"})
    uses: list[Callable[[], object]] = [
        lambda: store.get_many(["a", "b"]),
        lambda: list(store.scan("")),
        lambda: another.put("a", b"4"),
        lambda: another.put_many({"c": b"4"}),
        lambda: another.create("a", b"4"),
        lambda: another.replace("a", b"1", b"4"),
    ]
    for use in uses:
        with pytest.raises(StoreUnavailable, match=r"gs://b/mixed holds signed records.*EXPOPS_SIGNING_KEYS"):
            use()
    assert signed.get_many(["a", "b", "c"]) == {"a": b"2", "b": b"3"}


def test_without_keys_there_is_no_store() -> None:
    with pytest.raises(ValueError, match="without a key"):
        SignedKV(MemoryKV(), [])
