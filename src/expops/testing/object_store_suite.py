"""What every object store must do; subclass :class:`ObjectStoreSuite` in a test file to check yours."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ..blobs.base import ObjectStore
from ..errors import CorruptData
from ..hashing.digest import digest_bytes

SIZES = [0, 1, 1000, (64 << 10) - 1, 64 << 10, (1 << 20) - 1, 1 << 20, (3 << 20) + 17]
"""Sizes around those at which stores change their ways."""

NO_DIGESTS = [
    "",
    "a" * 63,
    "a" * 65,
    "A" * 64,
    "g" * 64,
    "a" * 64 + "\n",
    "../" + "a" * 61,
    "/" + "a" * 63,
    "aa/" + "a" * 61,
    "a" * 63 + "\0",
    "٣" * 64,
]
"""What a store must refuse, since it could name something outside of it."""


def content(size: int, seed: object = 0) -> bytes:
    """Bytes of that size, the same each time, that don't compress and differ by ``seed``."""
    return random.Random(f"{size} {seed}").randbytes(size)


class ObjectStoreSuite:
    """Tests of the contract in :mod:`expops.blobs.base`.

    A subclass gives a fixture ``store``, empty or not, and :meth:`corrupt`; where bytes at rest can't be altered,
    it sets ``test_damage_is_found = None`` instead.
    """

    examples: ClassVar[int] = 30
    """How many random sequences of calls to try."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        """The store to test."""
        raise NotImplementedError("a subclass of ObjectStoreSuite defines the fixture 'store'")

    def corrupt(self, store: Any, digest: str) -> None:
        """Alter the stored bytes of a blob behind the store's back."""
        raise NotImplementedError("a subclass of ObjectStoreSuite defines 'corrupt'")

    @pytest.mark.parametrize("size", SIZES)
    def test_bytes_come_back(self, store: ObjectStore, size: int) -> None:
        """Whole, by reading and by mapping."""
        data = content(size)
        store.put(digest_bytes(data), data)
        assert store.get(digest_bytes(data)) == data
        assert store.map(digest_bytes(data)) == data

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_any_buffer_is_taken(self, store: ObjectStore, kind: type) -> None:
        """And none is kept: writing to it later alters nothing."""
        data = content(100, kind)
        buffer = kind(bytearray(data))
        store.put(digest_bytes(data), buffer)
        if kind is not bytes:
            buffer[0] ^= 1
        assert store.get(digest_bytes(data)) == data

    def test_items_of_a_buffer_need_not_be_bytes(self, store: ObjectStore) -> None:
        """An array's memory is taken byte by byte."""
        data = content(800, "doubles")
        doubles: Any = memoryview(data).cast("d")
        store.put(digest_bytes(data), doubles)
        assert store.get(digest_bytes(data)) == data

    @pytest.mark.parametrize("size", SIZES)
    def test_files_are_copied(self, store: ObjectStore, tmp_path: Path, size: int) -> None:
        """The source stays, and writing to it later alters nothing."""
        data = content(size, "file")
        source = tmp_path / "source"
        source.write_bytes(data)
        store.put(digest_bytes(data), source)
        assert source.read_bytes() == data
        source.write_bytes(b"other")
        assert store.get(digest_bytes(data)) == data

    def test_missing(self, store: ObjectStore) -> None:
        """A blob that isn't there is a ``KeyError`` that names it."""
        digest = digest_bytes(b"never stored")
        for read in (lambda: store.get(digest), lambda: store.get(digest, (0, 1)), lambda: store.map(digest)):
            with pytest.raises(KeyError, match=digest):
                read()

    @pytest.mark.parametrize("size", [1000, 2 << 20])
    def test_ranges(self, store: ObjectStore, size: int) -> None:
        """As slices of the whole: from, up to and not including, cut at the end."""
        data = content(size)
        digest = digest_bytes(data)
        store.put(digest, data)
        for start, stop in [(0, size), (0, 1), (5, 5), (7, 900), (size - 1, size), (10, size + 10), (size, size + 1)]:
            assert store.get(digest, (start, stop)) == data[start:stop]

    @pytest.mark.parametrize("bad", [(-1, 5), (5, 3), (-5, -3)])
    def test_ranges_that_are_none(self, store: ObjectStore, bad: tuple[int, int]) -> None:
        """Below 0 or backwards is the caller's mistake."""
        data = content(10)
        store.put(digest_bytes(data), data)
        with pytest.raises(ValueError):
            store.get(digest_bytes(data), bad)

    @pytest.mark.parametrize("size", [1000, 100_000, 2 << 20])
    def test_mapped_memory_is_private(self, store: ObjectStore, size: int) -> None:
        """It can be written to, and neither the store nor another mapping sees that."""
        data = content(size)
        digest = digest_bytes(data)
        store.put(digest, data)
        mine, other = store.map(digest), store.map(digest)
        assert not mine.readonly
        assert mine.format == "B"
        mine[:] = bytes(size)
        assert other == data
        assert store.get(digest) == data
        assert store.map(digest) == data

    def test_mapped_memory_outlives_the_blob(self, store: ObjectStore) -> None:
        """Deleting a blob takes nothing from those who have it."""
        data = content(2 << 20, "outlives")
        store.put(digest_bytes(data), data)
        view = store.map(digest_bytes(data))
        store.delete([digest_bytes(data)])
        assert view == data

    def test_put_is_create_only(self, store: ObjectStore) -> None:
        """A blob that is there stays as it is."""
        data = content(500, "first")
        digest = digest_bytes(data)
        store.put(digest, data)
        store.put(digest, data)
        store.put(digest, content(500, "another"))
        assert store.get(digest) == data

    def test_exists_many(self, store: ObjectStore) -> None:
        """Those that are there, and no others."""
        there = {digest_bytes(content(10, n)): content(10, n) for n in range(5)}
        for digest, data in there.items():
            store.put(digest, data)
        absent = digest_bytes(b"absent")
        assert store.exists_many([*there, absent, absent]) == set(there)
        assert store.exists_many(iter(there)) == set(there)
        assert store.exists_many([]) == set()

    def test_delete(self, store: ObjectStore) -> None:
        """Those that don't exist are no error; what was deleted can be stored again."""
        data = content(50, "deleted")
        digest = digest_bytes(data)
        store.put(digest, data)
        store.delete([digest, digest_bytes(b"absent")])
        store.delete([digest])
        assert store.exists_many([digest]) == set()
        with pytest.raises(KeyError):
            store.get(digest)
        store.put(digest, data)
        assert store.get(digest) == data

    def test_list(self, store: ObjectStore) -> None:
        """Each blob once, with its size."""
        blobs = [content(size, "list") for size in (0, 3, 5000)]
        for data in blobs:
            store.put(digest_bytes(data), data)
        listed = list(store.list())
        assert {(digest_bytes(data), len(data)) for data in blobs} <= set(listed)
        assert len(listed) == len(set(listed))

    def test_settled(self, store: ObjectStore) -> None:
        """What was put just now is not settled. (A minute more or less: clocks may differ.)"""
        blobs = [content(size, "settled") for size in (1, 5000)]
        for data in blobs:
            store.put(digest_bytes(data), data)
        named = {(digest_bytes(data), len(data)) for data in blobs}
        assert not named & set(store.settled(3600.0))
        assert named <= set(store.settled(-60.0))

    def test_check(self, store: ObjectStore) -> None:
        """It reads what may be trusted otherwise."""
        for size in (0, 10, 3 << 20):
            data = content(size, "check")
            store.put(digest_bytes(data), data)
            store.check(digest_bytes(data))
        with pytest.raises(KeyError):
            store.check(digest_bytes(b"check nothing"))

    @pytest.mark.parametrize("name", NO_DIGESTS)
    def test_only_digests_are_names(self, store: ObjectStore, name: str) -> None:
        """Anything else is refused by every method, before anything is done."""
        calls: list[Callable[[], object]] = [
            lambda: store.get(name),
            lambda: store.map(name),
            lambda: store.check(name),
            lambda: store.put(name, b""),
            lambda: store.exists_many([name]),
            lambda: store.delete([name]),
        ]
        for call in calls:
            with pytest.raises(ValueError):
                call()

    @pytest.mark.parametrize("size", [1, 1000, 100_000, 2 << 20])
    @pytest.mark.parametrize("way", ["get", "map", "range", "check"])
    def test_damage_is_found(self, store: ObjectStore, size: int, way: str) -> None:
        """Then the blob is out of the way, and can be written anew."""
        data = content(size, way)
        digest = digest_bytes(data)
        store.put(digest, data)
        self.corrupt(store, digest)
        with pytest.raises(CorruptData, match=digest[2:]):
            _read(store, digest, way)
        assert store.exists_many([digest]) == set()
        assert digest not in dict(store.list())
        with pytest.raises(KeyError):
            store.get(digest)
        store.put(digest, data)
        assert store.get(digest) == data

    def test_threads_put_the_same_blob(self, store: ObjectStore) -> None:
        """All succeed, and the blob is whole at every moment at which it is there."""
        data = content(300_000, "race")
        digest = digest_bytes(data)

        def worker(_: int) -> None:
            for _ in range(5):
                store.put(digest, data)
                assert store.map(digest) == data
                assert store.get(digest) == data

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(worker, range(8)))

    def test_threads_share_a_store(self, store: ObjectStore) -> None:
        """Each finds its own blobs while others write, read and delete theirs."""

        def worker(me: int) -> None:
            for number in range(10):
                data = content(1000 + number, me)
                digest = digest_bytes(data)
                store.put(digest, data)
                assert store.get(digest) == data
                store.delete([digest])
                assert store.exists_many([digest]) == set()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(worker, range(8)))

    def test_behaves_as_a_dict_would(self, store: ObjectStore) -> None:
        """Random sequences of calls against a model."""
        machine: Any = partial(_Machine, store)  # a factory serves as well as a class
        run_state_machine_as_test(
            machine, settings=settings(max_examples=self.examples, stateful_step_count=20, deadline=None)
        )


blobs = st.binary(max_size=3)


def _read(store: ObjectStore, digest: str, way: str) -> None:
    if way == "check":
        store.check(digest)
    elif way == "map":
        store.map(digest)
    else:
        store.get(digest, (0, 1) if way == "range" else None)


class _Machine(RuleBasedStateMachine):
    """Few different blobs, so that the same ones meet again."""

    runs = 0

    def __init__(self, store: ObjectStore) -> None:
        super().__init__()
        type(self).runs += 1
        self.salt = hashlib.sha256(str(self.runs).encode()).digest()
        self.store = store
        self.model: dict[str, bytes] = {}

    def named(self, blob: bytes) -> tuple[str, bytes]:
        data = self.salt + blob
        return digest_bytes(data), data

    @rule(blob=blobs)
    def put(self, blob: bytes) -> None:
        digest, data = self.named(blob)
        self.store.put(digest, data)
        self.model[digest] = data

    @rule(blob=blobs)
    def read(self, blob: bytes) -> None:
        digest, data = self.named(blob)
        if digest in self.model:
            assert self.store.get(digest) == data
            assert self.store.map(digest) == data
        else:
            with pytest.raises(KeyError):
                self.store.get(digest)

    @rule(some=st.lists(blobs, max_size=3))
    def delete(self, some: list[bytes]) -> None:
        digests = [self.named(blob)[0] for blob in some]
        self.store.delete(digests)
        for digest in digests:
            self.model.pop(digest, None)

    @rule(some=st.lists(blobs, max_size=5))
    def exists(self, some: list[bytes]) -> None:
        digests = [self.named(blob)[0] for blob in some]
        assert self.store.exists_many(digests) == self.model.keys() & set(digests)

    @invariant()
    def holds_the_model(self) -> None:
        assert {(digest, len(data)) for digest, data in self.model.items()} <= set(self.store.list())

    def teardown(self) -> None:
        self.store.delete(self.model)
