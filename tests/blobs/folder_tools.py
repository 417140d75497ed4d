"""Ways to reach into a folder of blobs, past the store."""

import os
from pathlib import Path

from expops.blobs.folder import FolderStore
from expops.hashing.digest import digest_bytes


def stored(store: FolderStore, data: bytes) -> tuple[str, Path]:
    """Store ``data``; its digest and file."""
    digest = digest_bytes(data)
    store.put(digest, data)
    return digest, file_of(store, digest)


def file_of(store: FolderStore, digest: str) -> Path:
    return Path(store._root) / digest[:2] / digest[2:]


def overwrite(path: Path, data: bytes, *, keep_time: bool = False) -> None:
    """Write to the very file, as an editor or a failing disk would (the latter leaves the time alone)."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
