"""Other versions of Python, with the libraries that a test needs on them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"


class Interpreter:
    """A Python of another version; ``run`` gives it this source tree and its own libraries."""

    def __init__(self, executable: str, libraries: Path) -> None:
        self.executable = executable
        self.libraries = libraries

    def run(self, *args: str, cwd: Path | None = None, path: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
        places = [SOURCE, *path, self.libraries]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.fspath, places)), "PYTHONHASHSEED": "random"}
        command = [self.executable, *args]
        return subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True)


def with_libraries(version: str, libraries: Path, *names: str) -> Interpreter:
    """The interpreter of that version with libraries installed in a folder; skips, which fails in CI, without it."""
    executable = _find(version)
    if executable is None:
        pytest.skip(f"Python {version} is not installed here")
    install = [executable, "-m", "pip", "install", "--quiet", "--target", os.fspath(libraries), *names]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        pytest.skip(f"{', '.join(names)} can't be installed for Python {version}")
    return Interpreter(executable, libraries)


def _find(version: str) -> str | None:
    found = shutil.which(f"python{version}")
    candidates = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in [*map(os.fspath, candidates), *([found] if found else [])]:
        if subprocess.run([candidate, "-c", "pass"], capture_output=True, check=False).returncode == 0:
            return candidate
    return None
