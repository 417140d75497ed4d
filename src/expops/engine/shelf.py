"""``.expops/artifacts/<process>/``: the files of the latest result of each process, where people can open them."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Final

from ..blobs.base import ObjectStore
from ..cache import artifacts
from ..cache.manifest import Artifact, Blob, Manifest
from .names import folder_name
from .scratch import RunFolder, remove_tree

_TRIES: Final = 100


def show(folder: str, name: str, manifest: Manifest, blobs: ObjectStore) -> None:
    """Make ``folder/<name>`` hold exactly the artifacts of ``manifest``; what is right already is not written again.

    Other runs may do so at the same time: the folder is always one result's. Raises ``OSError`` and
    :class:`~expops.errors.StorageError`.
    """
    target = os.path.join(folder, folder_name(name))
    if not manifest.artifacts:
        remove_tree(target)
        return
    # The time stamp says which result a file is from, so that a look at it tells whether it is right.
    stamp = int(manifest.created * 1e9) // 1000 * 1000
    if _is_right(target, manifest.artifacts, stamp):
        return
    # Made among the working folders, which the next run clears away if this one is killed.
    scratch = RunFolder(os.path.join(os.path.dirname(folder), "work"), f"shelf-{os.urandom(6).hex()}")
    try:
        made = os.path.join(scratch.path, "new")
        artifacts.restore(made, manifest.artifacts, blobs)
        for item in manifest.artifacts:
            os.utime(os.path.join(made, item.path), ns=(stamp, stamp))
        os.makedirs(folder, exist_ok=True)
        _swap(made, target)
    finally:
        scratch.remove()


def _swap(made: str, target: str) -> None:
    """Put ``made`` in the place of ``target``."""
    for attempt in range(_TRIES):
        aside = f"{made}-{attempt}"
        with suppress(FileNotFoundError):
            os.rename(target, aside)
        try:
            os.rename(made, target)
            return
        except OSError as error:
            # Another run has put its own there just now.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == _TRIES - 1:
                raise
        finally:
            remove_tree(aside)


def _is_right(target: str, wanted: list[Artifact], stamp: int) -> bool:
    try:
        return set(artifacts.snapshot(target)) == {item.path for item in wanted} and all(
            _is_there(target, item, stamp) for item in wanted
        )
    except OSError:
        return False


def _is_there(target: str, item: Artifact, stamp: int) -> bool:
    status = os.stat(os.path.join(target, item.path))
    if item.path.endswith("/"):
        return True  # an empty folder
    size = item.content.size if isinstance(item.content, Blob) else len(item.content)
    return (status.st_mtime_ns, status.st_size) == (stamp, size)
