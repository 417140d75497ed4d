"""Artifacts: the files that an action leaves in its working folder, kept and put back."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Final, TypeAlias

from ..blobs.base import ObjectStore
from ..errors import CorruptData
from ..hashing.digest import digest_bytes
from .manifest import INLINE, Artifact, Blob, Part

# Relative path (with "/") -> what tells that a file is not the same any more.
Snapshot: TypeAlias = dict[str, tuple[int, int, int, int]]
DATA: Final = "data"  # the project's data folder as the working folder shows it: a link, and no artifact


def snapshot(folder: str) -> Snapshot:
    """All files under ``folder``, links included, folders not."""
    found: Snapshot = {}
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(os.path.join(folder, prefix) if prefix else folder) as entries:
            for entry in entries:
                path = f"{prefix}/{entry.name}" if prefix else entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                elif path != DATA:
                    status = entry.stat(follow_symlinks=False)
                    found[path] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return found


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    """Paths that are new or other in ``after``."""
    return sorted(path for path, stamp in after.items() if before.get(path) != stamp)


def keep(folder: str, paths: Iterable[str], blobs: ObjectStore) -> list[Artifact]:
    """Store the files at ``paths`` under ``folder``. Raises ``OSError`` and ``StorageError``."""
    return [_keep_one(folder, path, blobs) for path in paths]


def _keep_one(folder: str, path: str, blobs: ObjectStore) -> Artifact:
    full = os.path.join(folder, path)
    mode = stat.S_IMODE(os.stat(full).st_mode)
    with open(full, "rb") as file:
        content = file.read()
    if len(content) <= INLINE:
        return Artifact(path, content, mode)
    digest = digest_bytes(content)
    blobs.put(digest, content)
    return Artifact(path, Blob(digest, len(content)), mode)


def restore(folder: str, artifacts: Iterable[Artifact], blobs: ObjectStore) -> None:
    """Write ``artifacts`` under ``folder``, as the action did.

    Raises :class:`CorruptData` for a blob that is missing or damaged, and for a path that leads out of the folder.
    """
    for artifact in artifacts:
        target = _inside(folder, artifact.path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.lexists(target):
            os.unlink(target)  # it may be a link, or read-only
        with open(target, "wb") as file:
            file.write(content(artifact.content, blobs))
        os.chmod(target, artifact.mode)


def remove(folder: str, paths: Iterable[str]) -> None:
    """Remove files that an action removed; those already gone are no error."""
    for path in paths:
        target = _inside(folder, path)
        if os.path.lexists(target):
            os.unlink(target)


def content(part: Part, blobs: ObjectStore) -> bytes:
    """The bytes of an artifact. Raises :class:`CorruptData`."""
    if isinstance(part, bytes):
        return part
    try:
        return blobs.get(part.digest)
    except KeyError as fault:
        raise CorruptData(f"blob {part.digest} is missing from the cache") from fault


def _inside(folder: str, path: str) -> str:
    parts = path.split("/")
    if os.path.isabs(path) or any(part in ("", ".", "..") for part in parts):
        raise CorruptData(f"a cached result names the file {path!r}, which is not inside its working folder")
    return os.path.join(folder, *parts)
