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


def fault_of(path: Path) -> str | None:
    try:
        use(path)
    except StorageError as error:
        return str(error)
    return None


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


def test_damage_anywhere_in_the_file_never_shows_as_an_sqlite3_error(tmp_path: Path) -> None:
    """SQLite has no checksums: it finds damaged structure, here told as such; a value may be wrong."""
    sound = tmp_path / "sound.db"
    store = SQLiteKV(str(sound))
    store.put_many({f"key {number}": b"value" * 20 for number in range(200)})
    store.close()
    whole = sound.read_bytes()
    told = 0
    for place in [*range(0, 120, 5), *range(4096, len(whole), 997)]:
        path = tmp_path / f"{place}.db"
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        fault = fault_of(path)
        assert fault is None or str(path) in fault
        told += fault is not None
    assert told > 0


@pytest.mark.parametrize("kept", [1, 50, 100, 4096, 5000, 8192])
def test_a_truncated_file_never_shows_as_an_sqlite3_error(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "kv.db"
    store = SQLiteKV(str(path))
    store.put_many({f"key {number}": b"value" * 20 for number in range(200)})
    store.close()
    os.truncate(path, kept)
    with pytest.raises(CorruptData, match=rf"{path}.*move"):
        use(path)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="platform: root may write anywhere")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "kv.db"
    use(path)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    with pytest.raises(StoreUnavailable, match=rf"{path}: can't be opened or written"):
        use(path)
    path.parent.chmod(0o755)
