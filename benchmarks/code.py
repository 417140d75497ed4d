"""What code fingerprints cost, per thousand lines: packages of pure Python, each as if it were the project."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from expops.hashing.code import ProjectCode

from .measure import medians, table

PACKAGES = ("rich", "hypothesis", "_pytest", "joblib", "click")


class Memory:
    """A memo, as a project keeps one between runs."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._data.get(key)

    def put(self, key: str, value: bytes) -> None:
        self._data[key] = value


def _copy(name: str, folder: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    root = Path(folder) / name
    # Files that were written just now are read again, since their time can't tell that they have not changed.
    for source in shutil.copytree(spec.submodule_search_locations[0], root / name).rglob("*.py"):
        os.utime(source, (1_000_000_000, 1_000_000_000))
    return root


def _fingerprint_all(root: Path, files: list[str], memo: Memory | None) -> None:
    code = ProjectCode(os.fspath(root), import_roots=[os.fspath(root)], memo=memo)
    for file in files:
        for symbol in code.symbols(file):
            code.fingerprint(file, symbol)


def _read_all(root: Path, files: list[str]) -> None:
    code = ProjectCode(os.fspath(root), import_roots=[os.fspath(root)])
    for file in files:
        code.functions(file)


def run(repeats: int = 3) -> str:
    """The table of code fingerprints."""
    folder = tempfile.mkdtemp(prefix="expops-bench-")
    rows = []
    for name in PACKAGES:
        root = _copy(name, folder)
        files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py"))
        lines = sum((root / file).read_bytes().count(b"\n") for file in files)
        memo = Memory()
        _fingerprint_all(root, files, memo)
        taken = medians(
            {
                "read": lambda root=root, files=files: _read_all(root, files),
                "first": lambda root=root, files=files: _fingerprint_all(root, files, None),
                "again": lambda root=root, files=files, memo=memo: _fingerprint_all(root, files, memo),
            },
            repeats,
        )
        rows.append((name, f"{lines:,}", *(f"{taken[kind] / lines * 1e6:.1f} ms" for kind in taken)))
    shutil.rmtree(folder)
    head = ("package", "lines", "reading", "all fingerprints, first time", "all fingerprints, files known")
    return table("Code fingerprints of every symbol, per 1,000 lines", head, rows)
