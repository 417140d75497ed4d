"""A skipped test fails the session in CI, unless it is about another platform."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = {
    "call": "def test_it(): pytest.skip('no server')",
    "mark": "@pytest.mark.skip(reason='no server')\ndef test_it(): pass",
    "module": "pytest.skip('no server', allow_module_level=True)",
    "fixture": "@pytest.fixture\ndef f(): pytest.skip('no server')\ndef test_it(f): pass",
}
NO_SKIPS = {
    "platform": "def test_it(): pytest.skip('platform: Windows only')",
    "xfail": "@pytest.mark.xfail(reason='known')\ndef test_it(): assert False",
}


def session(folder: Path, source: str, *options: str, ci: str = "true") -> subprocess.CompletedProcess[str]:
    rules = Path(__file__).with_name("conftest.py").read_text()
    (folder / "conftest.py").write_text(rules)
    (folder / "test_inner.py").write_text(f"import pytest\n{source}")
    (folder / "test_other.py").write_text("def test_that_passes(): pass")
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "CI": ci}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skip_fails_in_ci_and_is_listed(tmp_path: Path, kind: str) -> None:
    ran = session(tmp_path, SKIPS[kind])
    assert ran.returncode == 1, ran.stdout
    listing = ran.stdout.partition("skipped tests fail in CI")[2]
    assert "test_inner.py" in listing
    assert "no server" in listing


def test_a_skip_fails_in_ci_with_parallel_workers(tmp_path: Path) -> None:
    ran = session(tmp_path, SKIPS["call"], "-n", "2")
    assert ran.returncode == 1, ran.stdout
    assert ran.stdout.count("test_inner.py::test_it: no server") == 1


def test_a_skip_passes_outside_ci(tmp_path: Path) -> None:
    assert session(tmp_path, SKIPS["call"], ci="").returncode == 0


@pytest.mark.parametrize("kind", NO_SKIPS)
def test_what_is_no_missing_test_passes_in_ci(tmp_path: Path, kind: str) -> None:
    ran = session(tmp_path, NO_SKIPS[kind])
    assert ran.returncode == 0, ran.stdout
