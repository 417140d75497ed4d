"""Leases in a folder: a locked file for each. The kernel lets the lock go when its holder ends, in whatever way."""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from .leases import UNKNOWN, Held, Holder, Lease, News, Taken, holder_in, pack

_LARGEST: Final = 4096  # bytes that are read of somebody's file
_TRIES: Final = 100


class FileLeases:
    """Leases in ``folder``, for all whose cache is on this machine; see :class:`~expops.cache.leases.Leases`.

    A result is found as soon as it is recorded, so nothing is left behind for an action that has ended.
    """

    pace = 0.1

    def __init__(self, folder: str, holder: Holder = UNKNOWN) -> None:
        self.holder = holder
        self._folder = folder
        self._files: dict[str, int] = {}
        self._lock = threading.Lock()
        _made.add(self)

    def take(self, keys: Sequence[str]) -> dict[str, Taken]:
        """See :meth:`Leases.take`."""
        return {key: self._take(key) for key in keys}

    def _take(self, key: str) -> Taken:
        try:
            os.makedirs(self._folder, exist_ok=True)
            for _ in range(_TRIES):
                file = self._locked(key)
                if isinstance(file, Held):
                    return file
                if file is not None:
                    self._files[key] = file
                    return Lease(key, True)
        except OSError:  # a disk that is full or read-only: of that, who keeps results tells
            return None
        return None

    def _locked(self, key: str) -> int | Held | None:
        """The locked file of a lease, or who has it locked; ``None`` if it was given back just now."""
        path = self._path(key)
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        mine = False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):
                os.ftruncate(file, 0)
                os.pwrite(file, pack(self.holder), 0)
                mine = True
        except BlockingIOError:
            return Held(key, holder_in(os.pread(file, _LARGEST, 0)))
        finally:
            if not mine:
                os.close(file)
        return file if mine else None

    def end(self, lease: Lease, result: str | None) -> None:
        """See :meth:`Leases.end`."""
        with self._lock:
            file = self._files.pop(lease.key, None)
        if file is None:
            return
        # First the name, while nobody else can have locked what it stands for.
        with suppress(OSError):
            os.unlink(self._path(lease.key))
        fcntl.flock(file, fcntl.LOCK_UN)  # also for children that were forked meanwhile
        os.close(file)

    def report(self, tell: Callable[[News], object]) -> None:
        """See :meth:`Leases.report`. The kernel knows, and nobody has to renew them."""

    def heard(self, task: str, news: News) -> None:
        """See :meth:`Leases.heard`."""

    def lost(self, task: str) -> None:
        """See :meth:`Leases.lost`."""

    def settle(self, flush: Callable[[], object]) -> None:
        """See :meth:`Leases.settle`."""
        flush()

    def close(self) -> None:
        """See :meth:`Leases.close`."""
        for key in list(self._files):
            self.end(Lease(key, False), None)

    def forget(self) -> None:
        """After a fork, in the child: the leases are the parent's, and must not outlive it here."""
        for file in self._files.values():
            os.close(file)
        self._files = {}
        self._lock = threading.Lock()

    def _path(self, key: str) -> str:
        return os.path.join(self._folder, key)


def _is_at(path: str, file: int) -> bool:
    """Whether an open file is still the one at ``path``."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False


_made: weakref.WeakSet[FileLeases] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for leases in list(_made):
        leases.forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
