"""Blobs and records in buckets keep the contracts, on real servers and in a folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud import KINDS, Cloud, cloud, new_bucket

from expops.blobs.base import ObjectStore
from expops.blobs.bucket import BucketStore
from expops.buckets.bucket import PART, Bucket
from expops.buckets.clients import connect
from expops.buckets.place import Place
from expops.hashing.digest import digest_bytes
from expops.kv.base import KVStore
from expops.kv.bucket import BucketKV
from expops.testing.kv_suite import KVStoreSuite
from expops.testing.object_store_suite import ObjectStoreSuite, content

pytestmark = pytest.mark.service


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(request.param, tmp_path_factory.mktemp("clouds")) as found:
        yield found


@pytest.fixture
def place(server: Cloud) -> Place:
    return Place(server.kind, new_bucket(server), "team/project")


def opened(place: Place, server: Cloud) -> Bucket:
    return Bucket(place, connect(place, server.environment))


@pytest.fixture
def bucket(place: Place, server: Cloud) -> Iterator[Bucket]:
    made = opened(place, server)
    yield made
    made.close()


@pytest.fixture
def another(place: Place, server: Cloud) -> Iterator[Bucket]:
    made = opened(place, server)
    yield made
    made.close()


class TestBlobs(ObjectStoreSuite):
    examples = 8

    @pytest.fixture
    def store(self, bucket: Bucket) -> ObjectStore:
        return BucketStore(lambda: bucket)

    def corrupt(self, store: BucketStore, digest: str) -> None:
        bucket, name = store._bucket(), f"blobs/{digest[:2]}/{digest[2:]}"
        found = bucket.get(name, 1 << 30)
        assert found is not None
        bucket.put(name, bytes([found.data[0] ^ 1]) + found.data[1:])

    def test_old_blobs_that_are_put_are_new_again(self, store: BucketStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Or else who collects garbage might take them; what is young already is left as it is."""
        bucket = store._bucket()
        for data in (b"old", b"old" * (3 << 20)):
            digest = digest_bytes(data)
            store.put(digest, data)
            name = f"blobs/{digest[:2]}/{digest[2:]}"
            first = bucket.written(name)
            assert first is not None
            time.sleep(1.1)  # the grain of some buckets' clocks
            store.put(digest, data)
            assert store.fresh([digest, digest_bytes(b"nothing")]) == {digest}
            assert bucket.written(name) == first
            with monkeypatch.context() as aged:
                aged.setattr("expops.blobs.bucket._FRESH", -60.0)
                assert store.fresh([digest]) == set()
                store.put(digest, data)
            written = bucket.written(name)
            assert written is not None
            assert written > first
            assert store.get(digest) == data


class TestRecords(KVStoreSuite):
    examples = 8

    @pytest.fixture
    def store(self, bucket: Bucket) -> KVStore:
        return BucketKV(lambda: bucket)

    @pytest.fixture
    def second(self, another: Bucket) -> KVStore:
        return BucketKV(lambda: another)


def test_large_blobs_go_in_parts(bucket: Bucket, tmp_path: Path) -> None:
    store = BucketStore(lambda: bucket)
    data = content(2 * PART + 5)
    (tmp_path / "file").write_bytes(data)
    store.put(digest_bytes(data), tmp_path / "file")
    assert store.get(digest_bytes(data)) == data
    other = content(2 * PART, "bytes")
    store.put(digest_bytes(other), other)
    assert store.get(digest_bytes(other)) == other


def test_a_version_is_replaced_once(bucket: Bucket, another: Bucket) -> None:
    assert bucket.create("one", b"0")
    found = bucket.get("one", 100)
    assert found is not None
    wins: list[int] = []

    def replace(number: int) -> None:
        if (bucket, another)[number % 2].replace("one", b"%d" % number, found.version):
            wins.append(number)

    threads = [threading.Thread(target=replace, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    now = bucket.get("one", 100)
    assert now is not None
    assert now.data == b"%d" % wins[0]


def test_lists_have_more_than_a_page(bucket: Bucket) -> None:
    store = BucketKV(lambda: bucket)
    items = {f"a/{number}": b"" for number in range(1203)}
    store.put_many(items)
    assert dict(store.scan("a/")) == items
    assert list(store.scan("b/")) == []
