"""A folder of blobs keeps the contract, and its own promises about files."""

import os
import stat
import threading
from pathlib import Path

import pytest
from folder_tools import file_of, files_in, overwrite, stored

from expops.blobs import _placing
from expops.blobs.folder import FolderStore
from expops.errors import CorruptData
from expops.hashing.digest import digest_bytes
from expops.testing.object_store_suite import ObjectStoreSuite, content


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "blobs"))


class TestFolderStore(ObjectStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FolderStore:
        return FolderStore(str(tmp_path / "blobs"))

    def corrupt(self, store: FolderStore, digest: str) -> None:
        path = file_of(store, digest)
        data = path.read_bytes()
        overwrite(path, data[:-1] + bytes([data[-1] ^ 1]))


class TestVerifyingFolderStore(TestFolderStore):
    examples = 5

    @pytest.fixture
    def store(self, tmp_path: Path) -> FolderStore:
        return FolderStore(str(tmp_path / "blobs"), verify=True)


class TestSyncedFolderStore(TestFolderStore):
    examples = 5

    @pytest.fixture
    def store(self, tmp_path: Path) -> FolderStore:
        return FolderStore(tmp_path / "blobs", sync=True)


def test_nothing_is_made_before_something_is_stored(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path / "deep" / "er"))
    store.delete(["a" * 64])
    assert store.exists_many(["a" * 64]) == set()
    assert list(store.list()) == []
    assert list(tmp_path.iterdir()) == []


def test_blobs_are_read_only_files_with_a_time_of_their_own(store: FolderStore) -> None:
    _, path = stored(store, b"data")
    assert stat.S_IMODE(path.stat().st_mode) & 0o333 == 0
    # Pinned: another release must not take blobs of today's for altered ones.
    assert path.stat().st_mtime_ns == 1_382_736_064_000_000_000


def test_a_copied_file_shares_no_inode_with_its_source(store: FolderStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"data")
    digest = digest_bytes(b"data")
    store.put(digest, source)
    assert not os.path.samefile(source, file_of(store, digest))


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="platform: needs /proc")
def test_files_that_the_kernel_cannot_copy_are_read(store: FolderStore, tmp_path: Path) -> None:
    source = Path("/proc/sys/kernel/ostype")
    data = source.read_bytes()
    store.put(digest_bytes(data), source)
    assert store.get(digest_bytes(data)) == data


def test_a_source_that_changed_since_it_was_hashed_is_not_stored(store: FolderStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * (2 << 20))
    with pytest.raises(CorruptData, match=f"{source} changed"):
        store.put(digest_bytes(b"what it was"), source)
    assert files_in(Path(store._root)) == []


def test_a_missing_source_is_the_callers_error(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put("a" * 64, tmp_path / "missing")


def test_a_blob_that_is_there_is_not_written_again(store: FolderStore) -> None:
    data = content(2 << 20)
    digest, path = stored(store, data)
    before = path.stat()
    store.put(digest, data)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_storing_leaves_no_other_files(store: FolderStore) -> None:
    digests = [stored(store, content(size))[0] for size in (0, 10, 100_000)]
    assert files_in(Path(store._root)) == sorted(f"{digest[:2]}/{digest[2:]}" for digest in digests)


def test_foreign_files_are_no_blobs(store: FolderStore) -> None:
    digest, path = stored(store, b"data")
    root = Path(store._root)
    (root / "README").write_text("")
    (root / "ab").write_text("a file")
    (root / "zz").mkdir()
    (root / "zz" / ("a" * 62)).write_text("")
    (path.parent / ".DS_Store").write_text("")
    (path.parent / ("0" * 62)).mkdir()
    (root / "tmp" / ("a" * 62)).write_text("")
    (root / "quarantine").mkdir()
    (root / "quarantine" / ("a" * 64)).write_text("")
    assert list(store.list()) == [(digest, 4)]


def test_leftovers_of_killed_writers_go_when_they_are_old(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    leftover = Path(store._root) / "tmp" / "leftover"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    stored(FolderStore(store._root), b"one")
    assert leftover.exists(), "changed just now, whatever its modification time says"
    monkeypatch.setattr(_placing, "_LEFTOVER_AGE", -5.0)
    stored(FolderStore(store._root), b"two")
    assert not leftover.exists()


def test_folders_removed_under_a_store_are_made_again(store: FolderStore) -> None:
    digest, path = stored(store, b"data")
    path.unlink()
    path.parent.rmdir()
    (Path(store._root) / "tmp").rmdir()
    assert store.exists_many([digest]) == set()
    store.put(digest, b"data")
    assert store.get(digest) == b"data"


def test_mapping_keeps_no_file_open(store: FolderStore) -> None:
    digest, _ = stored(store, content(2 << 20))
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("platform: needs /proc")
    before = len(os.listdir("/proc/self/fd"))
    views = [store.map(digest) for _ in range(20)]
    # A mapping keeps a descriptor of its own in CPython.
    assert len(os.listdir("/proc/self/fd")) <= before + len(views)
    del views
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_of_many_threads_that_find_damage_at_once_repairs_it_for_all(store: FolderStore) -> None:
    data = content(50_000)
    digest, path = stored(store, data)
    overwrite(path, b"damaged")
    barrier = threading.Barrier(8)
    failures: list[BaseException] = []

    def worker() -> None:
        barrier.wait()
        try:
            store.get(digest)
        except (CorruptData, KeyError):
            store.put(digest, data)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store.put(digest, data)
    assert store.get(digest) == data
