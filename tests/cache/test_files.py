"""File digests: remembered by stamp, and never taken for an earlier content."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.cache.discovery import Places
from expops.cache.files import ABSENT, FileDigests
from expops.hashing.digest import digest_bytes


class Memo(dict[str, bytes]):
    """A memory that never forgets."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value


def settle(path: Path) -> None:
    """Make a file look as if it had been written a while ago."""
    past = time.time_ns() - 10_000_000_000
    os.utime(path, ns=(past, past))


def test_an_edit_in_the_same_tick_of_the_same_size_is_seen(tmp_path: Path) -> None:
    path, memo = tmp_path / "f", Memo()
    for content in (b"1", b"2", b"3"):
        path.write_bytes(content)
        assert FileDigests(memo).of_file(str(path)) == digest_bytes(content)


def test_an_edit_that_puts_the_old_time_back_is_seen(tmp_path: Path) -> None:
    path, memo = tmp_path / "f", Memo()
    path.write_bytes(b"1")
    settle(path)
    before = path.stat()
    assert FileDigests(memo).of_file(str(path)) == digest_bytes(b"1")
    path.write_bytes(b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert FileDigests(memo).of_file(str(path)) == digest_bytes(b"2")


def test_absent_files_and_folders(tmp_path: Path) -> None:
    files = FileDigests()
    assert files.of_file(str(tmp_path / "none")) == ABSENT
    (tmp_path / "folder").mkdir()
    empty = files.of_folder(str(tmp_path / "folder"))
    (tmp_path / "folder" / "x").touch()
    assert files.of_folder(str(tmp_path / "folder")) != empty
    assert files.of_file("nul\0byte") == ABSENT


def test_a_snapshot_looks_once(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"1")
    files = FileDigests()
    with files.snapshot():
        first = files.of_file(str(path))
        path.write_bytes(b"2")
        assert files.of_file(str(path)) == first
    assert files.of_file(str(path)) == digest_bytes(b"2")


@pytest.mark.parametrize("work", [None, "/w/p"])
@given(st.sampled_from(["/w/p", "/w/p/a", "/w/p/b/x", "/pro", "/pro/data/x", "/pro/a b/ü", "/proj", "/w/pp", "/x/y"]))
def test_a_portable_name_leads_back_to_its_path(work: str | None, path: str) -> None:
    places = Places("/pro", work)
    assert places.path(places.name(path)) == path


def test_names_do_not_depend_on_where_the_project_is() -> None:
    assert Places("/a", "/w").name("/a/data/x") == Places("/b/c", None).name("/b/c/data/x") == "project/data/x"
