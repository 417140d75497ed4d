"""Killed writers, full and read-only disks: a blob is whole or absent, and the error tells the mend."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from folder_tools import files_in, stored

from expops.blobs.folder import FolderStore
from expops.errors import StoreUnavailable
from expops.hashing.digest import digest_bytes
from expops.kv.sqlite import SQLiteKV
from expops.testing.object_store_suite import content

WRITER = """
import sys
from expops.blobs.folder import FolderStore
from expops.hashing.digest import digest_bytes
store, me = FolderStore(sys.argv[1]), sys.argv[2]
for number in range(10**9):
    data = (b"%d " % number + me.encode()) * (1 if number % 2 else 400_000)
    store.put(digest_bytes(data), data)
    print(digest_bytes(data), flush=True)
"""


def test_killed_writers_leave_blobs_whole_or_absent(tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    acknowledged = set()
    for me in range(10):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(root), str(me)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            time.sleep(0.004 * me)
            writer.send_signal(signal.SIGKILL)
            acknowledged |= set((first + writer.stdout.read()).decode().split("\n")[:-1])
    store = FolderStore(root)
    there = dict(store.list())
    assert acknowledged <= there.keys()
    for digest, size in there.items():
        assert digest_bytes((root / digest[:2] / digest[2:]).read_bytes()) == digest
        assert len(store.get(digest)) == size


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("")
    store = FolderStore(tmp_path / "blobs")
    for call in (
        lambda: store.put("a" * 64, b""),
        lambda: store.get("a" * 64),
        lambda: store.exists_many(["a" * 64]),
        lambda: store.delete(["a" * 64]),
        lambda: list(store.list()),
    ):
        with pytest.raises(StoreUnavailable, match=rf"{tmp_path}.*a file is where a folder belongs"):
            call()


def test_a_folder_in_place_of_a_blob(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    digest, path = stored(store, b"data")
    path.unlink()
    path.mkdir()
    for call in (lambda: store.get(digest), lambda: store.put(digest, b"data")):
        with pytest.raises(StoreUnavailable, match=rf"{path}.*a folder is where a file belongs"):
            call()
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_a_file_size_limit_is_told_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    """The limit cuts a write short, as a full disk does."""
    data = content(3 << 20)
    source = tmp_path / "source"
    source.write_bytes(data)
    code = """
import resource, sys
from pathlib import Path
from expops.blobs.folder import FolderStore
from expops.errors import StoreUnavailable
from expops.hashing.digest import digest_bytes
source = Path(sys.argv[2])
data = source.read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    FolderStore(sys.argv[1]).put(digest_bytes(data), data if sys.argv[3] == "bytes" else source)
except StoreUnavailable as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "blobs"), str(source), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "free some space and run again" in done.stdout
    assert files_in(tmp_path / "blobs") == []


def test_running_out_of_descriptors_is_told(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    digest, _ = stored(store, b"data")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(StoreUnavailable, match="raise the limit"):
            store.get(digest)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert store.get(digest) == b"data"


@pytest.mark.skipif(os.geteuid() == 0, reason="platform: root may write anywhere")
def test_no_permission_is_told(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    digest, path = stored(store, b"data")
    tmp = tmp_path / "tmp"
    tmp.chmod(0o555)
    with pytest.raises(StoreUnavailable, match="get permission"):
        store.put(digest_bytes(b"other"), b"other")
    tmp.chmod(0o755)
    path.chmod(0)
    with pytest.raises(StoreUnavailable, match="get permission"):
        store.get(digest)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; read-only after ``mount -o remount,ro``."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("platform: needs Linux and the right to mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing_half_written(small_disk: Path, tmp_path: Path) -> None:
    store = FolderStore(small_disk / "blobs")
    small, _ = stored(store, b"small")
    large = content(3 << 20)
    source = tmp_path / "source"
    source.write_bytes(large)
    for given in (large, source):
        with pytest.raises(StoreUnavailable, match="free some space"):
            store.put(digest_bytes(large), given)
        assert list(store.list()) == [(small, 5)]
        assert files_in(small_disk) == [f"blobs/{small[:2]}/{small[2:]}"]
    assert store.get(small) == b"small"


@pytest.mark.slow
def test_a_full_disk_costs_a_database_only_what_does_not_fit(small_disk: Path) -> None:
    store = SQLiteKV(str(small_disk / "kv.db"))
    kept: dict[str, bytes] = {}

    def fill() -> None:
        for number in range(1000):
            value = bytes([number % 256]) * 50_000
            store.put(f"{number:04}", value)
            kept[f"{number:04}"] = value

    with pytest.raises(StoreUnavailable, match="free some space"):
        fill()
    assert kept
    assert dict(store.scan("")) == kept
    store.close()
    assert dict(SQLiteKV(str(small_disk / "kv.db")).scan("")) == kept


@pytest.mark.slow
def test_a_read_only_disk_is_told_and_still_read(small_disk: Path) -> None:
    store, kv = FolderStore(small_disk / "blobs"), SQLiteKV(str(small_disk / "kv.db"))
    digest, path = stored(store, b"data")
    os.utime(path)
    kv.put("a", b"1")
    kv.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert store.get(digest) == b"data"
    assert store.exists_many([digest]) == {digest}
    with pytest.raises(StoreUnavailable, match="read-only"):
        store.put(digest_bytes(b"other"), b"other")
    with pytest.raises(StoreUnavailable, match="read-only"):
        store.delete([digest])
    with pytest.raises(StoreUnavailable, match="read-only"):
        kv.put("b", b"1")
    kv.close()
