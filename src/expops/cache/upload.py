"""Bringing what a machine has made to the remote stores: blobs before the manifests that name them, then the rest.

Whatever is in the outbox stays there until it has arrived, so that a run that is killed, or that has no network, loses
nothing: the next upload goes on where this one ended. All that is sent may be sent again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from ..blobs.base import ObjectStore
from ..errors import CorruptData, StorageError
from ..hashing.digest import digest_bytes
from ..kv import outbox
from ..kv.base import KVStore
from ..kv.tiered import Kinds
from .kinds import ALONG, RESULT
from .manifest import Manifest, unpack

_BATCH: Final = 500  # records that are held in memory at once
_ASKED_FROM: Final = 256 << 10  # bytes of a blob from which asking whether it is there beats sending it
_LARGE: Final = 8 << 20  # bytes of a blob that is sent in parts, which are sent in parallel themselves
_HASHED_BY_STORE: Final = 1 << 20  # bytes below which a folder of blobs hashes what it reads

Parallel = Callable[[Callable[[str], object], Iterable[str]], Iterable[object]]


class RemoteStore(ObjectStore, Protocol):
    """An object store in which others may collect garbage meanwhile."""

    def fresh(self, digests: Iterable[str]) -> set[str]:
        """Those of ``digests`` that are there, and too young for those who collect; ``put`` makes others so."""


class Ends(NamedTuple):
    """The stores of this machine and the remote ones. ``parallel`` calls a function for many names at once."""

    kv: KVStore
    blobs: ObjectStore
    remote_kv: KVStore
    remote_blobs: RemoteStore
    parallel: Parallel


class Progress(NamedTuple):
    """What was sent so far."""

    records: int = 0
    blobs: int = 0
    bytes: int = 0


class Uploader:
    """Empties the outbox of one machine. One :meth:`drain` at a time; others wait for it.

    ``warn`` is told what can't be sent and never will; ``moved`` after each blob and batch of records.
    """

    def __init__(self, ends: Ends, kinds: Kinds, warn: Callable[[str], object]) -> None:
        self._ends = ends
        self._kinds = kinds
        self._warn = warn
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self.stopped = threading.Event()
        self.progress = Progress()
        self.moved: Callable[[Progress], object] = lambda progress: None

    def waits(self) -> bool:
        """Whether there is anything to send but what goes along with the next results."""
        return any(not key.startswith(ALONG) for key in outbox.waiting(self._ends.kv).keys)

    def drain(self) -> None:
        """Send all that waits, unless it is :attr:`stopped`. Raises ``StorageError`` where a store can't be used."""
        with self._turn:
            while not self.stopped.is_set():
                batch = outbox.waiting(self._ends.kv, _BATCH)
                if not batch.marks:
                    return
                self._send(batch)

    def _send(self, batch: outbox.Waiting) -> None:
        ends = self._ends
        # Also finds out whether anybody is there, and waits less long for that than a write would.
        merged = tuple(self._kinds.merged)
        theirs = ends.remote_kv.get_many([key for key in batch.keys if key.startswith(merged)] or batch.keys[:1])
        values = ends.kv.get_many(batch.keys)
        self._send_records(self._whole(values), theirs)
        absent = outbox.gone(ends.kv, [key for key in batch.keys if key not in values])
        if absent:
            ends.remote_kv.delete(absent)
        ends.kv.delete([*batch.marks, *(outbox.GONE + key for key in batch.keys)])

    def _whole(self, values: Mapping[str, bytes]) -> dict[str, bytes]:
        """``values`` less the results that can't be sent; the blobs of the others have arrived."""
        manifests = {key: _manifest(raw) for key, raw in values.items() if key.startswith(RESULT)}
        sizes: dict[str, int] = {}
        for manifest in manifests.values():
            if manifest is not None:
                sizes |= manifest.blob_sizes()
        lost = self._send_blobs(sizes)
        kept = dict(values)
        for key, manifest in manifests.items():
            if manifest is None or lost.intersection(manifest.blobs()):
                del kept[key]
                if manifest is not None:
                    self._warn(f"a result of '{manifest.path}' is not uploaded: its bytes are missing or damaged here")
        return kept

    def _send_blobs(self, sizes: Mapping[str, int]) -> set[str]:
        """Those that neither side has."""
        ends = self._ends
        asked = [digest for digest, size in sizes.items() if size >= _ASKED_FROM]
        # An old one is sent again: who collects what nobody names might take it before the results come that name it.
        there = ends.remote_blobs.fresh(asked) if asked else set()
        lost: set[str] = set()

        def send(digest: str) -> None:
            if not self._send_blob(digest):
                lost.add(digest)

        rest = [digest for digest in sizes if digest not in there]
        for _ in ends.parallel(send, [digest for digest in rest if sizes[digest] < _LARGE]):
            pass
        for digest in rest:
            if sizes[digest] >= _LARGE:
                send(digest)
        return lost - ends.remote_blobs.exists_many(lost) if lost else lost

    def _send_blob(self, digest: str) -> bool:
        try:
            data = self._ends.blobs.map(digest)
        except (KeyError, CorruptData):
            return False
        # Before others get it: a large blob that is read here again and again is not hashed each time.
        if data.nbytes >= _HASHED_BY_STORE and digest_bytes(data) != digest:
            return False
        self._ends.remote_blobs.put(digest, data)
        self._count(blobs=1, size=data.nbytes)
        return True

    def _send_records(self, values: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> None:
        for kind in self._kinds.shared:
            merge = self._kinds.merged.get(kind)
            chosen = {key: value for key, value in values.items() if key.startswith(kind)}
            if merge is not None:
                chosen = {key: merge(raw, theirs[key]) if key in theirs else raw for key, raw in chosen.items()}
            if chosen:
                self._ends.remote_kv.put_many(chosen)
                self._count(records=len(chosen), size=sum(map(len, chosen.values())))

    def _count(self, *, records: int = 0, blobs: int = 0, size: int = 0) -> None:
        with self._counting:
            now = self.progress
            self.progress = Progress(now.records + records, now.blobs + blobs, now.bytes + size)
            self.moved(self.progress)


class Background:
    """Drains an outbox from time to time in a thread of its own, until :meth:`end`."""

    def __init__(self, uploader: Uploader, every: float) -> None:
        self._uploader = uploader
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="expops-upload", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._ended.wait(self._every):
            try:
                if self._uploader.waits():
                    self._uploader.drain()
            except StorageError:
                continue  # who drains at the end tells

    def end(self) -> None:
        """Begin no other upload; one that is under way goes on, and :meth:`Uploader.drain` waits for it."""
        self._ended.set()


def mark_again(kv: KVStore, keys: Sequence[str]) -> None:
    """Have the records of ``keys`` wait for the next upload."""
    for start in range(0, len(keys), _BATCH):
        kv.put_many(dict([outbox.mark(keys[start : start + _BATCH])]))


def _manifest(raw: bytes) -> Manifest | None:
    try:
        return unpack(raw)
    except CorruptData:
        return None
