"""Folders of runs: locked while the run lives, cleared away by a later run when it was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress

from ..errors import StoreUnavailable

_LOCK = ".lock"
_UNLOCKED = "."  # how the name of a folder begins that is being made
_TRIES = 5
_PATIENCE = 60.0  # seconds; what was made longer ago and isn't locked was left behind


class RunFolder:
    """A folder of a run's own, in ``parent`` where that can be written, else in the system's temporary folder.

    Its lock is held until :meth:`remove`, or until this OS process ends. ``fault`` tells why it is not in ``parent``.
    """

    def __init__(self, parent: str, name: str) -> None:
        """Make and lock it. Raises :class:`StoreUnavailable` where there is no place for it at all."""
        self.fault = ""
        try:
            self.path, self._lock = _make(parent, name)
        except OSError as error:
            self.fault = f"{parent} can't be written ({error.strerror or error})"
            self.path, self._lock = _make_elsewhere(self.fault)

    def remove(self) -> None:
        """Remove it with all that is in it. Twice is no error."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _make(parent: str, name: str) -> tuple[str, int]:
    os.makedirs(parent, exist_ok=True)
    path, unlocked = os.path.join(parent, name), os.path.join(parent, _UNLOCKED + name)
    os.mkdir(unlocked)
    lock = _locked(unlocked)
    os.rename(unlocked, path)  # only now may others look whether it is locked
    return path, lock


def _make_elsewhere(fault: str) -> tuple[str, int]:
    import tempfile  # only where something is wrong

    try:
        path = tempfile.mkdtemp(prefix="expops-")
        return path, _locked(path)
    except OSError as error:
        mend = "free some space, or name a folder that can be written in TMPDIR"
        raise StoreUnavailable(f"{fault}, nor a temporary folder ({error.strerror or error}); {mend}") from error


def _locked(folder: str) -> int:
    lock = os.open(os.path.join(folder, _LOCK), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def clear_dead_runs(parent: str) -> None:
    """Remove the folders in ``parent`` of runs that no longer hold their lock."""
    try:
        names = os.listdir(parent)
    except OSError:
        return
    for name in names:
        folder = os.path.join(parent, name)
        with suppress(OSError):  # gone by now, or not ours to remove
            if _is_dead(name, folder):
                _remove(folder)


def _remove(folder: str) -> None:
    """Remove a folder into which a worker that is just dying with its run may still write."""
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(0.02)


def _is_dead(name: str, folder: str) -> bool:
    if name.startswith(_UNLOCKED) or not os.path.exists(os.path.join(folder, _LOCK)):
        # Made a moment ago, or being removed, or left by a run that died right then.
        return os.stat(folder).st_mtime < time.time() - _PATIENCE
    lock = os.open(os.path.join(folder, _LOCK), os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
