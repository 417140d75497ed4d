"""Folders of runs: locked while the run lives, cleared away by a later run when it was killed."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import StoreUnavailable

_LOCK = ".lock"
_TRIES = 5


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
        remove_tree(self.path)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def remove_tree(folder: str) -> None:
    """Remove a folder as far as that can be done."""
    if os.path.lexists(folder):
        import shutil  # slow to import, and a run in which all is cached has nothing to remove

        shutil.rmtree(folder, ignore_errors=True)


def _make(parent: str, name: str) -> tuple[str, int]:
    os.makedirs(parent, exist_ok=True)
    path = os.path.join(parent, name)
    # Nobody clears away while this is held, so a folder is locked whenever somebody looks.
    with _gate(parent, fcntl.LOCK_SH):
        os.mkdir(path)
        return path, _locked(path)


@contextmanager
def _gate(parent: str, how: int) -> Iterator[None]:
    """The lock beside ``parent``: shared by those who make folders in it, exclusive for who clears away."""
    lock = os.open(parent + ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


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
    """Remove the folders in ``parent`` of runs that no longer hold their lock.

    What can't be removed now, since another run is making a folder or clearing away, a later run removes.
    """
    if not os.path.isdir(parent):
        return
    with suppress(OSError), _gate(parent, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for name in os.listdir(parent):
            folder = os.path.join(parent, name)
            with suppress(OSError):  # not ours to remove, or no folder at all
                if _is_dead(folder):
                    _remove(folder)


def _remove(folder: str) -> None:
    """Remove a folder into which a worker that is dying with its run may still write."""
    for _ in range(_TRIES):
        remove_tree(folder)
        if not os.path.lexists(folder):
            return
        time.sleep(0.02)


def _is_dead(folder: str) -> bool:
    """Whether nobody holds its lock."""
    try:
        lock = os.open(os.path.join(folder, _LOCK), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
