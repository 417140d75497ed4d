"""The embedded KV store keeps the contract, and its own promises about files."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from expops.kv.base import KVStore
from expops.kv.sqlite import SQLiteKV
from expops.testing.kv_suite import KVStoreSuite


class TestSQLiteKV(KVStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> KVStore:
        return SQLiteKV(str(tmp_path / "kv.db"))

    @pytest.fixture
    def second(self, tmp_path: Path, store: KVStore) -> KVStore:
        return SQLiteKV(str(tmp_path / "kv.db"))


def test_nothing_is_made_before_first_use(tmp_path: Path) -> None:
    SQLiteKV(str(tmp_path / "deep" / "er" / "kv.db"))
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_and_the_path_kept_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = SQLiteKV("deep/er/kv.db")
    monkeypatch.chdir("/")
    store.put("a", b"1")
    assert (tmp_path / "deep" / "er" / "kv.db").is_file()


def test_after_closing_only_the_database_is_left_and_it_opens_again(tmp_path: Path) -> None:
    store = SQLiteKV(str(tmp_path / "kv.db"))
    store.put("a", b"1")
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["kv.db"]
    assert store.get_many(["a"]) == {"a": b"1"}


def test_threads_that_end_leave_no_connections_behind(tmp_path: Path) -> None:
    store = SQLiteKV(str(tmp_path / "kv.db"))
    for number in range(50):
        thread = threading.Thread(target=store.put, args=(f"{number}", b""))
        thread.start()
        thread.join()
    assert len(store._all) == 1
    assert len(list(store.scan(""))) == 50


def test_a_scan_left_halfway_blocks_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "kv.db")
    store = SQLiteKV(path)
    store.put_many({f"{number:04}": b"" for number in range(500)})
    halfway = store.scan("")
    next(halfway)
    other = SQLiteKV(path, patience=5.0)
    other.put("new", b"1")
    store.close()
    other.close()
    assert [path.name for path in tmp_path.iterdir()] == ["kv.db"]
    assert len(list(halfway)) == 500


def test_a_database_removed_under_a_process_is_made_anew(tmp_path: Path) -> None:
    store = SQLiteKV(str(tmp_path / "kv.db"))
    store.put("a", b"1")
    for path in tmp_path.iterdir():
        path.unlink()
    store.put("b", b"2")
    assert SQLiteKV(str(tmp_path / "kv.db")).get_many(["a", "b"]) == {"b": b"2"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: needs os.fork")
def test_a_forked_child_loses_nothing_when_the_parent_closes(tmp_path: Path) -> None:
    """SQLite's locks don't pass to a child: a connection that outlives its parent's writes to a removed WAL."""
    path = str(tmp_path / "kv.db")
    store = SQLiteKV(path)
    store.put("parent", b"1")
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        store.put("child", b"1")
        os.write(ready[1], b".")
        os.read(go[0], 1)
        store.put("child", b"2")
        os._exit(0)
    os.read(ready[0], 1)
    store.close()
    code = "import sys; from expops.kv.sqlite import SQLiteKV; s = SQLiteKV(sys.argv[1]); s.put('x', b''); s.close()"
    subprocess.run([sys.executable, "-c", code, path], check=True)
    os.write(go[1], b".")
    assert os.waitpid(child, 0)[1] == 0
    for end in (*ready, *go):
        os.close(end)
    assert SQLiteKV(path).get_many(["parent", "child", "x"]) == {"parent": b"1", "child": b"2", "x": b""}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: needs os.fork")
# Forking with threads is what is tested here.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forks_while_threads_write_lose_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "kv.db")
    store = SQLiteKV(path)
    stop = threading.Event()
    written: list[list[str]] = [[], [], []]

    def writer(me: int) -> None:
        while not stop.is_set():
            key = f"{me}/{len(written[me])}"
            store.put(key, b"x")
            written[me].append(key)

    threads = [threading.Thread(target=writer, args=(me,)) for me in range(3)]
    for thread in threads:
        thread.start()
    children = []
    for number in range(15):
        child = os.fork()
        if child == 0:
            store.put(f"child/{number}", b"x")
            os._exit(0)
        children.append(child)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    stop.set()
    for thread in threads:
        thread.join()
    assert statuses == [0] * 15
    expected = {*(key for keys in written for key in keys), *(f"child/{number}" for number in range(15))}
    assert {key for key, _ in SQLiteKV(path).scan("")} == expected


def test_importing_it_costs_little() -> None:
    code = "import sys, expops.kv.sqlite; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"pathlib", "dataclasses", "inspect", "logging", "tempfile", "subprocess", "uuid", "multiprocessing"}
    assert not heavy & set(done.stdout.split())
