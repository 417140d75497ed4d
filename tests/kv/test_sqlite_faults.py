"""What can be wrong with a database file is told with its place and mend, and never as an sqlite3 error."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from expops.errors import CorruptData, StorageError, StoreUnavailable
from expops.kv.sqlite import SQLiteKV


def use(path: Path, **options: float) -> None:
    """All that one does with a store, so that no fault can hide."""
    store = SQLiteKV(str(path), **options)
    store.get_many(["a"])
    store.put("a", b"1")
    store.put_many({"b": b"1", "c": b"2"})
    store.create("d", b"1", ttl=1.0)
    store.delete(["a"])
    list(store.scan(""))
    store.close()


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    path.write_text("no database at all, but long enough to look at " * 100)
    with pytest.raises(CorruptData, match=rf"{path}.*move"):
        use(path)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    path.mkdir()
    with pytest.raises(StoreUnavailable, match=rf"{path}: is a folder"):
        use(path)


def test_a_file_where_its_folder_belongs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="can't make its folder"):
        use(tmp_path / "file" / "kv.db")


def test_a_file_as_its_folder_for_which_nothing_is_to_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        use(tmp_path / "file" / "deeper" / "kv.db")


def test_a_later_format(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    use(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreUnavailable, match=rf"{path} has format 99"):
        use(path)


def test_another_programs_database(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE kv(name, number)")
    connection.close()
    with pytest.raises(StoreUnavailable, match=rf"{path}: .*move it aside"):
        use(path)


def test_a_lock_held_too_long_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    use(path)
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        store = SQLiteKV(str(path), patience=0.1)
        assert store.get_many(["c"]) == {"c": b"2"}, "readers don't wait for writers"
        with pytest.raises(StoreUnavailable, match="locked for too long by") as caught:
            store.put("a", b"1")
        holder.communicate("")
    if sys.platform == "linux":
        assert f"process {holder.pid}" in str(caught.value)
    store.put("a", b"2")
    assert store.get_many(["a"]) == {"a": b"2"}


ENTRIES = {f"key {number:03}": bytes([number]) * 40 for number in range(60)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a small database with ENTRIES."""
    path = tmp_path_factory.mktemp("sound") / "kv.db"
    store = SQLiteKV(str(path))
    store.put_many(ENTRIES)
    store.close()
    return path.read_bytes()


def check_damaged(path: Path, data: bytes) -> int:
    """Entries that are still found, all right; -1 if the fault is told."""
    for old in path.parent.glob(path.name + "*"):
        old.unlink()
    path.write_bytes(data)
    store = SQLiteKV(str(path))
    try:
        found = store.get_many(ENTRIES)
        assert found.items() <= ENTRIES.items()
        assert set(store.scan("")) <= set(ENTRIES.items())
        assert store.get_many(["key 030"]).items() <= ENTRIES.items()
        use(path)
    except StorageError as error:
        told = str(error)
    else:
        return len(found)
    finally:
        store.close()
    assert str(path) in told
    return -1


def check_all(sound: bytes, tmp_path: Path, step: int) -> None:
    outcomes = {
        check_damaged(tmp_path / "kv.db", sound[:place] + bytes([sound[place] ^ mask]) + sound[place + 1 :])
        for mask in (0x01, 0x80, 0xFF)
        for place in range(0, len(sound), step)
    }
    assert {-1, len(ENTRIES) - 1, len(ENTRIES)} <= outcomes


def test_damage_anywhere_in_the_file_gives_no_wrong_value_and_no_sqlite3_error(sound: bytes, tmp_path: Path) -> None:
    check_all(sound, tmp_path, 211)


@pytest.mark.slow
def test_damage_to_a_great_many_bytes_gives_no_wrong_value_and_no_sqlite3_error(sound: bytes, tmp_path: Path) -> None:
    check_all(sound, tmp_path, 7)


@pytest.mark.parametrize("kept", [0, 1, 50, 100, 4095, 4096, 5000, 6000, 8191])
def test_a_truncated_file_gives_no_wrong_value_and_no_sqlite3_error(sound: bytes, tmp_path: Path, kept: int) -> None:
    """SQLite takes almost nothing for an empty database."""
    assert len(sound) == 8192
    found = check_damaged(tmp_path / "kv.db", sound[:kept])
    assert found < len(ENTRIES)
    assert found == -1 or kept < 50 or kept > 4096


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="platform: root may write anywhere")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "kv.db"
    use(path)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    with pytest.raises(StoreUnavailable, match=rf"{path}: can't be opened or written"):
        use(path)
    path.parent.chmod(0o755)
