"""Artifacts: the files that an action leaves in its working folder, kept and put back."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import accumulate
from typing import Final, TypeAlias, TypeVar

from ..blobs.base import ObjectStore
from ..errors import CorruptData
from ..hashing.digest import digest_bytes, digest_file
from ..untrusted import is_inside
from .manifest import INLINE, Artifact, Blob, Part

# Relative path (with "/") -> what tells that a file is not the same any more. An empty folder ends in "/".
Stamp: TypeAlias = tuple[int, int, int, int, str]
Snapshot: TypeAlias = dict[str, Stamp]
T = TypeVar("T")
DATA: Final = "data"  # the project's data folder as the working folder shows it: a link, and no artifact
_FOLDER_STAMP: Final[Stamp] = (0, 0, 0, 0, "")
_TICK_NS: Final = 20_000_000  # file times advance in steps, of up to ten milliseconds on Linux
_QUICK: Final = 1 << 22  # bytes; what is larger can't be written twice within a tick


def snapshot(folder: str) -> Snapshot:
    """All regular files under ``folder``, those behind links included, and all empty folders."""
    found: Snapshot = {}
    pending = [""]
    racy = time.time_ns() - _TICK_NS
    while pending:
        prefix = pending.pop()
        with os.scandir(os.path.join(folder, prefix) if prefix else folder) as entries:
            names = list(entries)
        if prefix and not names:
            found[prefix + "/"] = _FOLDER_STAMP
        for entry in names:
            path = f"{prefix}/{entry.name}" if prefix else entry.name
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            elif path != DATA and entry.is_file():
                status = entry.stat()
                fresh = status.st_mtime_ns > racy and status.st_size <= _QUICK
                known = digest_file(entry.path) if fresh else ""
                found[path] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, known)
    return found


def changed(before: Snapshot, after: Snapshot, folder: str) -> list[str]:
    """Paths that are new or other in ``after``, the later snapshot of ``folder``."""
    return sorted(path for path, stamp in after.items() if _differs(before.get(path), stamp, folder, path))


def _differs(old: Stamp | None, new: Stamp, folder: str, path: str) -> bool:
    if old is None or old[:4] != new[:4]:
        return True
    # Written so shortly before the first look that a second write needn't show in its times.
    return bool(old[4]) and digest_file(os.path.join(folder, path)) != old[4]


def keep(folder: str, paths: Iterable[str], blobs: ObjectStore) -> list[Artifact]:
    """Store the files at ``paths`` under ``folder``. Raises ``OSError`` and ``StorageError``."""
    return [_keep_one(folder, path, blobs) for path in paths]


def _keep_one(folder: str, path: str, blobs: ObjectStore) -> Artifact:
    full = os.path.join(folder, path)
    mode = stat.S_IMODE(os.stat(full).st_mode)
    if path.endswith("/"):
        return Artifact(path, b"", mode)
    with open(full, "rb") as file:
        content = file.read()
    if len(content) <= INLINE:
        return Artifact(path, content, mode)
    digest = digest_bytes(content)
    blobs.put(digest, content)
    return Artifact(path, Blob(digest, len(content)), mode)


def restore(folder: str, artifacts: Iterable[Artifact], blobs: ObjectStore) -> None:
    """Write ``artifacts`` under ``folder``, as the action did.

    Raises ``OSError``, and :class:`CorruptData` for a blob that is missing or damaged, and for a path that leads out of
    the folder, by itself or through a link; nothing is written then.
    """
    wanted = list(artifacts)
    for artifact in wanted:
        _inside(folder, artifact.path)
        if isinstance(artifact.content, Blob):
            _fetched(artifact.content, blobs.map)
    for artifact in wanted:
        target = _inside(folder, artifact.path)
        if artifact.path.endswith("/"):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            data = content(artifact.content, blobs)
            if os.path.islink(target):
                os.unlink(target)
            elif os.path.exists(target) and not os.access(target, os.W_OK):
                os.chmod(target, 0o600)
            with open(target, "wb") as file:
                file.write(data)
        # Nobody is lent rights by a file that somebody else may have written.
        os.chmod(target, artifact.mode & 0o777)


def remove(folder: str, paths: Iterable[str]) -> None:
    """Remove files and empty folders that an action removed; those already gone are no error.

    Raises ``OSError``, and :class:`CorruptData` for a path that leads out of the folder; nothing is removed then.
    """
    for target, path in [(_inside(folder, path), path) for path in paths]:
        with suppress(FileNotFoundError):
            if not path.endswith("/"):
                os.unlink(target)
            elif not os.listdir(target):
                os.rmdir(target)


def content(part: Part, blobs: ObjectStore) -> bytes:
    """The bytes of an artifact. Raises :class:`CorruptData`."""
    return part if isinstance(part, bytes) else _fetched(part, blobs.get)


def _fetched(blob: Blob, fetch: Callable[[str], T]) -> T:
    try:
        return fetch(blob.digest)
    except KeyError as fault:
        raise CorruptData(f"blob {blob.digest} is missing from the cache") from fault


def _inside(folder: str, path: str) -> str:
    """The place of ``path`` in ``folder``, in which links may lead anywhere, such as to the project's data."""
    parts = path.removesuffix("/").split("/")
    places = list(accumulate(parts, os.path.join, initial=folder))
    through = places[1:] if path.endswith("/") else places[1:-1]
    if not is_inside(path) or any(map(os.path.islink, through)):
        raise CorruptData(f"a cached result names the file {path!r}, which is not inside its working folder")
    return places[-1]
