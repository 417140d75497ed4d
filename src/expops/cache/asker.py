"""Who asks about a file, and what for: told from the frames that lead to a call of ``os``."""

from __future__ import annotations

import os
from types import FrameType
from typing import Final, NamedTuple

STANDARD: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
LOADERS: Final = ("<frozen importlib", "<frozen zipimport")
# Parts of the standard library that look for modules and distributions, or at their source.
FINDERS: Final = tuple(
    STANDARD + name
    for name in ("importlib" + os.sep, "linecache.py", "tokenize.py", "pkgutil.py", "inspect.py", "runpy.py")
)
# They ask in order to write, or to copy what they open anyway.
_WRITERS: Final = (STANDARD + "shutil.py", STANDARD + "tempfile.py")
_HELPERS: Final = (
    *("<frozen os", "<frozen genericpath", "<frozen posixpath", "<frozen ntpath"),
    *(STANDARD + name for name in ("os.py", "genericpath.py", "posixpath.py", "ntpath.py", "glob.py")),
    *(STANDARD + name for name in ("pathlib.py", "pathlib" + os.sep)),
)
# What these find out shows in no result: where links lead, whether a folder is still to be made, what is below it.
_SILENT: Final = frozenset(
    {"realpath", "resolve", "ismount", "is_mount", "makedirs", "removedirs", "renames", "mkdir", "walk", "fwalk"}
    | {"_walk", "_fwalk", "expanduser", "touch", "unlink"}
)
_LARGE: Final = frozenset({"", "getsize", "stat", "lstat"})
_OF_LINKS: Final = frozenset({"islink", "is_symlink", "lexists", "isjunction", "is_junction"})


class Asker(NamedTuple):
    """``file`` is that of the code which asks; ``sizes`` and ``links`` say whether it may want to know these."""

    file: str
    sizes: bool
    links: bool


def asker(frame: FrameType | None) -> Asker | None:
    """Who asks, from the frame that called; ``None`` if the answer is of no interest."""
    helper = ""
    while frame is not None and frame.f_code.co_filename.startswith(_HELPERS):
        helper = frame.f_code.co_name
        frame = frame.f_back
    file = frame.f_code.co_filename if frame is not None else ""
    if helper in _SILENT or file.startswith((*LOADERS, *FINDERS, *_WRITERS)):
        return None
    return Asker(file, helper in _LARGE, helper in _OF_LINKS)
