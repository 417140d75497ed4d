"""Digests of files and folder listings, without reading a file twice that has not changed since.

A memo entry is trusted only if the file's stamps are the same, and older than the entry by more than the coarsest
clock step, so that an edit within the same tick can't hide (the "racy git" problem).
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple, Protocol

from ..hashing.canonical import digest_of
from ..hashing.digest import digest_bytes, digest_file

_SETTLED_NS: Final = 2_000_000_000  # FAT keeps times to two seconds; every other file system is finer
ABSENT: Final = "absent"


class _Memo(Protocol):
    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes) -> None: ...


class _Entry(NamedTuple):
    stamp: tuple[int, int, int, int]
    seen: int
    digest: str


class FileDigests:
    """Digests by path, remembered by stamp (mtime, ctime, size, inode)."""

    def __init__(self, memo: _Memo | None = None) -> None:
        self._memo = memo
        self._known: dict[str, _Entry] = {}
        self._seen: dict[tuple[str, str], str] | None = None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Look at each path once at most until the end of the block: what is planned together sees the same files."""
        self._seen = {}
        try:
            yield
        finally:
            self._seen = None

    def of_file(self, path: str) -> str:
        """Digest of what ``path`` holds: a file's content, a folder's listing, or :data:`ABSENT`."""
        return self._once("file", path, self._of_file)

    def _once(self, kind: str, path: str, look: Callable[[str], str]) -> str:
        if self._seen is None:
            return look(path)
        key = (kind, path)
        if key not in self._seen:
            self._seen[key] = look(path)
        return self._seen[key]

    def _of_file(self, path: str) -> str:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return ABSENT
        if stat.S_ISDIR(status.st_mode):
            return self.of_folder(path)
        if not stat.S_ISREG(status.st_mode):
            return digest_of(["special", status.st_mode, status.st_rdev])
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        entry = self._recall(path)
        if entry is not None and entry.stamp == stamp and max(stamp[0], stamp[1]) + _SETTLED_NS < entry.seen:
            return entry.digest
        return self._read(path, stamp)

    def of_folder(self, path: str) -> str:
        """Digest of the names in a folder, in no order; :data:`ABSENT` if it can't be listed."""
        return self._once("folder", path, self._of_folder)

    def _of_folder(self, path: str) -> str:
        try:
            names = sorted(os.listdir(path))
        except OSError:
            return ABSENT
        return listing_digest(names)

    def _recall(self, path: str) -> _Entry | None:
        entry = self._known.get(path)
        if entry is None and self._memo is not None:
            raw = self._memo.get("file/" + path)
            if raw is not None:
                stamp, seen, digest = json.loads(raw)
                entry = self._known[path] = _Entry(tuple(stamp), seen, digest)
        return entry

    def _read(self, path: str, stamp: tuple[int, int, int, int]) -> str:
        seen = time.time_ns()
        try:
            digest = digest_file(path)
        except OSError:
            return ABSENT
        entry = self._known[path] = _Entry(stamp, seen, digest)
        if self._memo is not None:
            self._memo.put("file/" + path, json.dumps(entry).encode())
        return digest


def listing_digest(names: list[str]) -> str:
    """Digest of a sorted list of names in a folder."""
    return digest_of(["folder", names])


def text_digest(value: str | None) -> str:
    """Digest of an environment variable's value; :data:`ABSENT` if it isn't set."""
    return ABSENT if value is None else digest_bytes(value.encode("utf-8", "surrogateescape"))
