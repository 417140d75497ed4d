"""The files that a run made, as far as the cache still has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..blobs.base import ObjectStore
from ..cache.artifacts import content
from ..cache.manifest import Manifest
from ..errors import StorageError


class Made(NamedTuple):
    """A file that a process wrote: its path in the process's folder, and its bytes."""

    process: str
    path: str
    data: bytes


def artifacts_of(manifests: dict[str, Manifest], blobs: ObjectStore) -> Iterator[Made]:
    """The artifacts of processes, by name; those that are gone are left out."""
    for process, manifest in manifests.items():
        for item in manifest.artifacts:
            if item.path.endswith("/"):
                continue
            try:
                yield Made(process, item.path, content(item.content, blobs))
            except StorageError:
                continue  # the cache has been cleared or damaged since; the document still has its digest
