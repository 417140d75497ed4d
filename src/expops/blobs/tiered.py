"""A folder of blobs over a remote store: what is asked for comes down and stays, what is stored waits to go up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..errors import StorageError, StoreUnavailable
from .base import Bytes
from .bucket import BucketStore
from .folder import FolderStore

if TYPE_CHECKING:
    from pathlib import Path


class TieredStore:
    """An :class:`~expops.blobs.base.ObjectStore` of what is in ``local``, and, to those who read, in ``remote``.

    Writing, deleting and listing concern ``local`` only; whoever uploads takes blobs from there.
    """

    def __init__(self, local: FolderStore, remote: BucketStore, folder: str) -> None:
        self._local = local
        self._remote = remote
        self._folder = folder

    def get(self, digest: str, range: tuple[int, int] | None = None) -> bytes:
        """See :meth:`ObjectStore.get`. The whole blob comes down."""
        try:
            return self._local.get(digest, range)
        except (KeyError, StorageError):
            # A damaged one has been put aside.
            brought = self._bring(digest)
        return self._local.get(digest, range) if brought else self._remote.get(digest, range)

    def map(self, digest: str) -> memoryview:
        """See :meth:`ObjectStore.map`. The whole blob comes down."""
        try:
            return self._local.map(digest)
        except (KeyError, StorageError):
            brought = self._bring(digest)
        return self._local.map(digest) if brought else self._remote.map(digest)

    def put(self, digest: str, source: Bytes | Path) -> None:
        """See :meth:`ObjectStore.put`."""
        self._local.put(digest, source)

    def exists_many(self, digests: Iterable[str]) -> set[str]:
        """See :meth:`ObjectStore.exists_many`."""
        wanted = set(digests)
        found = self._local.exists_many(wanted)
        return found | self._remote.exists_many(wanted - found) if wanted - found else found

    def delete(self, digests: Iterable[str]) -> None:
        """See :meth:`ObjectStore.delete`."""
        self._local.delete(digests)

    def list(self) -> Iterator[tuple[str, int]]:
        """See :meth:`ObjectStore.list`."""
        return self._local.list()

    def settled(self, seconds: float) -> Iterator[tuple[str, int]]:
        """See :meth:`ObjectStore.settled`."""
        return self._local.settled(seconds)

    def check(self, digest: str) -> None:
        """See :meth:`ObjectStore.check`."""
        self._local.check(digest)

    def bring(self, digest: str) -> bool:
        """Have the blob in the folder; ``True`` if it came from the remote store. Raises what :meth:`get` does."""
        if self._local.exists_many((digest,)):
            return False
        self._remote.fetch(digest, lambda pieces: self._local.receive(digest, pieces), limit=self._room())
        return True

    def _bring(self, digest: str) -> bool:
        """Like :meth:`bring`; ``False`` if the folder can't take the blob, or the remote store can't be reached."""
        try:
            self.bring(digest)
        except StoreUnavailable:
            return False
        return True

    def _room(self) -> int:
        """Bytes that fit into the folder."""
        place = self._folder
        while not os.path.isdir(place) and os.path.dirname(place) != place:
            place = os.path.dirname(place)
        return shutil.disk_usage(place).free
