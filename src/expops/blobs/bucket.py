"""Blobs in a bucket: ``blobs/ab/cdef...`` is the blob whose digest is abcdef...

Whatever is read is hashed before it is handed out. A blob whose bytes are wrong twice in a row moves to
``quarantine/``, so that it can be written anew.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from ..errors import CorruptData, StorageError, StoreUnavailable
from ..hashing.digest import Digester
from ._stamp import check_digest, check_range, is_digest

if TYPE_CHECKING:
    from pathlib import Path

    from ..buckets.bucket import Bucket
    from .base import Bytes

T = TypeVar("T")

_FOLDER: Final = "blobs"
_PART: Final = 8 << 20  # bytes that are written by one request
_IN_MEMORY: Final = 1 << 30  # bytes; what is larger is handed out in pieces only
_TRIES: Final = 2
_FRESH: Final = 3600.0  # seconds; much less than the grace that blobs have in what a team shares


class BucketStore:
    """An :class:`~expops.blobs.base.ObjectStore` in a bucket, which is opened when it is first needed.

    Blobs of up to 8 MiB are written by one conditional request, larger ones in parts: their content is what their name
    says, so that of two writers it does not matter who is last.
    """

    def __init__(self, bucket: Callable[[], Bucket]) -> None:
        self._bucket = bucket

    def get(self, digest: str, range: tuple[int, int] | None = None) -> bytes:
        """See :meth:`ObjectStore.get`. The whole blob is read, or it could not be checked.

        Raises ``ValueError`` for a range that begins below 0 or ends before it begins.
        """
        part = slice(None) if range is None else check_range(range)
        return self.fetch(digest, b"".join, limit=_IN_MEMORY)[part]

    def map(self, digest: str) -> memoryview:
        """See :meth:`ObjectStore.map`."""
        return memoryview(bytearray(self.get(digest)))

    def fetch(self, digest: str, take: Callable[[Iterator[Bytes]], T], *, limit: int) -> T:
        """What ``take`` makes of the blob's bytes, which come in pieces; an error is raised in place of the last one
        if they are not what they should be.

        ``take`` may be called twice. Raises :class:`StoreUnavailable` for a blob of more than ``limit`` bytes, before
        any of them is read.
        """
        check_digest(digest)
        bucket, name = self._bucket(), _name(digest)
        told = ""
        version: dict[str, str] = {}
        # Twice: what was damaged on its way is sound where it lies.
        for _ in range(_TRIES):
            begun = bucket.stream(name)
            if begun is None:
                raise KeyError(digest)
            size, version, pieces = begun
            if size > limit:
                raise StoreUnavailable(f"{bucket.place}/{name} has {size:,} bytes, for which there is no room here")
            try:
                return take(_checked(digest, size, pieces))
            except _Damaged as fault:
                told = str(fault)
        raise CorruptData(f"{bucket.place}/{name}: {told}; {self._aside(digest, version)}")

    def put(self, digest: str, source: Bytes | Path) -> None:
        """See :meth:`ObjectStore.put`. Bytes are taken to have that digest; what is read from a file is hashed, and
        :class:`CorruptData` raised if it has another. Raises ``OSError`` if the source can't be opened.
        """
        check_digest(digest)
        if isinstance(source, bytes | bytearray | memoryview):
            view = memoryview(source).cast("B")
            self._write(digest, view.nbytes, lambda: iter([view[at : at + _PART] for at in _steps(view.nbytes)]))
            return
        with open(source, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self._write(digest, size, lambda: _checked(digest, size, _read(file), os.fspath(source)))

    def _write(self, digest: str, size: int, pieces: Callable[[], Iterator[Bytes]]) -> None:
        bucket, name = self._bucket(), _name(digest)
        try:
            if size <= _PART:
                data = b"".join(pieces())
                # What is there may have been cut short, or so old that it is about to be collected. Writing it again is
                # the one way to make it new that works the same in all buckets.
                if not bucket.create(name, data) and not (bucket.size(name) == size and self._is_fresh(digest)):
                    bucket.put(name, data)
            elif bucket.size(name) != size or not self._is_fresh(digest):
                bucket.upload(name, pieces())
        except _Damaged as fault:
            raise CorruptData(str(fault)) from None

    def exists_many(self, digests: Iterable[str]) -> set[str]:
        """See :meth:`ObjectStore.exists_many`."""
        wanted = set(digests)
        for digest in wanted:
            check_digest(digest)
        names = sorted(wanted)
        bucket = self._bucket()
        sizes = bucket.each(lambda digest: bucket.size(_name(digest)), names)
        return {digest for digest, size in zip(names, sizes, strict=True) if size is not None}

    def fresh(self, digests: Iterable[str]) -> set[str]:
        """Those of ``digests`` that are there, and too young for anybody to collect; :meth:`put` makes others so."""
        wanted = sorted(set(digests))
        there = self._bucket().each(self._is_fresh, wanted)
        return {digest for digest, found in zip(wanted, there, strict=True) if found}

    def _is_fresh(self, digest: str) -> bool:
        written = self._bucket().written(_name(digest))
        return written is not None and written > time.time() - _FRESH

    def delete(self, digests: Iterable[str]) -> None:
        """See :meth:`ObjectStore.delete`."""
        names = []
        for digest in digests:
            check_digest(digest)
            names.append(_name(digest))
        self._bucket().delete(names)

    def list(self) -> Iterator[tuple[str, int]]:
        """See :meth:`ObjectStore.list`. Objects that are no blobs are passed over."""
        return ((digest, size) for digest, size, _ in self._entries())

    def settled(self, seconds: float) -> Iterator[tuple[str, int]]:
        """See :meth:`ObjectStore.settled`. By the bucket's clock as far as it goes with ours; of a blob that was put in
        vain, by when it was written.
        """
        latest = time.time() - seconds
        return ((digest, size) for digest, size, written in self._entries() if written <= latest)

    def check(self, digest: str) -> None:
        """See :meth:`ObjectStore.check`."""
        self.fetch(digest, lambda pieces: sum(map(len, pieces)), limit=sys.maxsize)

    def _entries(self) -> Iterator[tuple[str, int, float]]:
        for name, size, written in self._bucket().entries(_FOLDER):
            digest = "".join(name.split("/")[-2:])
            if is_digest(digest) and name == _name(digest):
                yield digest, size, written

    def _aside(self, digest: str, version: dict[str, str]) -> str:
        """Move a damaged blob away, unless another has taken its place."""
        bucket, name = self._bucket(), _name(digest)
        try:
            if bucket.version(name) != version:
                return "somebody has replaced it"
            bucket.move(name, f"quarantine/{digest}")
        except StorageError as fault:
            return f"it can't be moved away: {fault}"
        return "moved to quarantine; what it held is computed again"


class _Damaged(Exception):
    """Bytes that are not those of their digest."""


def _checked(digest: str, size: int, pieces: Iterable[Bytes], source: str = "") -> Iterator[Bytes]:
    """``pieces``, the last of which is only given if all of them have that digest and size together."""
    hasher, seen, held = Digester(), 0, None
    for piece in pieces:
        if held is not None:
            yield held
        hasher.update(piece)
        seen += len(piece)
        held = piece
        if seen > size:
            break
    found = hasher.hexdigest()
    if found != digest or seen != size:
        why = f"{source} changed while it was stored" if source else f"damaged: {seen:,} bytes with digest {found}"
        raise _Damaged(why)
    if held is not None:
        yield held


def _name(digest: str) -> str:
    return f"{_FOLDER}/{digest[:2]}/{digest[2:]}"


def _steps(size: int) -> range:
    return range(0, size, _PART)


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PART):
        yield piece
