"""Folder names for processes: readable where they can be, unique always."""

from __future__ import annotations

import re
from typing import Final

from ..hashing.digest import digest_bytes

_SAFE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", re.ASCII)


def folder_name(name: str) -> str:
    """A folder name for a process of any name: itself if it is short and plain, else its beginning and its digest.

    Names that differ only in case get different folders, since some file systems don't tell them apart.
    """
    if _SAFE.fullmatch(name) and name == name.lower() and not name.endswith("."):
        return name
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:40]
    return f"{readable}~{digest_bytes(name.encode('utf-8', 'surrogatepass'))[:16]}"
