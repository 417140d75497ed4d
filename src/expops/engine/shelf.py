"""``.expops/artifacts/<process>/``: the files of the latest result of each process, where people can open them."""

from __future__ import annotations

import os
import shutil

from ..blobs.base import ObjectStore
from ..cache import artifacts
from ..cache.manifest import Artifact, Blob, Manifest
from .names import folder_name


def show(folder: str, name: str, manifest: Manifest, blobs: ObjectStore) -> None:
    """Make ``folder/<name>`` hold exactly the artifacts of ``manifest``; what is right already is not written again.

    Raises ``OSError`` and :class:`~expops.errors.StorageError`.
    """
    target = os.path.join(folder, folder_name(name))
    if not manifest.artifacts:
        if os.path.isdir(target):
            shutil.rmtree(target)
        return
    # The time stamp says which result a file is from, so that a look at it tells whether it is right.
    stamp = int(manifest.created * 1e9) // 1000 * 1000
    stale = [item for item in manifest.artifacts if not _is_there(target, item, stamp)]
    wanted = {item.path for item in manifest.artifacts}
    if not stale and set(artifacts.snapshot(target)) == wanted:
        return
    if os.path.isdir(target) and set(artifacts.snapshot(target)) - wanted:
        shutil.rmtree(target)
        stale = manifest.artifacts
    artifacts.restore(target, stale, blobs)
    for item in stale:
        os.utime(os.path.join(target, item.path), ns=(stamp, stamp))


def _is_there(target: str, item: Artifact, stamp: int) -> bool:
    try:
        status = os.stat(os.path.join(target, item.path))
    except OSError:
        return False
    size = item.content.size if isinstance(item.content, Blob) else len(item.content)
    return (status.st_mtime_ns, status.st_size) == (stamp, size)
