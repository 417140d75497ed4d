"""The suites for stores fail stores that break the contract, each in a way that real ones do."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from expops.blobs.base import Bytes
from expops.blobs.memory import MemoryStore
from expops.kv.memory import MemoryKV
from expops.testing.kv_suite import KVStoreSuite
from expops.testing.object_store_suite import ObjectStoreSuite, content

KV, OBJECTS = KVStoreSuite(), ObjectStoreSuite()


class ChecksThenWrites(MemoryKV):
    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        if key in self.get_many([key]):
            return False
        time.sleep(0.001)
        self.put(key, value)
        return True


class ReplacesInTwoSteps(MemoryKV):
    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        if self.get_many([key]).get(key) != old:
            return False
        time.sleep(0.001)
        self.delete([key])
        return new is None or self.create(key, new, ttl)


class NeverExpires(MemoryKV):
    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        return super().create(key, value)


class EndsKeysAtNul(MemoryKV):
    def put_many(self, items: dict[str, bytes]) -> None:  # type: ignore[override]
        super().put_many({key.split("\0")[0]: value for key, value in items.items()})

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        found = {key: super(EndsKeysAtNul, self).get_many([key.split("\0")[0]]) for key in keys}
        return {key: next(iter(value.values())) for key, value in found.items() if value}


class OrdersByUtf16(MemoryKV):
    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        yield from sorted(super().scan(prefix), key=lambda item: item[0].encode("utf-16-be", "surrogatepass"))


class ScansByPattern(MemoryKV):
    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        lower = prefix.lower()
        yield from (item for item in super().scan("") if item[0].lower().startswith(lower))


def test_a_create_that_is_not_atomic_is_found() -> None:
    store = ChecksThenWrites()
    with pytest.raises(AssertionError):
        KV.test_of_many_creators_one_wins(store, store, "x/", None)


@pytest.mark.parametrize("deletes", [False, True])
def test_a_replace_that_is_not_atomic_is_found(deletes: bool) -> None:
    store = ReplacesInTwoSteps()
    with pytest.raises(AssertionError):
        KV.test_of_many_replacers_one_wins(store, store, "x/", deletes)


def test_entries_that_do_not_expire_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("expops.testing.kv_suite.PATIENCE", 0.5)
    store = NeverExpires()
    with pytest.raises(AssertionError, match="did not expire"):
        KV.test_expired_entries_are_absent(store, store, "x/")


def test_keys_that_end_at_nul_are_found() -> None:
    with pytest.raises(AssertionError):
        KV.test_odd_keys_stay_apart(EndsKeysAtNul(), "x/")


def test_the_order_of_another_encoding_is_found() -> None:
    with pytest.raises(AssertionError):
        KV.test_scan_is_ordered_by_code_point(OrdersByUtf16(), "x/")


def test_a_prefix_without_regard_to_case_is_found() -> None:
    with pytest.raises(AssertionError):
        KV.test_scan_takes_the_prefix_literally(ScansByPattern(), "x/", "a")


class KeepsTheBuffer(MemoryStore):
    def put(self, digest: str, source: Bytes | Path) -> None:
        self._blobs.setdefault(digest, source)  # type: ignore[arg-type]


class Overwrites(MemoryStore):
    def put(self, digest: str, source: Bytes | Path) -> None:
        self.delete([digest])
        super().put(digest, source)


class SharesItsMemory(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self._views: dict[str, memoryview] = {}

    def map(self, digest: str) -> memoryview:
        return self._views.setdefault(digest, super().map(digest))


class TrustsTheName(MemoryStore):
    def exists_many(self, digests: Iterable[str]) -> set[str]:
        return set(digests) & self._blobs.keys()


def test_a_kept_buffer_is_found() -> None:
    with pytest.raises(AssertionError):
        OBJECTS.test_any_buffer_is_taken(KeepsTheBuffer(), bytearray)


def test_a_blob_that_is_overwritten_is_found() -> None:
    with pytest.raises(AssertionError):
        OBJECTS.test_put_is_create_only(Overwrites())


def test_mapped_memory_that_is_shared_is_found() -> None:
    with pytest.raises(AssertionError):
        OBJECTS.test_mapped_memory_is_private(SharesItsMemory(), 1000)


def test_names_that_are_not_checked_are_found() -> None:
    with pytest.raises(pytest.fail.Exception):
        OBJECTS.test_only_digests_are_names(TrustsTheName(), "../" + "a" * 61)


def test_damage_that_is_not_noticed_is_found() -> None:
    class Suite(ObjectStoreSuite):
        def corrupt(self, store: MemoryStore, digest: str) -> None:
            store._blobs[digest] = b"damaged"

    with pytest.raises(pytest.fail.Exception):
        Suite().test_damage_is_found(MemoryStore(), 1000, "get")


def test_content_is_the_same_everywhere() -> None:
    """Suites of two processes may share a store."""
    assert content(4, "seed").hex() == "5926ab3c"
    assert content(4, "seed") != content(4, "other")
