"""Facts of files, remembered by stat: an unchanged file is neither read nor parsed again."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Final, Generic, TypeVar

from ...errors import SourceError
from ..digest import digest_bytes
from .facts import FORMAT, FileFacts, Nested, pack, unpack, unpack_nested
from .finder import Finder
from .model import Memo

# A file written within the clock's grain after it was read has the same stat; two seconds cover every file system.
_GRAIN_NS: Final = 2_000_000_000
_T = TypeVar("_T")


class Stamped(Generic[_T]):
    """JSON data in a memo, each entry stamped with the stats of the files that it was made from."""

    def __init__(self, memo: Memo | None, kind: str) -> None:
        self._memo = memo
        self._prefix = f"code/{FORMAT}/{sys.version_info[0]}.{sys.version_info[1]}/{kind}/"

    def get(self, key: str, stamp: list[list[int]]) -> tuple[_T | None, bool]:
        """What was remembered, and whether it certainly still holds; if not, the content must be compared."""
        raw = self._memo.get(self._prefix + key) if self._memo else None
        if raw is None:
            return None, False
        written, old_stamp, value = json.loads(raw)
        latest = max((max(stat[:2]) for stat in stamp), default=0)
        return value, old_stamp == stamp and latest + _GRAIN_NS < written

    def put(self, key: str, stamp: list[list[int]], written: int, value: object) -> None:
        """Remember ``value``, made of files that were looked at no earlier than ``written``."""
        if self._memo:
            data = json.dumps([written, stamp, value], separators=(",", ":"))
            self._memo.put(self._prefix + key, data.encode())


def stamp_of(path: str) -> list[int]:
    """The stat fields that change with a file. Raises ``OSError``."""
    stat = os.stat(path)
    return [stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino]


class Files:
    """Reads each file of the project at most once."""

    def __init__(self, finder: Finder, memo: Memo | None) -> None:
        self._finder = finder
        self._facts_memo: Stamped[list[object]] = Stamped(memo, "facts")
        self._nested_memo: Stamped[list[list[object]]] = Stamped(memo, "nested")
        self._bytes_memo: Stamped[str] = Stamped(memo, "bytes")
        self._facts: dict[str, FileFacts] = {}
        self._nested: dict[str, list[Nested]] = {}
        self._sources: dict[str, bytes] = {}

    def facts(self, path: str) -> FileFacts:
        """Facts of a project-relative file. Raises :class:`~expops.errors.SourceError`."""
        if path not in self._facts:
            self._facts[path] = self._read(path)
        return self._facts[path]

    def source(self, path: str) -> bytes:
        """The bytes of a project file."""
        if path not in self._sources:
            try:
                with open(self._finder.absolute(path), "rb") as file:
                    self._sources[path] = file.read()
            except OSError as error:
                raise SourceError(path, 0, f"can't be read: {error.strerror}") from error
        return self._sources[path]

    def _stamp(self, path: str) -> list[list[int]]:
        try:
            return [stamp_of(self._finder.absolute(path))]
        except OSError as error:
            raise SourceError(path, 0, f"can't be read: {error.strerror}") from error

    def _read(self, path: str) -> FileFacts:
        key = self._finder.absolute(path)
        now = time.time_ns()
        stamp = self._stamp(path)
        known, certain = self._facts_memo.get(key, stamp)
        if known is not None and (certain or known[0] == digest_bytes(self.source(path))):
            if not certain:
                self._facts_memo.put(key, stamp, now, known)
            return unpack(known)
        from .reader import read_facts  # needs ast, which a run without changes does without

        folder = path.rpartition("/")[0]
        facts = read_facts(self.source(path), path, folder.replace("/", "."))
        self._facts_memo.put(key, stamp, now, pack(facts))
        return facts

    def nested(self, path: str) -> list[Nested]:
        """The nested definitions of a project file; at run time only, so that plans do without."""
        if path not in self._nested:
            content = self.facts(path).content
            key = f"{self._finder.absolute(path)}:{content}"
            known, _ = self._nested_memo.get(key, [])
            if known is None:
                from .reader import read_nested  # needs ast

                self._nested[path] = read_nested(self.source(path), path)
                self._nested_memo.put(key, [], 0, self._nested[path])
            else:
                self._nested[path] = [unpack_nested(data) for data in known]
        return self._nested[path]

    def digest(self, path: str) -> str:
        """Digest of the bytes of a file that is no source."""
        key = self._finder.absolute(path)
        now = time.time_ns()
        stamp = self._stamp(path)
        known, certain = self._bytes_memo.get(key, stamp)
        if known is not None and certain:
            return known
        digest = digest_bytes(self.source(path))
        self._bytes_memo.put(key, stamp, now, digest)
        return digest
