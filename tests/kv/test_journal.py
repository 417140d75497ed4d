"""A journal in front of a KV store keeps the contract, and what was put survives whatever happens to its writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.errors import StorageError, StoreUnavailable
from expops.kv import journal
from expops.kv.base import KVStore
from expops.kv.journal import JournaledKV, recover
from expops.kv.memory import MemoryKV
from expops.kv.sqlite import SQLiteKV
from expops.testing.kv_suite import KVStoreSuite

Opener = Callable[[], JournaledKV]

WRITER = """
import sys
from expops.kv.journal import JournaledKV
from expops.kv.sqlite import SQLiteKV
path, me = sys.argv[1], sys.argv[2]
store = JournaledKV(SQLiteKV(path), path + "-journals")
for number in range(10**9):
    store.put_many({f"{me}/{number}/a": b"x" * (number % 3000), f"{me}/{number}/b": b"y"})
    print(number, flush=True)
"""


@pytest.fixture
def holding_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the first put is handed over by itself."""
    monkeypatch.setattr(journal, "_HAND_OVER_SECONDS", 3600.0)


@pytest.fixture
def opener(tmp_path: Path, holding_back: None) -> Iterator[Opener]:
    """Opens one client after the other of the same data, each in the middle of a burst."""
    path = str(tmp_path / "kv.db")
    opened = []

    def open_one() -> JournaledKV:
        store = JournaledKV(SQLiteKV(path), path + "-journals")
        store.put("warm", b"")
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


class TestJournalBeforeSQLite(KVStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KVStore]:
        store = JournaledKV(SQLiteKV(tmp_path / "kv.db"), str(tmp_path / "journals"))
        yield store
        store.close()

    @pytest.fixture
    def second(self, store: KVStore, tmp_path: Path) -> Iterator[KVStore]:
        second = JournaledKV(SQLiteKV(tmp_path / "kv.db"), str(tmp_path / "journals"))
        yield second
        second.close()


class TestJournalInABurst(KVStoreSuite):
    @pytest.fixture
    def store(self, opener: Opener) -> KVStore:
        return opener()


class TestJournalBeforeMemory(KVStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> KVStore:
        return JournaledKV(MemoryKV(), str(tmp_path / "journals"))


def test_what_is_held_back_is_seen_by_others_at_once(opener: Opener, tmp_path: Path) -> None:
    one, two = opener(), opener()
    for number in range(5):
        one.put(f"k{number}", b"%d" % number)
        assert two.get_many([f"k{number}"]) == {f"k{number}": b"%d" % number}
    bare = SQLiteKV(tmp_path / "kv.db")
    assert bare.get_many(["k3"]) == {}
    assert [key for key, _ in two.scan("k")] == ["k0", "k1", "k2", "k3", "k4"]
    assert not two.create("k3", b"other")
    one.flush()
    assert bare.get_many(["k3"]) == {"k3": b"3"}
    assert two.get_many(["k3"]) == {"k3": b"3"}
    bare.close()


def test_others_see_the_latest_of_what_one_put_again_and_again(opener: Opener) -> None:
    """Across hand-overs too, after which a journal may be as long as it was, or longer."""
    one, two = opener(), opener()
    for number in range(40):
        one.put("k", b"%02d" % number)
        if number % 3 == 0:
            one.flush()
        if number % 4 != 1:
            assert two.get_many(["k", "none"]) == {"k": b"%02d" % number}
            assert list(two.scan("k")) == [("k", b"%02d" % number)]


def test_a_journal_that_is_as_long_as_it_was_is_not_taken_for_the_same(opener: Opener) -> None:
    """Handed over and filled again, within one tick of the clock."""
    one, two = opener(), opener()
    for number in range(200):
        one.flush()
        one.put("k", b"%03d" % number)
        assert two.get_many(["k"]) == {"k": b"%03d" % number}


def test_what_others_saw_in_a_journal_does_not_hide_what_came_after_it(opener: Opener) -> None:
    one, two, three = opener(), opener(), opener()
    one.put("k", b"1")
    assert two.get_many(["k"]) == {"k": b"1"}
    one.flush()
    three.put("k", b"2")
    three.flush()
    assert two.get_many(["k"]) == one.get_many(["k"]) == {"k": b"2"}
    three.delete(["k"])
    assert two.get_many(["k"]) == {}


def test_nothing_is_out_of_sight_while_it_is_handed_over(opener: Opener) -> None:
    one, two = opener(), opener()
    written = 0
    stop = threading.Event()

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            one.put(f"k{written}", b"v")
            written += 1
            one.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(1500):
            latest = f"k{written - 1}"
            assert latest == "k-1" or two.get_many([latest]) == {latest: b"v"}
    finally:
        stop.set()
        writer.join()


def _writer(code: str, path: str, *args: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, path, *args], stdout=subprocess.PIPE)


def test_killed_writers_lose_nothing_they_were_told_is_written(tmp_path: Path) -> None:
    path = str(tmp_path / "kv.db")
    acknowledged: set[str] = set()
    for me in range(6):
        with _writer(WRITER, path, str(me)) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            time.sleep(0.02 * me)
            writer.send_signal(signal.SIGKILL)
            # The last line may be cut off, and then isn't told.
            lines = (first + writer.stdout.read()).decode().split("\n")[:-1]
        acknowledged |= {f"{me}/{number}/{half}" for number in lines for half in "ab"}
        store = JournaledKV(SQLiteKV(path), path + "-journals")
        assert acknowledged == store.get_many(acknowledged).keys(), "seen before it is recovered"
        store.close()
        if me % 2:
            recover(SQLiteKV(path), path + "-journals")
            assert os.listdir(path + "-journals") == []
            assert acknowledged <= {key for key, _ in SQLiteKV(path).scan("")}
    assert len(acknowledged) > 100


@given(cut=st.integers(0, 200), garbage=st.binary(max_size=30))
def test_a_torn_tail_is_ignored_and_what_is_before_it_recovered(
    tmp_path_factory: pytest.TempPathFactory, cut: int, garbage: bytes
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    entries = [journal._entry(f"k{number}", b"v" * number) for number in range(6)]
    ends = [8 + sum(map(len, entries[: number + 1])) for number in range(6)]
    (folder / "1-a").write_bytes((b"generation"[:8] + b"".join(entries))[:cut] + garbage)
    reader = JournaledKV(MemoryKV(), str(folder))
    seen = dict(reader.scan(""))
    store = MemoryKV()
    recover(store, str(folder))
    expected = {f"k{number}": b"v" * number for number in range(6) if ends[number] <= cut}
    # Garbage may happen to be what was cut off.
    assert expected.items() <= dict(store.scan("")).items()
    assert set(dict(store.scan(""))) <= {f"k{number}" for number in range(6)}
    assert seen == dict(store.scan(""))
    assert os.listdir(folder) == []


def test_a_living_writers_journal_is_left_alone(opener: Opener, tmp_path: Path) -> None:
    one = opener()
    one.put("k", b"1")
    assert recover(SQLiteKV(tmp_path / "kv.db"), str(tmp_path / "kv.db-journals")) == 0
    assert len(os.listdir(tmp_path / "kv.db-journals")) == 1
    one.close()
    assert os.listdir(tmp_path / "kv.db-journals") == []
    one.put("again", b"2")
    assert one.get_many(["k", "again"]) == {"k": b"1", "again": b"2"}


def test_a_forked_child_leaves_its_parents_journal_alone(opener: Opener) -> None:
    one = opener()
    one.put("before", b"1")
    child = os.fork()
    if child == 0:
        ok = one.get_many(["before"]) == {"before": b"1"}
        one.put("child", b"2")
        ok = ok and one.get_many(["before", "child"]) == {"before": b"1", "child": b"2"}
        one.close()
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert one.get_many(["before", "child"]) == {"before": b"1", "child": b"2"}
    one.put("after", b"3")
    two = opener()
    assert two.get_many(["before", "child", "after"]).keys() == {"before", "child", "after"}


def test_a_journal_made_after_the_folder_was_listed_is_found(opener: Opener) -> None:
    one = opener()
    time.sleep(0.1)  # the listing is settled
    assert one.get_many(["k"]) == {}
    two = opener()
    two.put("k", b"2")
    assert one.get_many(["k"]) == {"k": b"2"}
    two.close()
    time.sleep(0.1)
    three = opener()
    assert one.get_many(["k"]) == {"k": b"2"}
    three.put("other", b"3")
    assert one.get_many(["k", "other"]) == {"k": b"2", "other": b"3"}
    assert not one.create("other", b"4")


def test_a_forked_child_finds_its_parents_journal_in_a_folder_it_had_listed(opener: Opener) -> None:
    one = opener()
    one.put("k", b"1")
    time.sleep(0.1)
    assert one.get_many(["none"]) == {}
    child = os.fork()
    if child == 0:
        os._exit(0 if one.get_many(["k"]) == {"k": b"1"} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_that_outlives_its_parent_does_not_keep_the_journal(tmp_path: Path) -> None:
    code = """
import os, sys, time
from expops.kv import journal
from expops.kv.sqlite import SQLiteKV
journal._HAND_OVER_SECONDS = 3600.0
path = sys.argv[1]
store = journal.JournaledKV(SQLiteKV(path), path + "-journals")
store.put("warm", b""); store.put("k", b"v")
if os.fork() == 0:
    os.write(1, b"child\\n")  # in one piece, since both write at once
    time.sleep(60)
os.write(1, b"parent\\n")
time.sleep(60)
"""
    path = str(tmp_path / "kv.db")
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        assert {parent.stdout.readline(), parent.stdout.readline()} == {b"child\n", b"parent\n"}
        try:
            parent.kill()
            parent.wait()
            store = SQLiteKV(path)
            assert recover(store, path + "-journals") == 1
            assert store.get_many(["k"]) == {"k": b"v"}
            store.close()
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


FULL = """
import resource, sys
from expops.errors import StoreUnavailable
from expops.kv import journal
from expops.kv.sqlite import SQLiteKV
journal._HAND_OVER_SECONDS = 3600.0
path, limit = sys.argv[1], int(sys.argv[2])
store = journal.JournaledKV(SQLiteKV(path), path + "-journals")
store.put("warm", b"")
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
written, refused = [], 0
for number in range(300):
    try:
        store.put_many({f"{number}/a": b"x" * (number * 7 % 900), f"{number}/b": b"%d" % number})
        written.append(str(number))
    except StoreUnavailable:
        refused += 1
assert store.get_many([f"{number}/b" for number in written]) == {f"{number}/b": number.encode() for number in written}
if sys.argv[3] == "recovers":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.put("later", b"1")
    store.close()
print(refused, *written, flush=True)
if sys.argv[3] == "dies":
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("end", ["recovers", "dies"])
@pytest.mark.parametrize("limit", [5_000, 20_000, 20_011])
def test_a_full_disk_refuses_and_garbles_nothing(tmp_path: Path, limit: int, end: str) -> None:
    path = str(tmp_path / "kv.db")
    with subprocess.Popen(
        [sys.executable, "-c", FULL, path, str(limit), end], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        out, errors = child.communicate()
    assert errors == ""
    refused, *written = out.split()
    assert int(refused) > 0
    assert written
    store = SQLiteKV(path)
    recover(store, path + "-journals")
    there = dict(store.scan(""))
    expected = {"warm", *(f"{number}/{half}" for number in written for half in "ab")}
    assert there.keys() == (expected | {"later"} if end == "recovers" else expected)
    assert all(there[f"{number}/b"] == number.encode() for number in written)
    store.close()


def test_a_store_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    """What was put stays in the journal; who asks for a hand-over is told."""
    path = tmp_path / "kv.db"
    path.write_bytes(b"no database at all, but long enough to look at " * 100)
    store = JournaledKV(SQLiteKV(path), str(tmp_path / "journals"))
    store.put("k", b"1")
    store.put("l", b"2")
    with pytest.raises(StorageError):
        store.flush()
    with pytest.raises(StorageError):
        store.close()
    path.unlink()
    again = SQLiteKV(path)
    assert recover(again, str(tmp_path / "journals")) == 2
    assert again.get_many(["k", "l"]) == {"k": b"1", "l": b"2"}
    again.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "journals").write_text("")
    store = JournaledKV(MemoryKV(), str(tmp_path / "journals"))
    with pytest.raises(StoreUnavailable, match="journals"):
        store.put("k", b"1")
    assert store.get_many(["k"]) == {}
    store.close()


def test_a_journal_that_was_never_begun_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".1-left").write_bytes(b"")
    recover(MemoryKV(), str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_writers_begin_however_many_recover(tmp_path: Path) -> None:
    """Who recovers may take a journal for a leftover in the moment before it is locked."""
    store, ended = MemoryKV(), threading.Event()

    def clear() -> None:
        while not ended.is_set():
            recover(store, str(tmp_path))

    def write(worker: int) -> None:
        for number in range(100):
            journaled = JournaledKV(store, str(tmp_path))
            journaled.put(f"{worker}-{number}", b"1")
            assert len(journaled.get_many([f"{worker}-{number}"])) == 1
            journaled.close()

    with ThreadPoolExecutor(5) as pool:
        clearing = [pool.submit(clear) for _ in range(2)]
        writing = [pool.submit(write, worker) for worker in range(3)]
        for task in writing:
            task.exception()
        ended.set()
    assert [task.exception() for task in (*writing, *clearing)] == [None] * 5
    assert len(dict(store.scan(""))) == 300
    assert os.listdir(tmp_path) == []
