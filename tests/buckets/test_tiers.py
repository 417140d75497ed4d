"""A machine's stores over remote ones: what is fetched, what waits, what goes up and in which order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import blobs, corrupt, memory_bucket

from expops.blobs.folder import FolderStore
from expops.blobs.memory import MemoryStore
from expops.blobs.tiered import TieredStore
from expops.cache.kinds import KINDS, merged_variants
from expops.cache.manifest import Blob, Manifest, StoredValue, pack
from expops.cache.upload import Ends, Uploader, mark_again
from expops.errors import CorruptData, StoreUnavailable
from expops.hashing.digest import digest_bytes
from expops.kv import outbox
from expops.kv.memory import MemoryKV
from expops.kv.tiered import TieredKV
from expops.testing.object_store_suite import content


class Watched(MemoryKV):
    """Notes which keys it is asked for, and can be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.down = False

    def _reach(self) -> None:
        if self.down:
            raise StoreUnavailable("nobody there")

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        self._reach()
        self.asked.append(list(keys))
        return super().get_many(self.asked[-1])

    def put_many(self, items: Mapping[str, bytes]) -> None:
        self._reach()
        super().put_many(items)

    def delete(self, keys: Iterable[str]) -> None:
        self._reach()
        super().delete(keys)

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        self._reach()
        return super().scan(prefix)


class Machine:
    """A KV store over ``remote``, an uploader, and what was warned of."""

    def __init__(self, remote: MemoryKV, remote_blobs: MemoryStore, *, uploads: bool = True) -> None:
        self.local, self.blobs = MemoryKV(), MemoryStore()
        self.told: list[str] = []
        self.kv = TieredKV(self.local, remote, KINDS, uploads=uploads, warn=self.told.append)
        ends = Ends(self.local, self.blobs, remote, remote_blobs, lambda work, names: map(work, list(names)))
        self.uploader = Uploader(ends, KINDS, self.told.append)


@pytest.fixture
def remote() -> Watched:
    return Watched()


@pytest.fixture
def one(remote: Watched) -> Machine:
    return Machine(remote, MemoryStore())


def result(*parts: bytes) -> bytes:
    """A manifest whose output has its bytes in blobs of these contents."""
    named = tuple(Blob(digest_bytes(part), len(part)) for part in parts)
    value = StoredValue("f" * 64, "codec", b"", named, sum(map(len, parts)))
    return pack(Manifest("a" * 64, "process", "p", {"x": value}, [], [], [], [], {}, "1", 0.0, "run", 0.0, "host"))


def test_what_is_at_hand_is_not_asked_for(one: Machine, remote: Watched) -> None:
    one.kv.put_many({"result/a": b"1", "last/p": b"2"})
    assert one.kv.get_many(["result/a", "last/p"]) == {"result/a": b"1", "last/p": b"2"}
    assert remote.asked == []


def test_what_is_fetched_is_fetched_once_and_does_not_wait(one: Machine, remote: Watched) -> None:
    remote.put_many({"result/a": b"1"})
    for _ in range(2):
        assert one.kv.get_many(["result/a", "result/a"]) == {"result/a": b"1"}
    assert remote.asked == [["result/a"]]
    assert outbox.waiting(one.local).keys == []


def test_all_that_is_missing_is_one_request(one: Machine, remote: Watched) -> None:
    one.kv.get_many(["result/a", "action/a", "last/p"])
    assert remote.asked == [["result/a", "action/a", "last/p"]]


def test_hints_alone_are_not_worth_a_request(one: Machine, remote: Watched) -> None:
    # An action that discovered nothing has no such record, and would be asked for by every run.
    one.kv.put("result/a", b"1")
    assert one.kv.get_many(["result/a", "action/a"]) == {"result/a": b"1"}
    assert remote.asked == []


def test_a_store_that_is_down_has_nothing(one: Machine, remote: Watched) -> None:
    remote.down = True
    one.kv.put("result/a", result())
    assert one.kv.get_many(["result/a", "result/b"]) == {"result/a": result()}
    assert list(one.kv.scan("last/p/")) == []
    assert set(one.told) == {"nobody there"}
    with pytest.raises(StoreUnavailable):
        one.uploader.drain()
    remote.down = False
    one.uploader.drain()
    assert dict(remote.scan("")) == {"result/a": result()}


def test_variants_of_both_sides_count(one: Machine, remote: Watched) -> None:
    mine, theirs = b'[{"file":["a"]}]', b'[{"file":["b"]},{"file":["a"]}]'
    remote.put("action/a", theirs)
    one.kv.put("action/a", mine)
    found = json.loads(one.kv.get_many(["action/a", "result/x"])["action/a"])
    assert found == [{"file": ["a"]}, {"file": ["b"]}]
    one.uploader.drain()
    assert json.loads(remote.get_many(["action/a"])["action/a"]) == [{"file": ["a"]}, {"file": ["b"]}]


@given(st.lists(st.sampled_from("abcd"), max_size=20), st.lists(st.sampled_from("abcd"), max_size=20))
def test_merging_variants_loses_none_and_repeats_none(mine: list[str], theirs: list[str]) -> None:
    first, second = ([{"file": [name]} for name in dict.fromkeys(side)] for side in (mine, theirs))
    merged = json.loads(merged_variants(json.dumps(first).encode(), json.dumps(second).encode()))
    assert merged[: len(first)] == first
    assert merged == first + [variant for variant in second if variant not in first]


@pytest.mark.parametrize("theirs", [b"", b"{", b"7", b"null", b"\xff"])
def test_variants_that_can_not_be_read_are_none(theirs: bytes) -> None:
    assert merged_variants(b'[{"file":["a"]}]', theirs) == b'[{"file":["a"]}]'
    assert json.loads(merged_variants(None, theirs)) == []


def test_a_deleted_record_is_not_read_from_the_remote_store(one: Machine, remote: Watched) -> None:
    remote.put("result/a", b"1")
    assert one.kv.get_many(["result/a"])
    one.kv.delete(["result/a"])
    assert one.kv.get_many(["result/a"]) == {}
    one.uploader.drain()
    assert remote.get_many(["result/a"]) == {}
    remote.put("result/a", b"2")
    assert one.kv.get_many(["result/a"]) == {"result/a": b"2"}


def test_deleted_and_made_again_it_goes_up(one: Machine, remote: Watched) -> None:
    good = result()
    remote.put("result/a", b"damaged")
    one.kv.delete(["result/a"])
    one.kv.put("result/a", good)
    one.uploader.drain()
    assert remote.get_many(["result/a"]) == {"result/a": good}
    assert dict(one.local.scan("gone/")) == {}


def test_calls_that_are_quicker_than_the_network_do_not_wait_for_it_each(remote: Watched) -> None:
    now = [0.0]
    slow = Watched()
    get_many = slow.get_many

    def get_slowly(keys: Iterable[str]) -> dict[str, bytes]:
        now[0] += 0.1
        return get_many(keys)

    slow.get_many = get_slowly  # type: ignore[method-assign]
    kv = TieredKV(MemoryKV(), slow, KINDS, uploads=True, warn=lambda message: None, clock=lambda: now[0])
    for number in range(1000):
        kv.get_many([f"result/{number}"])
    assert len(slow.asked) < 100
    slow.asked.clear()
    now[0] += 60  # somebody has computed meanwhile
    slow.put("result/there", b"1")
    assert kv.get_many(["result/there"]) == {"result/there": b"1"}


def test_looking_up_with_success_is_no_reason_to_stop(remote: Watched) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    kv = TieredKV(MemoryKV(), remote, KINDS, uploads=True, warn=lambda message: None, clock=clock)
    remote.put_many({f"result/{number}": b"" for number in range(100)})
    assert all(kv.get_many([f"result/{number}"]) for number in range(100))


def test_read_only_machines_mark_nothing(remote: Watched) -> None:
    machine = Machine(remote, MemoryStore(), uploads=False)
    machine.kv.put("result/a", b"1")
    remote.put("result/b", b"1")
    machine.kv.delete(["result/b"])
    assert machine.kv.get_many(["result/b"]) == {}
    assert outbox.waiting(machine.local).marks == []


def test_own_records_stay_and_others_are_the_remote_stores(one: Machine, remote: Watched) -> None:
    one.kv.put("cleared", b"1")
    one.kv.put("lease/a", b"2")
    assert dict(remote.scan("")) == {"lease/a": b"2"}
    assert dict(one.local.scan("")) == {"cleared": b"1"}
    assert one.kv.get_many(["cleared", "lease/a"]) == {"cleared": b"1", "lease/a": b"2"}
    assert not one.kv.create("lease/a", b"3")
    one.kv.delete(["lease/a"])
    assert one.kv.create("lease/a", b"3")


def test_leases_are_replaced_in_the_remote_store_only(remote: Watched, one: Machine) -> None:
    other = Machine(remote, MemoryStore())
    assert one.kv.create("lease/a", b"1")
    assert other.kv.replace("lease/a", b"1", b"2")
    assert not one.kv.replace("lease/a", b"1", b"3")
    assert one.kv.get_many(["lease/a"]) == remote.get_many(["lease/a"]) == {"lease/a": b"2"}
    assert list(one.local.scan("")) == list(other.local.scan("")) == []
    assert one.kv.replace("lease/a", b"2", None)
    assert list(remote.scan("")) == []


def test_what_both_sides_keep_is_not_replaced(one: Machine) -> None:
    one.kv.put("result/a", b"1")
    with pytest.raises(ValueError, match="both sides"):
        one.kv.replace("result/a", b"1", b"2")


def test_steps_of_a_process_that_is_new_here_are_fetched_together(one: Machine, remote: Watched) -> None:
    remote.put_many({f"last/p/{number}": b"x" for number in range(5)})
    assert len(list(one.kv.scan("last/p/"))) == 5
    remote.put("last/p/9", b"x")
    assert len(list(one.kv.scan("last/p/"))) == 5
    assert len(list(one.local.scan("last/p/"))) == 5


def test_what_is_written_during_an_upload_is_not_forgotten(one: Machine, remote: Watched) -> None:
    one.kv.put("last/p", b"1")
    put = remote.put_many

    def put_and_be_overtaken(items: Mapping[str, bytes]) -> None:
        put(items)
        if items == {"last/p": b"1"}:
            one.kv.put("last/p", b"2")

    remote.put_many = put_and_be_overtaken  # type: ignore[method-assign]
    one.uploader.drain()
    assert remote.get_many(["last/p"]) == {"last/p": b"2"}


def test_a_result_without_its_bytes_is_not_uploaded(one: Machine, remote: Watched) -> None:
    one.kv.put_many({"result/a": result(b"x" * 100), "last/p": b"a a"})
    one.uploader.drain()
    assert set(dict(remote.scan(""))) == {"last/p"}
    assert len(one.told) == 1
    assert "missing or damaged" in one.told[0]


def test_records_of_runs_alone_cause_no_upload(one: Machine) -> None:
    one.kv.put("run/1", b"")
    assert not one.uploader.waits()
    mark_again(one.local, ["result/a"])
    assert one.uploader.waits()


writes = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.binary(min_size=1, max_size=2)), min_size=1, max_size=8
)


@settings(max_examples=60)
@given(writes, st.integers(0, 12), st.booleans())
def test_wherever_an_upload_ends_no_manifest_is_without_its_blobs(
    written: list[tuple[str, int, bytes]], until: int, again: bool
) -> None:
    remote, remote_blobs = Watched(), MemoryStore()
    machine = Machine(remote, remote_blobs)
    expected = {}
    for path, number, data in written:
        machine.blobs.put(digest_bytes(data), data)
        expected |= {f"result/{number}": result(data), f"last/{path}": b"a %d" % number}
        machine.kv.put_many({f"result/{number}": result(data), f"last/{path}": b"a %d" % number})
    _fail_after(remote, remote_blobs, until)
    failed = False
    try:
        machine.uploader.drain()
    except StoreUnavailable:
        failed = True
    there = dict(MemoryKV.scan(remote, ""))
    for key, raw in there.items():
        if key.startswith("result/"):
            assert any(raw == result(data) and _has(remote_blobs, data) for _, _, data in written)
        else:
            assert f"result/{there[key].split()[1].decode()}" in there
    if failed and again:
        _fail_after(remote, remote_blobs, 10_000)
        machine.uploader.drain()
    if again or not failed:
        assert dict(MemoryKV.scan(remote, "")) == expected
        assert outbox.waiting(machine.local).marks == []


def _has(store: MemoryStore, data: bytes) -> bool:
    return MemoryStore.exists_many(store, [digest_bytes(data)]) != set()


def _fail_after(remote: Watched, remote_blobs: MemoryStore, calls: int) -> None:
    """Have both stores fail at every write from that one on."""
    left = [calls]

    def counted() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise StoreUnavailable("cut")

    def put(digest: str, source: object) -> None:
        counted()
        MemoryStore.put(remote_blobs, digest, source)  # type: ignore[arg-type]

    def put_many(items: Mapping[str, bytes]) -> None:
        for key, value in items.items():
            counted()
            MemoryKV.put_many(remote, {key: value})

    remote_blobs.put = put  # type: ignore[method-assign]
    remote.put_many = put_many  # type: ignore[method-assign]


def tiered(folder: Path) -> tuple[FolderStore, TieredStore]:
    local = FolderStore(folder / "blobs")
    return local, TieredStore(local, REMOTE, str(folder / "blobs"))


REMOTE = blobs(memory_bucket())


@pytest.mark.parametrize("size", [10, 100_000, (8 << 20) + 1])
@pytest.mark.parametrize("way", ["get", "map", "range"])
def test_blobs_come_down_when_they_are_read_and_stay(tmp_path: Path, size: int, way: str) -> None:
    data = content(size, way)
    digest = digest_bytes(data)
    REMOTE.put(digest, data)
    local, store = tiered(tmp_path)
    assert store.exists_many([digest]) == {digest}
    assert local.exists_many([digest]) == set()
    if way == "range":
        assert store.get(digest, (2, 5)) == data[2:5]
    else:
        assert (store.map(digest) if way == "map" else store.get(digest)) == data
    REMOTE.delete([digest])
    assert store.get(digest) == data
    assert list(store.list()) == [(digest, size)]


def test_a_blob_that_is_damaged_here_is_fetched_again(tmp_path: Path) -> None:
    data = content(50_000, "damaged here")
    digest = digest_bytes(data)
    local, store = tiered(tmp_path)
    store.put(digest, data)
    path = tmp_path / "blobs" / digest[:2] / digest[2:]
    path.chmod(0o600)
    path.write_bytes(b"x" + data[1:])
    with pytest.raises(KeyError):
        store.get(digest)
    REMOTE.put(digest, data)
    path.write_bytes(b"x" + data[1:])
    assert store.get(digest) == data
    assert local.get(digest) == data


def test_a_blob_that_is_damaged_there_never_comes_down(tmp_path: Path) -> None:
    data = content(50_000, "damaged there")
    digest = digest_bytes(data)
    REMOTE.put(digest, data)
    corrupt(REMOTE, digest)
    local, store = tiered(tmp_path)
    with pytest.raises(CorruptData, match="quarantine"):
        store.get(digest)
    assert local.exists_many([digest]) == set()
    assert not list((tmp_path / "blobs" / "tmp").iterdir())
    with pytest.raises(KeyError):
        store.get(digest)


def test_where_the_folder_takes_nothing_blobs_are_read_all_the_same(tmp_path: Path) -> None:
    data = content(5000, "no folder")
    digest = digest_bytes(data)
    REMOTE.put(digest, data)
    (tmp_path / "blobs").write_text("a file where the folder belongs")
    local = FolderStore(tmp_path / "blobs" / "inner")
    store = TieredStore(local, REMOTE, str(tmp_path))
    assert store.get(digest) == data
    assert store.map(digest) == data
    with pytest.raises(StoreUnavailable):
        store.put(digest, data)
