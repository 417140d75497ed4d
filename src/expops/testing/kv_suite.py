"""What every KV store must do; subclass :class:`KVStoreSuite` in a test file to check yours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ..kv.base import KVStore

PATIENCE = 30.0
"""Seconds for which an entry that has expired may still show: the clocks of stores differ."""

_RUN = count()
ODD_KEYS = [
    "",
    " ",
    "\0",
    "a\0b",
    "a",
    "a/b/../c",
    "%_*?[x]\\",
    "'; DROP TABLE kv; --",
    "\x7f",
    "ä",
    "a\u0308",
    "\ud7ff",
    "\ud800",
    "\udfff",
    "\ue000",
    "\uffff",
    "\U00010000",
    "\U0010ffff",
    "long" * 5000,
]
"""Keys that stores are known to mix up, cut, order wrongly or refuse."""

keys = st.text(st.characters() | st.sampled_from("\0\ud800\udfff/ab"), max_size=4)
values = st.binary(max_size=50)


class KVStoreSuite:
    """Tests of the contract in :mod:`expops.kv.base`.

    A subclass gives a fixture ``store``; and, where several clients can share the data, a fixture ``second``
    that is another client of the same data. Other data may be in the store: each test has a prefix of its own.
    """

    examples: ClassVar[int] = 30
    """How many random sequences of calls to try."""

    @pytest.fixture
    def store(self) -> KVStore:
        """The store to test."""
        raise NotImplementedError("a subclass of KVStoreSuite defines the fixture 'store'")

    @pytest.fixture
    def second(self, store: KVStore) -> KVStore:
        """Another client of the same data."""
        return store

    @pytest.fixture
    def at(self) -> str:
        """A prefix that no other test uses."""
        return f"suite-{time.time_ns()}-{next(_RUN)}/"

    def test_values_come_back(self, store: KVStore, second: KVStore, at: str) -> None:
        """Written by one client, read by another."""
        store.put(at + "a", b"\x00\xff")
        store.put(at + "empty", b"")
        assert second.get_many([at + "a", at + "empty"]) == {at + "a": b"\x00\xff", at + "empty": b""}

    def test_absent_keys_are_left_out(self, store: KVStore, at: str) -> None:
        """Only what exists is in the answer, also if asked for twice or not at all."""
        store.put(at + "a", b"1")
        assert store.get_many([at + "a", at + "b", at + "a"]) == {at + "a": b"1"}
        assert store.get_many([at + "b"]) == {}
        assert store.get_many([]) == {}

    def test_keys_may_be_any_iterable(self, store: KVStore, at: str) -> None:
        """A generator serves."""
        store.put(at + "a", b"1")
        assert store.get_many(key for key in [at + "a"]) == {at + "a": b"1"}
        store.delete(key for key in [at + "a"])
        assert store.get_many([at + "a"]) == {}

    def test_put_replaces(self, store: KVStore, second: KVStore, at: str) -> None:
        """The last write counts, whoever it was."""
        store.put(at + "a", b"1")
        second.put(at + "a", b"2")
        assert store.get_many([at + "a"]) == {at + "a": b"2"}

    def test_many_keys(self, store: KVStore, at: str) -> None:
        """Thousands in one call, written, read and deleted."""
        items = {f"{at}{number}": b"%d" % number for number in range(2500)}
        store.put_many(items)
        store.put_many({})
        assert store.get_many(items) == items
        store.delete(items)
        assert list(store.scan(at)) == []

    def test_put_many_replaces(self, store: KVStore, at: str) -> None:
        """As put does."""
        store.put(at + "a", b"old")
        store.put_many({at + "a": b"new", at + "b": b""})
        assert dict(store.scan(at)) == {at + "a": b"new", at + "b": b""}

    def test_delete(self, store: KVStore, at: str) -> None:
        """Those that don't exist are no error."""
        store.put_many({at + "a": b"1", at + "b": b"2"})
        store.delete([at + "a", at + "none"])
        store.delete([])
        assert dict(store.scan(at)) == {at + "b": b"2"}

    @pytest.mark.parametrize("size", [1 << 20, 4 << 20])
    def test_big_values(self, store: KVStore, at: str, size: int) -> None:
        """A MiB is promised; one of four is either kept whole or refused, as the backend says."""
        value = bytes(range(256)) * (size // 256)
        store.put(at + "big", value)
        assert store.get_many([at + "big"])[at + "big"] == value

    def test_odd_keys_stay_apart(self, store: KVStore, at: str) -> None:
        """Each key of any alphabet and length is itself, and no other."""
        items = {at + key: b"%d" % number for number, key in enumerate(ODD_KEYS)}
        store.put_many(items)
        assert store.get_many(items) == items
        for key, value in items.items():
            assert store.get_many([key]) == {key: value}
            assert not store.create(key, b"other")

    def test_scan_is_ordered_by_code_point(self, store: KVStore, at: str) -> None:
        """Not by locale, case, UTF-16 or time of writing."""
        items = {at + key: b"%d" % number for number, key in enumerate(ODD_KEYS)}
        store.put_many(items)
        assert list(store.scan(at)) == sorted(items.items())

    @pytest.mark.parametrize("prefix", ODD_KEYS)
    def test_scan_takes_the_prefix_literally(self, store: KVStore, at: str, prefix: str) -> None:
        """No wildcards, no case folding, nothing beyond the prefix."""
        near = {prefix, prefix + "a", prefix + "\U0010ffff", prefix[:-1], prefix.swapcase(), "a" + prefix, "x"}
        store.put_many({at + key: b"" for key in near})
        expected = sorted(at + key for key in near if key.startswith(prefix))
        assert [key for key, _ in store.scan(at + prefix)] == expected

    def test_scan_of_everything(self, store: KVStore, at: str) -> None:
        """The empty prefix matches every key."""
        store.put(at + "a", b"1")
        assert (at + "a", b"1") in list(store.scan(""))

    def test_scan_while_others_write(self, store: KVStore, second: KVStore, at: str) -> None:
        """What is there from start to end is seen once, in order, whatever is written meanwhile."""
        lasting = {f"{at}{number:04}": b"%d" % number for number in range(600)}
        store.put_many(lasting)
        seen = []
        for number, (key, _) in enumerate(store.scan(at)):
            seen.append(key)
            if number % 50 == 0:
                second.put(f"{at}{number:04}-new", b"")
                second.delete([f"{at}{number - 50:04}-new"])
        assert [key for key in seen if not key.endswith("-new")] == sorted(lasting)
        assert seen == sorted(set(seen))

    def test_create(self, store: KVStore, second: KVStore, at: str) -> None:
        """The first one writes; after a delete the next one does."""
        assert store.create(at + "a", b"1")
        assert not second.create(at + "a", b"2")
        assert store.get_many([at + "a"]) == {at + "a": b"1"}
        second.delete([at + "a"])
        assert store.create(at + "a", b"3", ttl=3600)
        assert not store.create(at + "a", b"4", ttl=3600)
        assert second.get_many([at + "a"]) == {at + "a": b"3"}

    def test_create_does_not_replace_what_was_put(self, store: KVStore, at: str) -> None:
        """An entry without a time to live is never expired."""
        store.put(at + "a", b"1")
        assert not store.create(at + "a", b"2", ttl=0.01)
        assert store.get_many([at + "a"]) == {at + "a": b"1"}

    def test_expired_entries_are_absent(self, store: KVStore, second: KVStore, at: str) -> None:
        """For reads, scans and create alike."""
        assert store.create(at + "a", b"1", ttl=0.2)
        assert store.create(at + "b", b"1", ttl=3600)
        _until(lambda: store.get_many([at + "a"]) == {})
        assert dict(second.scan(at)) == {at + "b": b"1"}
        assert second.create(at + "a", b"2")
        assert store.get_many([at + "a"]) == {at + "a": b"2"}

    def test_put_makes_an_entry_last(self, store: KVStore, at: str) -> None:
        """The time to live goes with the value that it was given for."""
        assert store.create(at + "a", b"1", ttl=0.1)
        store.put(at + "a", b"2")
        assert store.create(at + "clock", b"", ttl=0.15)
        _until(lambda: store.get_many([at + "clock"]) == {})
        assert store.get_many([at + "a"]) == {at + "a": b"2"}

    def test_replace(self, store: KVStore, second: KVStore, at: str) -> None:
        """Only the value that is there is replaced, and each replacement is seen by the other client."""
        assert not store.replace(at + "a", b"", b"1")
        assert store.create(at + "a", b"1")
        assert not second.replace(at + "a", b"2", b"3")
        assert not second.replace(at + "a", b"", b"3")
        assert second.replace(at + "a", b"1", b"2\0\xff")
        assert not store.replace(at + "a", b"1", b"4")
        assert store.get_many([at + "a"]) == second.get_many([at + "a"]) == {at + "a": b"2\0\xff"}
        assert store.replace(at + "a", b"2\0\xff", b"")
        assert list(second.scan(at)) == [(at + "a", b"")]

    def test_replace_by_nothing_deletes(self, store: KVStore, second: KVStore, at: str) -> None:
        """Of the value that is there only; afterwards whoever comes first creates it."""
        store.create(at + "a", b"1")
        assert not second.replace(at + "a", b"2", None)
        assert second.replace(at + "a", b"1", None)
        assert not store.replace(at + "a", b"1", None)
        assert not store.replace(at + "a", b"", b"2")
        assert store.get_many([at + "a"]) == {}
        assert list(second.scan(at)) == []
        assert second.create(at + "a", b"3")
        assert not store.create(at + "a", b"4")

    def test_what_expired_is_not_replaced(self, store: KVStore, at: str) -> None:
        """It is as if it weren't there; and a replacement lives as long as it says, not as what it replaces."""
        assert store.create(at + "short", b"1", ttl=0.2)
        assert store.create(at + "lasting", b"1", ttl=3600)
        assert store.replace(at + "lasting", b"1", b"2", ttl=0.2)
        assert store.create(at + "forever", b"1", ttl=PATIENCE)
        assert store.replace(at + "forever", b"1", b"2")
        _until(lambda: store.get_many([at + "short", at + "lasting"]) == {})
        assert not store.replace(at + "short", b"1", b"2")
        assert not store.replace(at + "lasting", b"2", b"3")
        assert store.get_many([at + "forever"]) == {at + "forever": b"2"}

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_odd_keys_are_replaced(self, store: KVStore, at: str, key: str) -> None:
        """Keys of any alphabet and length."""
        store.create(at + key, b"1")
        assert store.replace(at + key, b"1", b"2")
        assert store.get_many([at + key]) == {at + key: b"2"}
        assert store.replace(at + key, b"2", None)

    @pytest.mark.parametrize("deletes", [False, True])
    def test_of_many_replacers_one_wins(self, store: KVStore, second: KVStore, at: str, deletes: bool) -> None:
        """Exactly one, for each key, and its value is what all then read."""
        threads = 8
        barrier = threading.Barrier(threads)
        for number in range(10):
            assert store.create(f"{at}{number}", b"start")

        def replacer(me: int) -> list[bool]:
            barrier.wait()
            mine = store if me % 2 else second
            new = None if deletes else b"%d" % me
            return [mine.replace(f"{at}{number}", b"start", new) for number in range(10)]

        with ThreadPoolExecutor(threads) as pool:
            wins = list(pool.map(replacer, range(threads)))
        for number in range(10):
            winners = [me for me in range(threads) if wins[me][number]]
            assert len(winners) == 1
            expected = {} if deletes else {f"{at}{number}": b"%d" % winners[0]}
            assert store.get_many([f"{at}{number}"]) == expected

    def test_counting_by_replacement_loses_nothing(self, store: KVStore, second: KVStore, at: str) -> None:
        """As many additions as succeeded are in the sum."""
        threads, each = 4, 5
        assert store.create(at + "sum", b"0")

        def adder(me: int) -> None:
            mine = store if me % 2 else second
            for _ in range(each):
                while True:
                    before = mine.get_many([at + "sum"])[at + "sum"]
                    if mine.replace(at + "sum", before, b"%d" % (int(before) + 1)):
                        break

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(adder, range(threads)))
        assert store.get_many([at + "sum"]) == {at + "sum": b"%d" % (threads * each)}

    @pytest.mark.parametrize("ttl", [None, 3600.0])
    def test_of_many_creators_one_wins(self, store: KVStore, second: KVStore, at: str, ttl: float | None) -> None:
        """Exactly one, for each key, and its value is what all then read."""
        threads = 8
        barrier = threading.Barrier(threads)

        def creator(me: int) -> list[bool]:
            barrier.wait()
            mine = store if me % 2 else second
            return [mine.create(f"{at}{number}", b"%d" % me, ttl) for number in range(20)]

        with ThreadPoolExecutor(threads) as pool:
            wins = list(pool.map(creator, range(threads)))
        for number in range(20):
            winners = [me for me in range(threads) if wins[me][number]]
            assert len(winners) == 1
            assert store.get_many([f"{at}{number}"]) == {f"{at}{number}": b"%d" % winners[0]}

    def test_threads_share_a_store(self, store: KVStore, second: KVStore, at: str) -> None:
        """Each reads its own writes and never half of another's."""

        def worker(me: int) -> None:
            mine = store if me % 2 else second
            for number in range(20):
                own = f"{at}{me}/{number}"
                mine.put_many({own: b"%d" % number, f"{at}common": bytes([me]) * 5000})
                found = mine.get_many([own, f"{at}common"])
                assert found[own] == b"%d" % number
                assert len(set(found[f"{at}common"])) == 1

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(worker, range(8)))
        store.flush()
        second.flush()
        assert len(list(store.scan(at))) == 8 * 20 + 1

    def test_behaves_as_a_dict_would(self, store: KVStore) -> None:
        """Random sequences of calls against a model."""
        machine: Any = partial(_Machine, store)  # a factory serves as well as a class
        run_state_machine_as_test(
            machine, settings=settings(max_examples=self.examples, stateful_step_count=20, deadline=None)
        )

    def test_flush_shows_all_to_others(self, store: KVStore, second: KVStore, at: str) -> None:
        """Whatever the store held back until then."""
        store.flush()
        store.put_many({f"{at}{number}": b"%d" % number for number in range(10)})
        store.flush()
        assert len(second.get_many(f"{at}{number}" for number in range(10))) == 10
        assert len(list(second.scan(at))) == 10

    def test_close_twice(self, store: KVStore, at: str) -> None:
        """Is no error, whether the store was used or not."""
        store.put(at + "a", b"1")
        store.close()
        store.close()


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "an entry did not expire"
        time.sleep(0.02)


class _Machine(RuleBasedStateMachine):
    def __init__(self, store: KVStore) -> None:
        super().__init__()
        self.store = store
        self.at = f"suite-{time.time_ns()}-{next(_RUN)}/"
        self.model: dict[str, bytes] = {}

    @rule(key=keys, value=values)
    def put(self, key: str, value: bytes) -> None:
        self.store.put(self.at + key, value)
        self.model[key] = value

    @rule(items=st.dictionaries(keys, values, max_size=5))
    def put_many(self, items: dict[str, bytes]) -> None:
        self.store.put_many({self.at + key: value for key, value in items.items()})
        self.model.update(items)

    @rule(key=keys, value=values, ttl=st.sampled_from([None, 3600.0]))
    def create(self, key: str, value: bytes, ttl: float | None) -> None:
        assert self.store.create(self.at + key, value, ttl) is (key not in self.model)
        self.model.setdefault(key, value)

    @rule(key=keys, old=values, new=st.none() | values, right=st.booleans(), ttl=st.sampled_from([None, 3600.0]))
    def replace(self, key: str, old: bytes, new: bytes | None, right: bool, ttl: float | None) -> None:
        if right:
            old = self.model.get(key, old)
        assert self.store.replace(self.at + key, old, new, ttl) is (self.model.get(key) == old)
        if self.model.get(key) != old:
            return
        if new is None:
            del self.model[key]
        else:
            self.model[key] = new

    @rule(some=st.lists(keys, max_size=5))
    def delete(self, some: list[str]) -> None:
        self.store.delete([self.at + key for key in some])
        for key in some:
            self.model.pop(key, None)

    @rule(some=st.lists(keys, max_size=12))
    def get_many(self, some: list[str]) -> None:
        expected = {self.at + key: self.model[key] for key in some if key in self.model}
        assert self.store.get_many([self.at + key for key in some]) == expected

    @rule(prefix=keys)
    def scan(self, prefix: str) -> None:
        expected = [(self.at + key, self.model[key]) for key in sorted(self.model) if key.startswith(prefix)]
        assert list(self.store.scan(self.at + prefix)) == expected

    @invariant()
    def holds_the_model(self) -> None:
        assert list(self.store.scan(self.at)) == [(self.at + key, self.model[key]) for key in sorted(self.model)]
