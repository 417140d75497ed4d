"""Working folders of runs: locked while the run lives, cleared away by a later run when it died."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from typing import IO

_LOCK = ".lock"


def lock_folder(folder: str) -> IO[bytes]:
    """Take the lock of a run's folder; it is held until the file is closed or this OS process ends."""
    file = open(os.path.join(folder, _LOCK), "wb")  # noqa: SIM115 (held open on purpose)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def clear_dead_runs(folder: str) -> None:
    """Remove the folders of runs that no longer hold their lock."""
    if not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        run = os.path.join(folder, name)
        if not _alive(run):
            shutil.rmtree(run, ignore_errors=True)


def _alive(run: str) -> bool:
    try:
        with open(os.path.join(run, _LOCK), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        # Made a moment ago and about to be locked, or left by a run that died right then.
        return os.stat(run).st_mtime > time.time() - 60
    except OSError:
        return True
    return False
