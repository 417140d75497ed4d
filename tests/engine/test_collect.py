"""Garbage collection: what stays can be loaded, whatever runs beside it, and what goes is what was said."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expops.blobs.memory import MemoryStore
from expops.cache.manifest import Blob, Manifest, StoredValue, pack, unpack
from expops.engine.collect import Limits, Plan, carry_out, plan
from expops.engine.soundness import check, one_by_one, repair
from expops.errors import StorageError
from expops.hashing.digest import digest_bytes
from expops.kv.enveloped import UnsignedKV
from expops.kv.journal import JournaledKV
from expops.kv.memory import MemoryKV
from expops.kv.signed import SignedKV
from expops.kv.sqlite import SQLiteKV
from expops.runs.ledger import Ledger, Recorder
from expops.runs.model import ActionRecord, RunRecord
from expops.wiring import open_near

NOW = 1_000_000.0


class Cache:
    """Stores filled by hand."""

    def __init__(self) -> None:
        self.kv = MemoryKV()
        self.blobs = MemoryStore()

    def blob(self, data: bytes) -> Blob:
        digest = digest_bytes(data)
        self.blobs.put(digest, data)
        return Blob(digest, len(data))

    def result(self, name: str, created: float, *contents: bytes) -> str:
        parts = tuple(self.blob(data) for data in contents)
        value = StoredValue(digest_bytes(b"mark"), "bytes", b"", parts, sum(map(len, contents)))
        action = digest_bytes(name.encode())
        manifest = Manifest(action, "process", name, {"x": value}, [], [], [], [], {}, "1", 0.0, "run", created, "host")
        digest = digest_bytes(f"result {name}".encode())
        self.kv.put("result/" + digest, pack(manifest))
        self.kv.put("action/" + action, b"[{}]")
        self.kv.put("last/" + name, f"{action} {digest}".encode())
        return digest

    def run(self, name: str, started: float, used: Iterable[str], status: str = "done") -> None:
        record = RunRecord(name, status, "1", started, started, [], 1, "host", 1, "", None, "", {}, [], {}, 0.0)
        recorder = Recorder(self.kv, record)
        for number, digest in enumerate(used):
            manifest = unpack(self.kv.get_many(["result/" + digest])["result/" + digest])
            action = ActionRecord(
                *(f"p{number}", "process", "hit", "", 0.0, 0.0, {}, "1", False, started),
                *(manifest.action, digest, "", True, (), ""),
            )
            recorder.add([action], {"p": {"m": {1: 1.0}}})
        recorder.flush(record)

    def collect(self, **limits: object) -> Plan:
        chosen = Limits(**{"grace": 0.0, **limits})  # type: ignore[arg-type]
        planned = plan(self.kv, self.blobs, chosen, now=NOW)
        carry_out(self.kv, self.blobs, planned, chosen, lambda count: None)
        return planned

    def left(self) -> set[str]:
        return {key.removeprefix("result/") for key, _ in self.kv.scan("result/")}

    def bytes(self) -> int:
        return sum(size for _, size in self.blobs.list())


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = Cache()
    old, used, new = (
        cache.result("old", NOW - 300, b"a" * 1000),
        cache.result("used", NOW - 400, b"b" * 1000),
        cache.result("new", NOW - 200, b"c" * 1000),
    )
    cache.run("r", NOW - 10, [used])
    records = sum(len(raw) for kind in ("result/", "action/", "last/", "run") for _, raw in cache.kv.scan(kind))
    planned = cache.collect(size=2000 + records)
    assert [item.digest for item in planned.results] == [old]
    assert cache.left() == {used, new}
    assert cache.bytes() == 2000
    cache.collect(age=100.0)
    assert cache.left() == {used}


def test_what_kept_runs_need_stays_and_earlier_runs_go() -> None:
    cache = Cache()
    first, second, third = (cache.result(name, NOW - 5000, name.encode() * 500) for name in ("one", "two", "three"))
    cache.run("r1", NOW - 4000, [first])
    cache.run("r2", NOW - 3000, [second])
    cache.run("r3", NOW - 2000, [second, third])
    planned = cache.collect(size=0, runs=2)
    assert planned.runs == ["r1"]
    assert cache.left() == {second, third}
    assert [run.run_id for run in Ledger(cache.kv).runs()] == ["r2", "r3"]
    assert not list(cache.kv.scan("run-actions/r1/")) + list(cache.kv.scan("run-metrics/r1/"))


def test_runs_under_way_keep_what_they_use() -> None:
    cache = Cache()
    used, other = cache.result("used", 0.0, b"a"), cache.result("other", 0.0, b"b")
    cache.run("r", NOW - 100, [used], status="running")
    cache.kv.put("code/unknown", b"[]")
    cache.collect(size=0, age=1.0, runs=0)
    assert cache.left() == {used}
    assert other not in cache.left()
    assert list(cache.kv.scan("code/"))  # somebody may count on it
    cache.run("r", NOW - 30 * 86_400, [used], status="running")  # killed long ago
    cache.collect(size=0)
    assert cache.left() == set()
    assert not list(cache.kv.scan("code/"))


def test_what_waits_for_its_upload_stays() -> None:
    cache = Cache()
    waiting = cache.result("waiting", 0.0, b"a")
    limits = Limits(size=0, grace=0.0)
    planned = plan(cache.kv, cache.blobs, limits, unsent={"result/" + waiting}, now=NOW)
    assert planned.results == []
    assert planned.blobs == {}


def test_fresh_blobs_stay() -> None:
    """Somebody has stored them, and is about to record what names them."""
    cache = Cache()
    cache.blob(b"fresh")
    planned = cache.collect(grace=3600.0)
    assert (planned.blobs, planned.fresh) == ({}, 5)
    assert cache.bytes() == 5
    cache.collect()
    assert cache.bytes() == 0


def test_a_result_that_is_recorded_meanwhile_keeps_its_blobs() -> None:
    cache = Cache()
    cache.blob(b"shared")
    limits = Limits(grace=0.0)
    planned = plan(cache.kv, cache.blobs, limits, now=NOW)
    assert planned.blobs
    cache.result("late", NOW, b"shared")
    assert carry_out(cache.kv, cache.blobs, planned, limits, lambda count: None) == 0
    assert check(cache.kv, cache.blobs, one_by_one, lambda count: None, 0.0).sound


names = st.text(min_size=1, max_size=5)
contents = st.lists(st.binary(max_size=30), max_size=3)


@given(
    st.dictionaries(names, st.tuples(st.floats(0, NOW), contents), max_size=12),
    st.lists(st.tuples(st.floats(0, NOW), st.sets(st.integers(0, 11))), max_size=5),
    st.none() | st.integers(0, 3000),
    st.none() | st.floats(0, NOW),
    st.none() | st.integers(0, 5),
)
@settings(deadline=None)
def test_what_stays_is_whole_and_what_must_stay_stays(
    results: dict[str, tuple[float, list[bytes]]],
    runs: list[tuple[float, set[int]]],
    size: int | None,
    age: float | None,
    keep: int | None,
) -> None:
    cache = Cache()
    digests = [cache.result(name, created, *data) for name, (created, data) in results.items()]
    for number, (started, used) in enumerate(runs):
        cache.run(f"r{number}", started, [digests[index] for index in used if index < len(digests)])
    dry = plan(cache.kv, cache.blobs, Limits(size, age, keep, 0.0), now=NOW)
    planned = cache.collect(size=size, age=age, runs=keep)
    assert planned == dry
    found = check(cache.kv, cache.blobs, one_by_one, lambda count: None, 0.0)
    assert found.sound
    assert not found.orphans
    assert cache.left() == set(digests) - {item.digest for item in planned.results}
    kept = sorted(enumerate(runs), key=lambda item: item[1][0], reverse=True)[: keep or 0]
    left = {run.run_id for run in Ledger(cache.kv).runs()}
    assert {f"r{number}" for number, _ in kept} <= left
    if keep is not None:
        assert len(left) == min(keep, len(runs))
        for run in left:
            assert {action.result for action in Ledger(cache.kv).actions(run)} <= cache.left()
    if size is None and age is None:
        assert cache.left() == set(digests)


@given(st.data())
@settings(deadline=None)
def test_verify_finds_all_damage_and_repairs_it(data: st.DataObject) -> None:
    cache = Cache()
    digests = [cache.result(str(number), NOW, bytes([number]) * 40, b"common") for number in range(4)]
    kind = data.draw(st.sampled_from(["flip blob", "cut blob", "lose blob", "flip record", "cut record"]))
    assert check(cache.kv, cache.blobs, one_by_one, lambda count: None, 0.0).sound
    if kind.endswith("blob"):
        digest = data.draw(st.sampled_from(sorted(cache.blobs._blobs)))
        raw = cache.blobs._blobs[digest]
        cache.blobs._blobs[digest] = _harmed(data, raw, kind)
        if kind == "lose blob":
            del cache.blobs._blobs[digest]
    else:
        key = "result/" + data.draw(st.sampled_from(digests))
        cache.kv.put(key, _harmed(data, cache.kv.get_many([key])[key], kind))
    found = check(cache.kv, cache.blobs, one_by_one, lambda count: None, 0.0)
    assert not found.sound
    repair(cache.kv, cache.blobs, found)
    again = check(cache.kv, cache.blobs, one_by_one, lambda count: None, 0.0)
    assert again.sound
    assert again.results >= (0 if kind.endswith("blob") else 3)


def _harmed(data: st.DataObject, raw: bytes, kind: str) -> bytes:
    place = data.draw(st.integers(0, len(raw) - 1))
    if kind.startswith("cut"):
        return raw[:place]
    changed = bytearray(raw)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    return bytes(changed)


@pytest.mark.parametrize("seed", range(3))
def test_beside_writers_nothing_is_lost(seed: int) -> None:
    """Of results that are recorded within the grace, as those of runs under way are."""
    cache, chance = Cache(), random.Random(seed)
    done = threading.Event()
    made: list[str] = []

    def write() -> None:
        for number in range(300):
            made.append(cache.result(f"{seed} {number}", time.time(), os.urandom(50), bytes([chance.randrange(8)])))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    limits = Limits(age=3600.0, grace=60.0)
    while not done.is_set():
        planned = plan(cache.kv, cache.blobs, limits)
        carry_out(cache.kv, cache.blobs, planned, limits, lambda count: None)
    writer.join()
    assert cache.left() == set(made)
    assert check(cache.kv, cache.blobs, one_by_one, lambda count: None, 0.0).sound


def test_what_results_of_others_name_stays() -> None:
    """Results of another version of expops, and those signed with keys that this machine has not got, are not ours."""
    inner, blobs = MemoryKV(), MemoryStore()
    theirs, mine = SignedKV(inner, [b"t" * 32]), SignedKV(inner, [b"m" * 32])
    data = b"theirs"
    blobs.put(digest_bytes(data), data)
    part = Blob(digest_bytes(data), len(data))
    value = StoredValue(digest_bytes(b"mark"), "bytes", b"", (part,), len(data))
    action = digest_bytes(b"action")
    manifest = Manifest(action, "process", "p", {"x": value}, [], [], [], [], {}, "1", 0.0, "run", 0.0, "host")
    theirs.put("result/" + digest_bytes(b"r"), pack(manifest))
    limits = Limits(size=0, age=0.0, grace=0.0)
    for store in (mine, UnsignedKV(inner, place="a place of this test")):
        for doing in ("gc", "verify"):
            with suppress(StorageError):  # without keys a signed store can't be used at all
                if doing == "gc":
                    carry_out(store, blobs, plan(store, blobs, limits, now=NOW), limits, lambda count: None)
                else:
                    repair(store, blobs, check(store, blobs, one_by_one, lambda count: None, 0.0))
            assert dict(blobs.list()) == {digest_bytes(data): len(data)}
    assert list(theirs.scan("result/"))
    body = json.dumps(["another format", [digest_bytes(data)]]).encode()
    plain = MemoryKV()
    plain.put("result/" + digest_bytes(b"r"), digest_bytes(body)[:32].encode() + body)
    plain.put("action/" + digest_bytes(b"a"), b"[{}]")  # by which that version finds it
    carry_out(plain, blobs, plan(plain, blobs, limits, now=NOW), limits, lambda count: None)
    repair(plain, blobs, check(plain, blobs, one_by_one, lambda count: None, 0.0))
    assert list(plain.scan("result/"))
    assert list(plain.scan("action/"))
    assert dict(blobs.list()) == {digest_bytes(data): len(data)}


def test_a_result_that_was_made_anew_meanwhile_stays() -> None:
    cache = Cache()
    digest = cache.result("again", 0.0, b"a")
    limits = Limits(size=0, grace=0.0)
    planned = plan(cache.kv, cache.blobs, limits, now=NOW)
    assert cache.result("again", NOW, b"a") == digest
    carry_out(cache.kv, cache.blobs, planned, limits, lambda count: None)
    assert cache.left() == {digest}
    assert cache.bytes() == 1


def test_what_a_worker_has_journaled_counts(tmp_path: Path) -> None:
    """Over a bucket, too, where others than this machine's stores are asked for most things."""
    worker = JournaledKV(SQLiteKV(str(tmp_path / "cache.sqlite")), str(tmp_path / "cache.sqlite-journals"))
    cache = Cache()
    digest = cache.result("new", NOW, b"a" * 50)
    worker.put_many({"other": b"1"})
    worker.put_many(cache.kv.get_many(["result/" + digest]))
    near = open_near(str(tmp_path))
    planned = plan(near, cache.blobs, Limits(grace=0.0), now=NOW)
    assert planned.blobs == {}
    near.close()
    worker.close()
