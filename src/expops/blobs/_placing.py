"""Placing a whole file in a folder of blobs, atomically, and clearing away what killed writers left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ._stamp import stamp

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_LEFTOVER_AGE: Final = 3600.0  # seconds

Fill = Callable[[int], int]
Check = Callable[[str], None]


def place(digest: str, path: str, tmp: str, fill: Fill, check: Check | None, sync: bool) -> None:
    """Make the file ``path`` of what ``fill`` writes to a file descriptor (it gives the size).

    ``check`` may look at the temporary file, and raise to have nothing placed. Raises ``OSError``;
    ``FileNotFoundError`` where a folder is missing or the temporary file was taken for a leftover.
    """
    temporary = os.path.join(tmp, f"{digest[:16]}-{os.urandom(8).hex()}")
    try:
        _write(digest, temporary, fill, sync)
        if check is not None:
            check(temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell
            os.unlink(temporary)
        raise
    if sync:
        _sync_folder(os.path.dirname(path))


def _write(digest: str, temporary: str, fill: Fill, sync: bool) -> None:
    fd = os.open(temporary, _CREATE, 0o444)
    try:
        moment = stamp(digest, fill(fd))
        os.utime(temporary, ns=(moment, moment))
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sweep(tmp: str) -> None:
    """Remove temporary files that nobody has touched for an hour."""
    latest = time.time() - _LEFTOVER_AGE
    # A convenience: what can't be removed now is removed another time.
    with suppress(OSError), os.scandir(tmp) as entries:
        for entry in entries:
            # The time of change, which no stamp alters.
            if entry.stat(follow_symlinks=False).st_ctime < latest:
                os.unlink(entry.path)
