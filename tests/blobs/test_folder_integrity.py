"""A folder of blobs never gives back other bytes than were stored."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from folder_tools import overwrite, stored

from expops.blobs._stamp import stamp
from expops.blobs.folder import FolderStore
from expops.errors import CorruptData
from expops.testing.object_store_suite import content

LARGE = content(3 << 20)
Read = Callable[[FolderStore, str], object]
WAYS: list[Read] = [
    lambda store, digest: store.get(digest),
    lambda store, digest: store.get(digest, (0, 4)),
    lambda store, digest: store.map(digest),
]
ways = pytest.mark.parametrize("read", WAYS, ids=["get", "range", "map"])


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "blobs"))


@ways
@pytest.mark.parametrize("keep_time", [True, False])
def test_every_bit_of_a_small_blob_counts(store: FolderStore, read: Read, keep_time: bool) -> None:
    data = content(24)
    for bit in range(8 * len(data)):
        digest, path = stored(store, data)
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        overwrite(path, flipped, keep_time=keep_time)
        with pytest.raises(CorruptData):
            read(store, digest)
        assert not path.exists()


@ways
@pytest.mark.parametrize("keep_time", [True, False])
def test_every_truncation_and_extension_of_a_small_blob_is_found(
    store: FolderStore, read: Read, keep_time: bool
) -> None:
    data = content(40)
    for other in [*(data[:size] for size in range(len(data))), data + b"\0", data + data]:
        digest, path = stored(store, data)
        overwrite(path, other, keep_time=keep_time)
        with pytest.raises(CorruptData):
            read(store, digest)


@ways
def test_an_edited_large_blob_is_found(store: FolderStore, read: Read) -> None:
    for place in (0, 1 << 20, len(LARGE) - 1):
        digest, path = stored(store, LARGE)
        edited = bytearray(LARGE)
        edited[place] ^= 1
        overwrite(path, edited)
        with pytest.raises(CorruptData):
            read(store, digest)


@ways
def test_a_large_blob_torn_by_loss_of_power_is_found_by_its_size(store: FolderStore, read: Read) -> None:
    """The name and the time are on the disk, and not all of the bytes."""
    for size in (0, 1, 1 << 20, (1 << 20) + 4096, 2 << 20, len(LARGE) - 1):
        digest, path = stored(store, LARGE)
        overwrite(path, LARGE[:size], keep_time=True)
        with pytest.raises(CorruptData):
            read(store, digest)


@ways
def test_another_large_blob_copied_over_it_with_its_time_is_found(store: FolderStore, read: Read) -> None:
    digest, path = stored(store, LARGE)
    _, other = stored(store, content(len(LARGE), "other"))
    path.unlink()
    shutil.copy2(other, path)
    with pytest.raises(CorruptData):
        read(store, digest)


def test_a_touched_blob_is_hashed_once_and_trusted_again(store: FolderStore) -> None:
    digest, path = stored(store, LARGE)
    for read in WAYS:
        os.utime(path)
        read(store, digest)
        assert path.stat().st_mtime_ns == stamp(digest, len(LARGE))
    os.utime(path)
    assert store.exists_many([digest]) == {digest}
    assert path.stat().st_mtime_ns == stamp(digest, len(LARGE))


def test_a_folder_copied_without_its_times_serves(store: FolderStore, tmp_path: Path) -> None:
    digests = [stored(store, data)[0] for data in (b"", b"small", LARGE)]
    shutil.copytree(store._root, tmp_path / "copy", copy_function=shutil.copy)
    copy = FolderStore(tmp_path / "copy")
    assert copy.exists_many(digests) == set(digests)
    assert [copy.get(digest) for digest in digests] == [b"", b"small", LARGE]


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_a_truncated_blob_does_not_exist(store: FolderStore, size: int) -> None:
    data = content(size)
    digest, path = stored(store, data)
    overwrite(path, data[:-1])
    assert store.exists_many([digest]) == set()
    with pytest.raises(KeyError):
        store.get(digest)


def test_storing_replaces_an_altered_blob(store: FolderStore) -> None:
    for other in (b"", LARGE[:-1], bytes(len(LARGE))):
        digest, path = stored(store, LARGE)
        overwrite(path, other)
        store.put(digest, LARGE)
        assert store.get(digest) == LARGE


def test_a_damaged_blob_is_kept_for_inspection(store: FolderStore) -> None:
    digest, path = stored(store, b"data")
    overwrite(path, b"dada")
    with pytest.raises(CorruptData) as caught:
        store.get(digest)
    aside = Path(store._root) / "quarantine" / digest
    assert aside.read_bytes() == b"dada"
    assert str(path) in str(caught.value)
    assert str(aside) in str(caught.value)


def test_stamps_of_near_sizes_and_digests_differ() -> None:
    stamps = {stamp(f"{number:07x}" + "0" * 57, size) for number in range(50) for size in range(2000)}
    assert len(stamps) > 0.99 * 50 * 2000
    seconds = sorted(moment // 10**9 for moment in stamps)
    assert all(moment % 2_000_000_000 == 0 for moment in stamps), "every file system keeps it exactly"
    assert seconds[-1] < 1_577_836_800, "before 2020: no clock of today writes it"


@ways
def test_who_verifies_finds_what_was_forged_with_its_stamp(tmp_path: Path, read: Read) -> None:
    """Stamps are no secret; others, who trust them, take such a blob for whole."""
    trusting = FolderStore(str(tmp_path / "blobs"))
    digest, path = stored(trusting, LARGE)
    overwrite(path, b"x" + LARGE[1:], keep_time=True)
    read(trusting, digest)
    with pytest.raises(CorruptData):
        read(FolderStore(str(tmp_path / "blobs"), verify=True), digest)


def test_what_was_verified_does_not_change_any_more(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path / "blobs"), verify=True)
    digest, path = stored(store, LARGE)
    view = store.map(digest)
    overwrite(path, b"x" + LARGE[1:], keep_time=True)
    assert view == LARGE
