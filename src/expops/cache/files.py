"""Digests of files and folder listings, without reading a file twice that has not changed since.

A memo entry is trusted only if the file's stamps are the same, and older than the entry by more than the coarsest
clock step, so that an edit within the same tick can't hide (the "racy git" problem).
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from ..hashing.canonical import digest_of
from ..hashing.digest import digest_bytes, digest_file
from .status import ABSENT as ABSENT
from .status import look

_KEY: Final = "file/"
_SETTLED_NS: Final = 2_000_000_000  # FAT keeps times to two seconds; every other file system is finer


class _Memo(Protocol):
    def get(self, key: str) -> bytes | None: ...
    def get_many(self, keys: list[str]) -> dict[str, bytes]: ...
    def put(self, key: str, value: bytes) -> None: ...


class FileDigests:
    """Digests by path, remembered by stamp: ``mtime ctime size inode``, then when it was looked at, and the digest."""

    def __init__(self, memo: _Memo | None = None) -> None:
        self._memo = memo
        self._known: dict[str, bytes] = {}
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
        # Ten thousand of these must be compared in next to no time, so they are text, and no JSON.
        times = status.st_mtime_ns, status.st_ctime_ns
        stamp = b"%d %d %d %d" % (*times, status.st_size, status.st_ino)
        entry = self._recall(path)
        if entry is not None and entry.startswith(stamp):
            known, seen, digest = entry.rsplit(b" ", 2)
            if known == stamp and max(times) + _SETTLED_NS < int(seen):
                return digest.decode()
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

    def of_status(self, kind: str, path: str) -> str:
        """The answer to a question about ``path`` that needs no open; see :mod:`.status`."""
        return self._once(kind, path, lambda path: look(kind, path))

    def of_files(self, paths: list[str]) -> list[str]:
        """As :meth:`of_file` for each; what is remembered of them is fetched in one look-up."""
        unknown = [path for path in paths if path not in self._known]
        if self._memo is not None and len(unknown) > 1:
            found = self._memo.get_many([_KEY + path for path in unknown])
            self._known.update((key[len(_KEY) :], entry) for key, entry in found.items())
        return [self.of_file(path) for path in paths]

    def _recall(self, path: str) -> bytes | None:
        entry = self._known.get(path)
        if entry is None and self._memo is not None:
            entry = self._memo.get(_KEY + path)
            if entry is not None:
                self._known[path] = entry
        return entry

    def _read(self, path: str, stamp: bytes) -> str:
        seen = time.time_ns()
        try:
            digest = digest_file(path)
        except OSError:
            return ABSENT
        entry = self._known[path] = b"%b %d %b" % (stamp, seen, digest.encode())
        if self._memo is not None:
            self._memo.put(_KEY + path, entry)
        return digest


def listing_digest(names: list[str]) -> str:
    """Digest of a sorted list of names in a folder."""
    return digest_of(["folder", names])


def text_digest(value: str | None) -> str:
    """Digest of an environment variable's value; :data:`ABSENT` if it isn't set."""
    return ABSENT if value is None else digest_bytes(value.encode("utf-8", "surrogateescape"))
