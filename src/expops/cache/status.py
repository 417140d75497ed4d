"""What can be asked about a path without opening it, and the answers as words.

Answers are as weak as questions: whether a path leads to a file or a folder, how large a file is, whether it is a link.
Times are left out: a touched file is the same file.
"""

from __future__ import annotations

import os
import stat
from typing import Final

ABSENT: Final = "absent"
FOLDER: Final = "folder"
TYPE: Final = "type"
SIZE: Final = "size"
LINK: Final = "link"
ASKED: Final = (TYPE, SIZE, LINK)

_stat, _lstat, _readlink = os.stat, os.lstat, os.readlink


def status_word(kind: str, status: os.stat_result | None) -> str:
    """The answer to a question of :data:`ASKED`, from what ``stat`` (for links ``lstat``) gave."""
    if status is None:
        return ABSENT
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        return FOLDER
    if stat.S_ISREG(mode):
        return f"file {status.st_size}" if kind == SIZE else "file"
    return "link" if stat.S_ISLNK(mode) else "special"


def look(kind: str, path: str) -> str:
    """The answer now; of a link, with where it leads."""
    try:
        word = status_word(kind, _lstat(path) if kind == LINK else _stat(path))
        return f"link to {_readlink(path)}" if word == "link" else word
    except (OSError, ValueError):
        return ABSENT
