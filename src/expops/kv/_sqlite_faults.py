"""What went wrong with an SQLite file, where, and how to mend it."""

from __future__ import annotations

import os
import sqlite3
from typing import Final

from ..errors import CorruptData, StorageError, StoreUnavailable

_CORRUPT: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_LOCKED: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


def fault(error: sqlite3.Error | UnicodeDecodeError, path: str) -> StorageError:
    """``error`` in expops's own words, for the database at ``path``."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _CORRUPT or isinstance(error, UnicodeDecodeError):
        return CorruptData(
            f"{path} is not a sound SQLite database ({error}); move it and its -wal and -shm siblings aside, "
            "and what it recorded is computed again"
        )
    return StoreUnavailable(f"{path}: {_why(code, error, path)}")


def no_folder(error: OSError, path: str) -> StoreUnavailable:
    """The folder of the database can't be made."""
    return StoreUnavailable(
        f"{path}: can't make its folder ({error.strerror or error}); "
        "free some space, get permission to write there, or configure another cache folder"
    )


def other_format(connection: sqlite3.Connection, version: int) -> StoreUnavailable:
    """The database is not of the format that this release reads."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    return StoreUnavailable(
        f"{path} has format {version}, which this release of expops can't read; "
        "use the release that made it, or configure another cache folder"
    )


def _why(code: int, error: sqlite3.Error, path: str) -> str:
    if code in _LOCKED:
        return f"locked for too long by {_holders(path)}; let it end, or stop it, and run again"
    if os.path.isdir(path):
        return "is a folder, where a database file belongs; move it away, or configure another cache folder"
    if code == sqlite3.SQLITE_FULL:
        return "the disk or quota is full; free some space and run again"
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH}:
        return (
            f"can't be opened or written ({error}): a read-only file system or missing permission; get "
            "permission to write to the file and its folder, or configure another cache folder"
        )
    if code == sqlite3.SQLITE_IOERR:
        return (
            f"reading or writing failed ({error}): a full or failing disk, or a network file system; "
            "free some space, check the disk, or configure a cache folder on a local one"
        )
    return f"SQLite refuses ({error}); if it is no database of expops, move it aside"


def _holders(path: str) -> str:
    """Who holds locks on the database, as far as the system tells (Linux: /proc/locks)."""
    names = [path, f"{path}-shm", f"{path}-wal"]
    inodes = {str(os.stat(name).st_ino) for name in names if os.path.exists(name)}
    pids = set()
    if os.path.exists("/proc/locks"):
        with open("/proc/locks", encoding="ascii", errors="replace") as table:
            lines = [line.split() for line in table]
        # 1: POSIX  ADVISORY  WRITE 4711 fe:00:131 1073741826 1073742335
        pids = {f[4] for f in lines if len(f) == 8 and f[3] == "WRITE" and f[5].rpartition(":")[2] in inodes}
    if not pids:
        return "another process"
    return "process " + ", ".join(sorted(pids, key=int))
