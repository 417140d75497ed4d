"""Blobs and records in buckets keep the contracts, in memory and in a folder; tests/services has the real servers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_memory import blobs, corrupt, folder_bucket, kv, memory_bucket

from expops.blobs.base import ObjectStore
from expops.blobs.bucket import BucketStore
from expops.buckets.bucket import PART, Bucket
from expops.errors import CorruptData, StoreUnavailable
from expops.hashing.digest import digest_bytes
from expops.kv._envelope import Record, pack, unpack
from expops.kv._names import folder_of, key_of, name_of
from expops.kv.base import KVStore
from expops.testing.kv_suite import ODD_KEYS, KVStoreSuite
from expops.testing.object_store_suite import ObjectStoreSuite, content


@pytest.fixture(params=["memory", "folder"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bucket]:
    made = memory_bucket() if request.param == "memory" else folder_bucket(tmp_path)
    yield made
    made.close()


class TestBlobs(ObjectStoreSuite):
    examples = 8

    @pytest.fixture
    def store(self, bucket: Bucket) -> ObjectStore:
        return blobs(bucket)

    def corrupt(self, store: BucketStore, digest: str) -> None:
        corrupt(store, digest)


class TestRecords(KVStoreSuite):
    examples = 8

    @pytest.fixture
    def store(self, bucket: Bucket) -> KVStore:
        return kv(bucket)


keys = st.one_of(
    st.sampled_from(ODD_KEYS),
    st.text(st.characters() | st.sampled_from("\0\ud800/.=ABab")),
    st.text(alphabet="ab/.=A", min_size=180, max_size=900),
)


@given(keys)
def test_names_are_safe_and_tell_the_key(key: str) -> None:
    name = name_of(key)
    parts = name.split("/")
    assert len(name) < 700
    assert all(0 < len(part) < 256 and part not in (".", "..") for part in parts)
    assert name == name.lower()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-=./")
    if not name.startswith("long/"):
        assert key_of(name) == key


@given(keys, keys)
def test_different_keys_have_different_names(one: str, other: str) -> None:
    assert (name_of(one) == name_of(other)) == (one == other)


@given(keys, st.integers(0, 100))
def test_what_begins_with_a_prefix_lies_in_its_folder(key: str, cut: int) -> None:
    name = name_of(key)
    if name.startswith("records/"):
        assert name.startswith(folder_of(key[:cut]) + "/")


records = st.builds(Record, keys, st.binary(), st.floats(0, 1e12), st.binary(min_size=16, max_size=16))


@given(records)
def test_records_come_back(record: Record) -> None:
    assert unpack(pack(record)) == record


@given(records, st.data())
def test_every_flip_and_cut_of_a_record_is_seen(record: Record, data: st.DataObject) -> None:
    whole = pack(record)
    place = data.draw(st.integers(0, len(whole) - 1))
    assert unpack(whole[:place]) is None
    assert (
        unpack(whole[:place] + bytes([whole[place] ^ (1 << data.draw(st.integers(0, 7)))]) + whole[place + 1 :]) is None
    )
    assert unpack(whole + b"\0") is None


def test_a_record_can_not_stand_for_another(bucket: Bucket) -> None:
    store = kv(bucket)
    told: list[str] = []
    bucket.warn = told.append
    store.put("result/one", b"1")
    found = bucket.get(name_of("result/one"), 1000)
    assert found is not None
    bucket.put(name_of("result/two"), found.data)
    assert store.get_many(["result/two"]) == {}
    assert len(told) == 1
    assert "damaged" in told[0]


def test_what_is_too_large_is_not_read(bucket: Bucket) -> None:
    store = blobs(bucket)
    data = content(1000)
    store.put(digest_bytes(data), data)
    taken: list[bytes] = []
    with pytest.raises(StoreUnavailable, match="no room"):
        store.fetch(digest_bytes(data), taken.extend, limit=999)
    assert not taken
    with pytest.raises(CorruptData, match="more than it may have"):
        bucket.get(f"blobs/{digest_bytes(data)[:2]}/{digest_bytes(data)[2:]}", 999)


def test_a_file_that_changes_while_it_goes_up_is_not_there(bucket: Bucket, tmp_path: Path) -> None:
    store = blobs(bucket)
    for size in (1000, 2 * PART + 1):
        data = content(size)
        source = tmp_path / "source"
        source.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(CorruptData, match="changed while it was stored"):
            store.put(digest_bytes(data), source)
        assert store.exists_many([digest_bytes(data)]) == set()
        source.write_bytes(data)
        store.put(digest_bytes(data), source)
        assert store.get(digest_bytes(data)) == data


def test_a_blob_that_was_cut_short_is_written_anew(bucket: Bucket) -> None:
    store = blobs(bucket)
    for size in (1000, PART + 1):
        data = content(size)
        bucket.put(f"blobs/{digest_bytes(data)[:2]}/{digest_bytes(data)[2:]}", data[:-1])
        store.put(digest_bytes(data), data)
        assert store.get(digest_bytes(data)) == data


def test_of_many_who_replace_an_expired_lease_one_wins(tmp_path: Path) -> None:
    bucket = folder_bucket(tmp_path)
    store = kv(bucket)
    assert store.create("lease/a", b"old", ttl=0.001)
    time.sleep(0.01)
    wins: list[int] = []

    def replace(number: int) -> None:
        if store.create("lease/a", b"%d" % number):
            wins.append(number)

    threads = [threading.Thread(target=replace, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert store.get_many(["lease/a"]) == {"lease/a": b"%d" % wins[0]}


def test_after_a_failure_a_bucket_rests(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = blobs(folder_bucket(tmp_path / "file"))
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="can't be used"):
            store.exists_many(["a" * 64])
    (tmp_path / "file").unlink()
    with pytest.raises(StoreUnavailable, match="can't be used"):
        store.exists_many(["a" * 64])


def test_a_child_of_a_fork_is_told(bucket: Bucket) -> None:
    store = kv(bucket)
    store.put_many({"a": b"1", "b": b"2"})
    child = os.fork()
    if child == 0:
        code = 1
        try:
            store.get_many(["a", "b"])
        except StoreUnavailable:
            code = 0
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get_many(["a"]) == {"a": b"1"}
