"""Small projects on disk for the tests of code fingerprints."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

from expops.hashing.code import CodeFingerprint, ProjectCode


class DictMemo:
    """A memo that counts."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.puts = 0

    def get(self, key: str) -> bytes | None:
        return self.data.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.puts += 1
        self.data[key] = value


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return root


def fingerprint(root: Path, where: str = "src/m.py::f", memo: DictMemo | None = None) -> CodeFingerprint:
    path, _, name = where.partition("::")
    return ProjectCode(os.fspath(root), memo=memo).fingerprint(path, name)
