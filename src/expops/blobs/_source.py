"""Writing bytes, or a copy of a file, to an open file."""

from __future__ import annotations

import errno
import os
from io import FileIO
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .base import Bytes

_PIECE: Final = 1 << 30  # systems write a little less than 2 GiB at a time
_CHUNK: Final = 1 << 20
_NOT_HERE: Final = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}


def write_all(fd: int, data: Bytes) -> int:
    """Write a contiguous buffer, without copying it; gives its length in bytes."""
    view = memoryview(data).cast("B")
    done = 0
    while done < len(view):
        done += os.write(fd, view[done : done + _PIECE])
    return done


def copy_file(source: FileIO, fd: int) -> int:
    """Copy ``source`` to ``fd``, which shares its extents where the file system can. Gives its length."""
    done = _copy_in_kernel(source.fileno(), fd)
    source.seek(done)
    os.lseek(fd, done, os.SEEK_SET)
    while chunk := source.read(_CHUNK):
        done += write_all(fd, chunk)
    return done


def _copy_in_kernel(source: int, fd: int) -> int:
    """Copy what the kernel can by itself: nothing on some systems, and between some file systems."""
    done = 0
    if not hasattr(os, "copy_file_range"):
        return done
    try:
        while copied := os.copy_file_range(source, fd, _PIECE, done, done):
            done += copied
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    return done
