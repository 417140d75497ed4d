"""Named objects in a bucket: create-only, conditional and plain writes, bounded reads; after a failure it rests.

Every method may be called from any thread, and raises :class:`~expops.errors.StoreUnavailable` when the bucket can't
be reached or refuses. Sound objects are not this file's affair: blobs and records carry their own digests.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from ..errors import CorruptData, StoreUnavailable
from .clients import Clients, connect
from .faults import describe
from .place import Place

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")
S = TypeVar("S")
Bytes: TypeAlias = bytes | bytearray | memoryview

PART: Final = 8 << 20
"""Bytes up to which an object is written by one request, and the size of the parts of larger ones."""

_PIECE: Final = 1 << 20  # of what is read; the client puts larger ones together out of smaller ones
_REST_SECONDS: Final = 30.0
_THREADS: Final = 16
_PAGE: Final = 1000
_PARTS_AT_ONCE: Final = 4


class Object(NamedTuple):
    """What was read: the bytes, and which version of the object they are."""

    data: bytes
    version: dict[str, str]


class Bucket:
    """The objects at ``place``.

    A process that was forked off can't use a bucket that its parent has used: the client's threads stayed behind.
    """

    def __init__(self, place: Place, clients: Clients | None = None) -> None:
        self.place = place
        self.warn: Callable[[str], object] = lambda message: None
        self._clients = clients
        self._failed = ""
        self._until = 0.0
        self._pool: ThreadPoolExecutor | None = None
        self._opening = threading.Lock()
        self._process = os.getpid()

    def get(self, name: str, limit: int) -> Object | None:
        """The object, ``None`` if there is none. Raises :class:`CorruptData` for one of more than ``limit`` bytes."""

        def read(clients: Clients) -> Object:
            found = obstore.get(clients.read, name)
            if found.meta["size"] > limit:
                raise CorruptData(f"{self.place}/{name} has {found.meta['size']:,} bytes, more than it may have")
            return Object(bytes(found.bytes()), _version(found.meta))

        return self._call(read, absent=None)

    def stream(self, name: str) -> tuple[int, dict[str, str], Iterator[Bytes]] | None:
        """Size, version and pieces of the object, ``None`` if there is none. Pieces come as they are asked for."""

        def begin(clients: Clients) -> tuple[int, dict[str, str], Iterator[Any]]:
            found = obstore.get(clients.read, name)
            size = found.meta["size"]
            if self.place.kind == "folder":
                pieces = self._parts(clients, name, size)
            else:
                pieces = iter(found.stream(_PIECE)) if size > PART else (found.bytes() for _ in range(1))
            return size, _version(found.meta), pieces

        begun = self._call(begin, absent=None)
        if begun is None:
            return None
        size, version, pieces = begun
        return size, version, self._pieces(pieces)

    def _parts(self, clients: Clients, name: str, size: int) -> Iterator[Any]:
        # Of files, the client's stream comes in pieces of some KiB, which it then puts together.
        for start in range(0, size, PART):
            yield obstore.get_range(clients.read, name, start=start, end=min(start + PART, size))

    def _pieces(self, pieces: Iterator[Any]) -> Iterator[Bytes]:
        while (piece := self._call(lambda _: next(pieces, None), absent=None)) is not None:
            yield memoryview(piece)  # of the client's memory, not copied

    def put(self, name: str, data: Bytes) -> None:
        """Write the object, replacing what was there."""
        self._call(lambda clients: obstore.put(clients.write, name, data, use_multipart=False))

    def create(self, name: str, data: Bytes) -> bool:
        """Write the object unless there is one. After a lost reply, ``False`` may speak of one's own write."""

        def write(clients: Clients) -> bool:
            try:
                obstore.put(clients.write, name, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False
            return True

        return self._call(write)

    def replace(self, name: str, data: Bytes, version: dict[str, str]) -> bool:
        """Write the object if it still has that version. After a lost reply, ``False`` may speak of one's own write."""
        with self._lock():
            return self._call(lambda clients: self._replace(clients, name, data, version))

    def _replace(self, clients: Clients, name: str, data: Bytes, version: dict[str, str]) -> bool:
        try:
            if self.place.kind == "folder":
                # Compared under a lock: a folder knows no conditions.
                if _version(obstore.head(clients.read, name)) != version:
                    return False
                obstore.put(clients.write, name, data, use_multipart=False)
            else:
                obstore.put(clients.write, name, data, mode=version, use_multipart=False)
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            return False
        return True

    def _lock(self) -> AbstractContextManager[None]:
        if self.place.kind != "folder":
            return nullcontext()
        return _file_lock(os.path.join(self.place.bucket, self.place.prefix, "lock"))

    def upload(self, name: str, pieces: Iterator[Bytes]) -> None:
        """Write an object of any size in parts of 8 MiB; nothing is there if ``pieces`` raises."""
        self._call(
            lambda clients: obstore.put(clients.write, name, pieces, chunk_size=PART, max_concurrency=_PARTS_AT_ONCE),
        )

    def size(self, name: str) -> int | None:
        """Bytes of the object, ``None`` if there is none."""
        return self._call(lambda clients: int(obstore.head(clients.read, name)["size"]), absent=None)

    def version(self, name: str) -> dict[str, str] | None:
        """Which version is there, ``None`` if there is none."""
        return self._call(lambda clients: _version(obstore.head(clients.read, name)), absent=None)

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; those that do not exist are no error."""
        work = lambda name: self._call(lambda clients: obstore.delete(clients.write, name), absent=None)  # noqa: E731
        for _ in self.each(work, names):
            pass

    def written(self, name: str) -> float | None:
        """When the object was written, in seconds since the epoch by the bucket's clock, ``None`` if there is none."""

        def moment(clients: Clients) -> float:
            return float(obstore.head(clients.read, name)["last_modified"].timestamp())

        return self._call(moment, absent=None)

    def move(self, name: str, other: str) -> None:
        """Give the object another name."""

        def rename(clients: Clients) -> None:
            obstore.copy(clients.write, name, other)
            obstore.delete(clients.write, name)

        self._call(rename, absent=None)

    def list(self, folder: str) -> Iterator[tuple[str, int]]:
        """Name and size of every object whose name begins with ``folder/``, in no order."""
        return ((name, size) for name, size, _ in self.entries(folder))

    def entries(self, folder: str) -> Iterator[tuple[str, int, float]]:
        """:meth:`list`, with the times at which the objects were written, in seconds since the epoch."""
        pages = self._call(lambda clients: iter(obstore.list(clients.read, folder, chunk_size=_PAGE)))
        while (page := self._call(lambda _: next(pages, None), absent=None)) is not None:
            for item in page:
                yield item["path"], item["size"], item["last_modified"].timestamp()

    def each(self, work: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
        """``work`` for each of ``items``, up to sixteen at once; results in the order of the items."""
        self._check_process()  # first: of the threads that a parent had, a child has none
        wanted = list(items)
        if len(wanted) < 2:
            yield from map(work, wanted)
            return
        yield from self._threads().map(work, wanted)

    def _threads(self) -> ThreadPoolExecutor:
        # Not at the top: most of what runs with a bucket configured finds all it needs on its own machine.
        from concurrent.futures import ThreadPoolExecutor

        with self._opening:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="expops-bucket")
            return self._pool

    def close(self) -> None:
        """Let threads go; calling it twice is no error, and the bucket can be used again."""
        with self._opening:
            pool, self._pool = self._pool, None
        if pool is not None and self._process == os.getpid():
            pool.shutdown(wait=False, cancel_futures=True)

    def _call(self, work: Callable[[Clients], T], **absent: T) -> T:
        """``work`` with the clients; ``absent`` if there is no such object and the caller allows for that."""
        self._check_process()
        if time.monotonic() < self._until:
            raise StoreUnavailable(self._failed)
        try:
            return work(self._connected())
        except FileNotFoundError as fault:
            if absent:
                return absent["absent"]
            raise self._unavailable(fault) from fault
        except (BaseError, OSError, ValueError) as fault:
            raise self._unavailable(fault) from fault

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise StoreUnavailable(f"{self.place} can't be used by a process that was forked off")

    def _connected(self) -> Clients:
        if self._clients is None:
            with self._opening:
                self._clients = self._clients or connect(self.place)
        return self._clients

    def _unavailable(self, fault: Exception) -> StoreUnavailable:
        """Nothing in the message changes from one request to the next, so that it is shown once."""
        told = describe(fault, self._clients.secrets if self._clients is not None else ())
        self._failed = f"{self.place} can't be used: {told}"
        self._until = time.monotonic() + _REST_SECONDS
        return StoreUnavailable(self._failed)


def _version(meta: Any) -> dict[str, str]:
    return {name: meta[name] for name in ("e_tag", "version") if meta[name] is not None}


@contextmanager
def _file_lock(path: str) -> Iterator[None]:
    import fcntl  # only for folders

    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        # Unlike POSIX locks, it also keeps threads of one process apart.
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as fault:
        raise StoreUnavailable(f"{path} can't be locked ({fault.strerror}); get permission to write there") from fault
    try:
        yield
    finally:
        os.close(file)
