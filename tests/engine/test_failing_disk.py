"""A disk whose calls fail now and then, or always: warnings and executions, never a wrong result or a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from real_runs import RealProject, facts, outcomes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SYNC = "fsync,fdatasync"
MOVE = "rename,renameat2,link"
# What fails, and from which of a process's calls on, each how many after the other (strace's `when`).
FAULTS = [
    (SYNC, "EIO:when=1+"),
    (SYNC, "EIO:when=1"),
    (SYNC, "EIO:when=2+2"),
    (MOVE, "EIO:when=1+3"),
    (MOVE, "ENOSPC:when=2+2"),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run gives where nothing fails."""
    project = RealProject(tmp_path_factory.mktemp("undisturbed"))
    return facts(project, project.run())


def _run_with(project: RealProject, calls: str, fault: str, trace: Path) -> dict[str, Any]:
    """A run in which those system calls fail; some must have."""
    tracer = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}", "-e", f"inject={calls}:error={fault}"]
    command = [*tracer, *project.command("run", "--json", "--jobs", "2")]
    ran = subprocess.run(command, env=project.environment(), capture_output=True, text=True, check=False)
    assert "(INJECTED)" in trace.read_text(), ran.stderr
    assert "Traceback" not in ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    # What can't be stored can't be handed on, which is the one way to fail.
    errors = [action["error"] for action in document["actions"] if action["outcome"] == "failed"]
    assert ran.returncode == bool(errors), ran.stderr
    assert all("can't be handed on" in error for error in errors), errors
    return document


@pytest.fixture
def tracing(tmp_path: Path) -> None:
    assert shutil.which("strace"), "these tests need strace"
    probe = subprocess.run(["strace", "-o", str(tmp_path / "probe"), "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("platform: system calls can't be traced here")


@pytest.mark.parametrize(("calls", "fault"), FAULTS)
def test_calls_that_fail_change_no_result(
    tmp_path: Path, undisturbed: dict[str, Any], tracing: None, calls: str, fault: str
) -> None:
    project = RealProject(tmp_path)
    document = _run_with(project, calls, fault, tmp_path / "trace")
    found = facts(project, document)
    for name, outputs in found["outputs"].items():
        assert outputs.items() <= undisturbed["outputs"][name].items()
    assert found["metrics"].items() <= undisturbed["metrics"].items()
    assert calls == MOVE or found["outputs"] == undisturbed["outputs"]
    # On a sound disk again: whatever was kept is right, the rest executes, and then all is cached.
    assert facts(project, project.run()) == undisturbed
    assert set(outcomes(project.run()).values()) == {"hit"}


@pytest.mark.parametrize(("calls", "fault"), FAULTS)
def test_calls_that_fail_lose_nothing_of_earlier_runs(
    tmp_path: Path, undisturbed: dict[str, Any], tracing: None, calls: str, fault: str
) -> None:
    project = RealProject(tmp_path)
    project.run()
    project.write("src/model.py", (project.root / "src/model.py").read_text().replace("data[:100]", "data[:101]"))
    _run_with(project, calls, fault, tmp_path / "trace")
    project.write("src/model.py", (project.root / "src/model.py").read_text().replace("data[:101]", "data[:100]"))
    document = project.run()
    assert set(outcomes(document).values()) == {"hit"}
    assert facts(project, document) == undisturbed
