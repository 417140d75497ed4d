"""Arguments that name blobs, and the modification time by which later changes to a blob's file are seen.

See docs/decisions/0002-blob-integrity.md.
"""

from __future__ import annotations

import os
import re
from typing import Final

_EPOCH: Final = 1_000_000_000  # September 2001; stamps end in 2018, so no clock of today writes one
_DIGEST = re.compile("[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether ``text`` has the form of a digest."""
    return _DIGEST.fullmatch(text) is not None


def check_digest(digest: str) -> None:
    """Raise ``ValueError`` for what isn't a digest, and could name a path outside of a store."""
    if not is_digest(digest):
        raise ValueError(f"not a digest (64 lower-case hexadecimal characters): {digest!r}")


def check_range(range: tuple[int, int]) -> slice:
    """``range`` as a slice. Raises ``ValueError`` if it begins below 0 or ends before it begins."""
    if not 0 <= range[0] <= range[1]:
        raise ValueError(f"not a range of bytes: {range}")
    return slice(*range)


def stamp(digest: str, size: int) -> int:
    """Nanoseconds of the modification time of blob ``digest`` of ``size`` bytes.

    Even whole seconds, which every file system keeps exactly.
    """
    mixed = (int(digest[:7], 16) + size * 0x9E3779B1) & 0xFFF_FFFF
    return (_EPOCH + 2 * mixed) * 1_000_000_000


def has_stamp(digest: str, status: os.stat_result) -> bool:
    """Whether the file is as its writer left it, as far as size and modification time tell."""
    return status.st_mtime_ns == stamp(digest, status.st_size)
