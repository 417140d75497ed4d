"""Real code as input: every top-level function of installed packages, taken as a project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from expops.hashing.code import ProjectCode

ALL = """
import sys
from expops.hashing.code import ProjectCode
from expops.hashing.digest import digest_bytes
code = ProjectCode(sys.argv[1])
found = []
for path in sys.argv[2:]:
    for name in code.functions(path):
        found.append(path + name + code.fingerprint(path, name).digest)
print(len(found), digest_bytes("".join(found).encode()))
"""


def _copy(package: str, to: Path) -> list[str]:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, to / package, ignore=shutil.ignore_patterns("__pycache__"))
    return sorted(os.fspath(path.relative_to(to)) for path in to.rglob("*.py"))


@pytest.mark.parametrize("package", ["iniconfig", "pluggy"])
def test_every_function_is_read_and_the_same_under_any_hash_seed(tmp_path: Path, package: str) -> None:
    paths = _copy(package, tmp_path)
    code = ProjectCode(os.fspath(tmp_path))
    assert sum(len(code.functions(path)) for path in paths) > 0
    outputs = {_run(tmp_path, paths, seed) for seed in ("0", "1")}
    assert len(outputs) == 1


def _run(root: Path, paths: list[str], seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", ALL, os.fspath(root), *paths]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize("package", ["rich", "joblib", "hypothesis", "packaging", "pygments"])
def test_large_packages(tmp_path: Path, package: str) -> None:
    paths = _copy(package, tmp_path)
    assert _run(tmp_path, paths, "1") == _run(tmp_path, paths, "2")
