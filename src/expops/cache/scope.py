"""Which files count: those of the project and of the working folder, and others that are not installed or scratch."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import lru_cache
from typing import Final

from .asker import STANDARD
from .discovery import Places

_KERNEL: Final = ("/proc/", "/sys/", "/dev/")
# The only part of these that holds files like any other: data sets, and scratch as in a temporary folder.
_SHARED_MEMORY: Final = "/dev/shm/"
_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Scope:
    """What is of interest for one project."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._installed = _installed(project)
        self._user_caches = _user_caches()
        self._hidden = os.path.join(project, ".expops") + os.sep
        self._temporary = (_temporary_folder(), _SHARED_MEMORY)

    def counts(self, path: str, places: Places, *, began: int, importing_library: bool) -> bool:
        """Whether a file or folder at an absolute path is an input of an action that ``began`` then (ns)."""
        if is_within(path, places.work):
            return True
        if self._is_outside(path):
            return False
        if importing_library and path.startswith(self._user_caches):
            # Such as matplotlib's list of fonts: made anew where it is missing, and other on every machine.
            return False
        if path.startswith(self._project + os.sep):
            return not path.startswith(self._hidden) and not path.endswith(".pyc")
        return not path.startswith(self._temporary) or _older(path, began)

    def is_project_code(self, file: str) -> bool:
        """Whether source at that path is the project's own."""
        return file.startswith(self._project + os.sep) and not self._is_outside(file)

    def _is_outside(self, path: str) -> bool:
        """Whether it is of an installed package, the interpreter or the kernel."""
        if path.startswith(_KERNEL) and not path.startswith(_SHARED_MEMORY):
            return True
        return path.startswith(self._installed)


def is_within(path: str, folder: str | None) -> bool:
    """Whether ``path`` is ``folder`` or lies in it."""
    return folder is not None and (path == folder or path.startswith(folder + os.sep))


def resolved(path: str, places: Places) -> str:
    """The absolute path; a link in the working folder stands for what it leads to."""
    absolute = os.path.abspath(path)
    work = places.work
    if work is None or not absolute.startswith(work + os.sep):
        return absolute
    if is_within(absolute, os.path.join(work, "data")):
        return absolute
    real = os.path.realpath(absolute)
    real_work, real_project = _real(work), _real(places.project)
    if is_within(real, real_work):
        return work + real[len(real_work) :]
    if real.startswith(real_project + os.sep):
        return places.project + real[len(real_project) :]
    return real


@lru_cache(maxsize=64)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _older(path: str, began: int) -> bool:
    """Whether a temporary file is older than the action: scratch files of libraries are no inputs."""
    try:
        return os.stat(path).st_ctime_ns < began
    except OSError:
        return False


def _temporary_folder() -> str:
    try:
        return os.path.abspath(tempfile.gettempdir()) + os.sep
    except FileNotFoundError:
        # None that can be written to, as on a full disk.
        return os.path.abspath(os.environ.get("TMPDIR") or "/tmp") + os.sep


def _installed(project: str) -> tuple[str, ...]:
    # Installed packages count by version, the interpreter's own files not at all.
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, _PACKAGE}
    prefixes |= {STANDARD.rstrip(os.sep)}
    prefixes |= {path for path in sys.path if path.endswith(("site-packages", "dist-packages"))}
    folders = {os.path.abspath(prefix) + os.sep for prefix in prefixes if prefix not in ("", "/")}
    # A project may lie in the folder that Python is installed under, such as /usr/local.
    around = {folder for folder in folders if (project + os.sep).startswith(folder)}
    inner = {folder + name + os.sep for folder in around for name in ("lib", "lib64", "bin", "include", "share")}
    inner = {folder for folder in inner if not (project + os.sep).startswith(folder)}
    return tuple(sorted(folders - around | inner))


def _user_caches() -> tuple[str, ...]:
    home = os.path.expanduser("~")
    return (
        os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), ""),
        os.path.join(home, "Library", "Caches", ""),
    )
