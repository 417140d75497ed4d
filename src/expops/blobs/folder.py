"""Blobs as read-only files in a folder, on a local or mounted file system.

::

    ab/cdef...      the blob whose digest is abcdef...: mode 0444, modification time as in _stamp.py
    tmp/            files being written; leftovers of killed writers go after an hour
    quarantine/     files whose bytes did not match their name

What is checked, when, and what that misses: docs/decisions/0002-blob-integrity.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import FileIO
from typing import TYPE_CHECKING, Final

from ..errors import CorruptData
from ..hashing.digest import digest_bytes, digest_file
from ._faults import told
from ._placing import Check, Fill, place, sweep
from ._source import copy_file, write_all
from ._stamp import check_digest, check_range, has_stamp, is_digest, stamp

if TYPE_CHECKING:
    from pathlib import Path

    from .base import Bytes

_ALWAYS_HASHED: Final = 1 << 20  # below this size, hashing costs less than anyone would notice
_MAPPED_FROM: Final = 64 << 10  # below this size, reading costs less than a mapping


class FolderStore:
    """An :class:`~expops.blobs.base.ObjectStore` in the folder ``path``, made when something is first stored.

    Writers and readers may be any number of threads and processes. Survives ``kill -9`` at any instant.
    A loss of power may damage what was just written, which is then found out when it is read;
    with ``sync`` every :meth:`put` waits until the blob is on the disk. With ``verify`` all that is read is hashed, and
    nothing is mapped: for a folder in which somebody may alter files on purpose.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = False, verify: bool = False) -> None:
        self._root = os.path.abspath(os.fspath(path))
        self._tmp = os.path.join(self._root, "tmp")
        self._sync = sync
        self._verifies = verify
        self._swept = False

    def get(self, digest: str, range: tuple[int, int] | None = None) -> bytes:
        """See :meth:`ObjectStore.get`. A range that reaches past the end gives what is there.

        Raises ``ValueError`` for a range that begins below 0 or ends before it begins.
        """
        part = slice(None) if range is None else check_range(range)
        path = self._path(digest)
        with told(path, "read this blob"), _open(path, digest) as file:
            status = os.fstat(file.fileno())
            if range is not None and self._trusts(digest, status):
                file.seek(range[0])
                return _read(file, min(range[1], status.st_size) - range[0])
            data = file.readall()
            if not self._trusts(digest, status):
                self._verify(digest, path, file, digest_bytes(data))
        return data[part]

    def map(self, digest: str) -> memoryview:
        """See :meth:`ObjectStore.map`. Large blobs are mapped, copy on write; small ones are read."""
        path = self._path(digest)
        with told(path, "read this blob"), _open(path, digest) as file:
            status = os.fstat(file.fileno())
            if self._verifies or status.st_size < _MAPPED_FROM:
                view = memoryview(bytearray(file.readall()))
            else:
                import mmap  # not needed by a run in which no large output is loaded

                view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
            if not self._trusts(digest, status):
                self._verify(digest, path, file, digest_bytes(view))
        return view

    def put(self, digest: str, source: Bytes | Path) -> None:
        """See :meth:`ObjectStore.put`.

        Bytes are taken to have that digest. The copy of a file is hashed, since others may be writing to the
        file: raises :class:`CorruptData` if it has another digest by now, and stores nothing. Raises
        ``OSError`` if the source can't be opened.
        """
        path = self._path(digest)
        with suppress(OSError):  # absent, or out of reach: then writing says why
            status = os.stat(path)
            if has_stamp(digest, status):
                with suppress(OSError):  # another's file
                    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # for settled()
                return
        if isinstance(source, bytes | bytearray | memoryview):
            data = source
            self._place(digest, path, lambda fd: write_all(fd, data), None)
            return
        with open(source, "rb", buffering=0) as file:
            name = os.fspath(source)
            self._place(digest, path, lambda fd: copy_file(file, fd), lambda copy: _same(digest, copy, name))

    def receive(self, digest: str, pieces: Iterable[Bytes]) -> None:
        """Store a blob that comes in ``pieces``, in the memory of one of them; together they are taken to have that
        digest. Nothing is stored if ``pieces`` raises.
        """
        path = self._path(digest)
        with told(path, "store this blob"):
            # First, and not after a failure: what was received can't be received again.
            os.makedirs(self._tmp, exist_ok=True)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            place(digest, path, self._tmp, lambda fd: sum(write_all(fd, piece) for piece in pieces), None, self._sync)

    def exists_many(self, digests: Iterable[str]) -> set[str]:
        """See :meth:`ObjectStore.exists_many`. A file that was touched since it was stored is hashed."""
        return {digest for digest in digests if self._is_whole(digest)}

    def delete(self, digests: Iterable[str]) -> None:
        """See :meth:`ObjectStore.delete`."""
        for digest in digests:
            path = self._path(digest)
            with told(path, "delete this blob"), suppress(FileNotFoundError):
                os.unlink(path)

    def list(self) -> Iterator[tuple[str, int]]:
        """See :meth:`ObjectStore.list`. Files that are no blobs are passed over."""
        for folder in _entries(self._root):
            if len(folder.name) != 2 or not folder.is_dir(follow_symlinks=False):
                continue
            for entry in _entries(folder.path):
                digest = folder.name + entry.name
                if is_digest(digest) and (size := _size(entry)) is not None:
                    yield digest, size

    def settled(self, seconds: float) -> Iterator[tuple[str, int]]:
        """See :meth:`ObjectStore.settled`. By the time at which a file's state changed: the other one is its stamp."""
        latest = time.time() - seconds
        for digest, size in self.list():
            with suppress(OSError):  # somebody has removed it
                if os.stat(self._path(digest)).st_ctime <= latest:
                    yield digest, size

    def check(self, digest: str) -> None:
        """See :meth:`ObjectStore.check`."""
        path = self._path(digest)
        with told(path, "read this blob"), _open(path, digest) as file:
            self._verify(digest, path, file, digest_file(path))

    def _path(self, digest: str) -> str:
        check_digest(digest)
        return f"{self._root}{os.sep}{digest[:2]}{os.sep}{digest[2:]}"

    def _trusts(self, digest: str, status: os.stat_result) -> bool:
        return not self._verifies and status.st_size >= _ALWAYS_HASHED and has_stamp(digest, status)

    def _place(self, digest: str, path: str, fill: Fill, check: Check | None) -> None:
        if not self._swept:
            self._swept = True
            sweep(self._tmp)
        with told(path, "store this blob"):
            try:
                place(digest, path, self._tmp, fill, check, self._sync)
                return
            except FileNotFoundError:
                os.makedirs(self._tmp, exist_ok=True)
                os.makedirs(os.path.dirname(path), exist_ok=True)
            place(digest, path, self._tmp, fill, check, self._sync)

    def _is_whole(self, digest: str) -> bool:
        path = self._path(digest)
        with told(path, "look for this blob"):
            try:
                if has_stamp(digest, os.stat(path)):
                    return True
                with _open(path, digest) as file:
                    self._verify(digest, path, file, digest_file(path))
            except (FileNotFoundError, KeyError, CorruptData):
                return False
        return True

    def _verify(self, digest: str, path: str, file: FileIO, found: str) -> None:
        """Put the stamp right if the file's digest is, else put the file aside and raise ``CorruptData``."""
        if found != digest:
            raise CorruptData(
                f"{path}: damaged: its bytes have digest {found}; {self._quarantine(digest, path, file)}; "
                "what it held is computed again"
            )
        status = os.fstat(file.fileno())
        if not has_stamp(digest, status):
            moment = stamp(digest, status.st_size)
            with suppress(OSError):  # on another's file or a read-only disk: it is hashed each time
                os.utime(path, ns=(moment, moment))

    def _quarantine(self, digest: str, path: str, file: FileIO) -> str:
        aside = os.path.join(self._root, "quarantine", digest)
        try:
            if not os.path.samestat(os.stat(path), os.fstat(file.fileno())):
                return "another process has replaced it"
            os.makedirs(os.path.dirname(aside), exist_ok=True)
            os.replace(path, aside)
        except FileNotFoundError:
            return "another process has moved it away"
        except OSError as error:
            return f"it can't be moved away ({error.strerror}): remove it"
        return f"moved to {aside}"


def _open(path: str, digest: str) -> FileIO:
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        raise KeyError(digest) from None


def _read(file: FileIO, size: int) -> bytes:
    """Up to ``size`` bytes; fewer only at the end of the file."""
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _same(digest: str, copy: str, source: str) -> None:
    if digest_file(copy) != digest:
        raise CorruptData(f"{source} changed while it was stored: let its writer end, and run again")


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with told(folder, "list this folder"):
        try:
            with os.scandir(folder) as entries:
                found = list(entries)
        except FileNotFoundError:
            return
    yield from found


def _size(entry: os.DirEntry[str]) -> int | None:
    """Of a regular file that is still there."""
    with told(entry.path, "look at this blob"):
        try:
            return entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else None
        except FileNotFoundError:
            return None
