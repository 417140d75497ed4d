"""What went wrong with a folder of blobs, where, and how to mend it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..errors import StoreUnavailable

_FULL: Final = "the disk, quota or file size limit is reached; free some space and run again"
_DENIED: Final = "get permission to read and write there, or configure another cache folder"
_FILES: Final = "too many open files; raise the limit (ulimit -n)"
_MENDS: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: "the file system is read-only; configure another cache folder",
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EIO: "the disk fails; check it, and configure a cache folder on a sound one",
    errno.ENOTDIR: "a file is where a folder belongs; move it away, or configure another cache folder",
    errno.EEXIST: "a file is where a folder belongs; move it away, or configure another cache folder",
    errno.EISDIR: "a folder is where a file belongs; move it away",
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
}


def unavailable(error: OSError, path: str, doing: str) -> StoreUnavailable:
    """``error`` in expops's own words."""
    mend = _MENDS.get(error.errno or 0, "check the cache folder")
    return StoreUnavailable(f"{path}: can't {doing} ({error.strerror or error}): {mend}")


@contextmanager
def told(path: str, doing: str) -> Iterator[None]:
    """Raise an ``OSError`` of the block as :class:`StoreUnavailable`."""
    try:
        yield
    except OSError as error:
        raise unavailable(error, path, doing) from error
