"""A store that can't be written, is full or is damaged costs time and a warning, never a result or a traceback."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_runs import RealProject, outcomes

CONFIG = """
scripts: {main: src/model.py}
experiment:
  pipeline:
    process_adjlist: |
      small above
      big apart
      big taker
    processes: [{name: small}, {name: above}, {name: big}, {name: apart}, {name: taker}]
"""

MODEL = """
import random

from expops import log_metric, process, step


@step
def draw(count):
    return [random.random() for _ in range(count)]


@process()
def small():
    return {"items": draw(5)}


@process()
def above(items):
    log_metric("sum", sum(items))
@NOTE@
    return {"total": sum(items) + draw(1)[0]}


@process()
def big():
    return {"data": repr(draw(6000)).encode(), "size": 7}


@process()
def apart(size):
    return {"apart": size + draw(1)[0]}
@TAKER@
"""

TAKER = """

@process()
def taker(data):
    return {"length": len(data)}
"""

NOTE = """
    with open("note.txt", "w") as file:
        file.write(repr(items))
"""

# Root may write anywhere; without this capability, it may not where it has no permission.
POWERLESS = """
import ctypes, os, sys
if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) != 0:
    sys.exit(77)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

UNTOUCHED = ("small", "above", "apart")  # neither give nor take what is large

LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def make(root: Path, *, taker: bool = True, note: bool = True) -> RealProject:
    config = CONFIG if taker else CONFIG.replace("      big taker\n", "").replace(", {name: taker}", "")
    return RealProject(root, config, MODEL.replace("@TAKER@", TAKER * taker).replace("@NOTE@", NOTE * note))


def run_behind(project: RealProject, wrapper: str, *args: str) -> subprocess.CompletedProcess[str]:
    """``expops run`` by an interpreter that the wrapper has replaced itself with."""
    command = [sys.executable, "-c", wrapper, *args, *project.command("run", "--json", "--jobs", "2")[1:]]
    ran = subprocess.run(command, env=project.environment(), capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr
    return ran


def marks(document: dict[str, Any]) -> dict[str, Any]:
    return {
        action["path"]: {name: output["fingerprint"] for name, output in action["outputs"].items()}
        for action in document["actions"]
        if action["kind"] == "process" and action["outcome"] in ("hit", "executed")
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Outputs where nothing is wrong."""
    found = marks(make(tmp_path_factory.mktemp("sound")).run())
    assert set(found) == {"small", "above", "big", "apart", "taker"}
    return found


def slowly(*values: object) -> Any:
    """Parameters of a test that is one of many of its kind."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture
def powerless(tmp_path: Path) -> None:
    probe = subprocess.run(
        [sys.executable, "-c", POWERLESS, "-c", f"import os; os.mkdir({str(tmp_path / 'closed' / 'x')!r})"],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode == 77:
        pytest.skip("platform: root can't give up its power to write anywhere")


def _chmod(folder: Path, *, writable: bool) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for path in [] if writable else [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)


@pytest.mark.parametrize("before", ["nothing", "all"])
def test_a_read_only_hidden_folder(tmp_path: Path, powerless: None, expected: dict[str, Any], before: str) -> None:
    project = make(tmp_path)
    if before == "all":
        project.run()
    project.hidden.mkdir(exist_ok=True)
    (project.hidden / ".gitignore").write_text("*\n")
    _chmod(project.hidden, writable=False)
    there = sorted(project.hidden.rglob("*"))
    try:
        ran = run_behind(project, POWERLESS)
        assert ran.returncode == 0, ran.stderr
        assert marks(json.loads(ran.stdout)) == expected
        assert "warning:" in ran.stderr
        assert "get permission" in ran.stderr
        assert sorted(project.hidden.rglob("*")) == there
    finally:
        _chmod(project.hidden, writable=True)
    assert marks(project.run()) == expected


def test_a_read_only_project_without_a_hidden_folder(tmp_path: Path, powerless: None, expected: dict[str, Any]) -> None:
    project = make(tmp_path)
    project.root.chmod(0o555)
    try:
        ran = run_behind(project, POWERLESS)
    finally:
        project.root.chmod(0o755)
    assert ran.returncode == 0, ran.stderr
    assert marks(json.loads(ran.stdout)) == expected
    assert "get permission" in ran.stderr
    assert not project.hidden.exists()


def test_a_file_in_place_of_the_hidden_folder(tmp_path: Path, expected: dict[str, Any]) -> None:
    project = make(tmp_path)
    project.hidden.write_text("")
    run = project.start("--json")
    assert run.wait() == 0, run.text
    assert marks(json.loads("".join(run.out))) == expected
    assert "warning:" in run.text
    assert "Traceback" not in run.text


@pytest.mark.parametrize("limit", [0, slowly(3_000), 20_000, slowly(60_000)])
def test_a_disk_that_takes_no_large_file(tmp_path: Path, expected: dict[str, Any], limit: int) -> None:
    """The big output can't be kept: who takes it fails, all others don't."""
    project = make(tmp_path, note=False)
    ran = run_behind(project, LIMITED, str(limit))
    assert ran.returncode == 1
    document = json.loads(ran.stdout)
    (failed,) = [action for action in document["actions"] if action["outcome"] == "failed"]
    assert failed["path"] == "taker"
    assert "output 'data' of 'big' can't be handed on" in failed["error"]
    assert "free some space" in failed["error"]
    assert "runs each time" in ran.stderr
    assert {name: marks(document)[name] for name in UNTOUCHED} == {name: expected[name] for name in UNTOUCHED}
    after = project.run()
    assert marks(after) == expected


def test_a_full_disk_does_not_fail_a_run_that_hands_nothing_large_on(tmp_path: Path, expected: dict[str, Any]) -> None:
    project = make(tmp_path, taker=False, note=False)
    ran = run_behind(project, LIMITED, "20000")
    assert ran.returncode == 0, ran.stderr
    assert "output 'data' can't be stored" in ran.stderr
    assert marks(json.loads(ran.stdout))["above"] == expected["above"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [16, 64, 200, 400])
def test_a_tiny_file_system_that_is_full(tmp_path: Path, expected: dict[str, Any], size: int) -> None:
    project = make(tmp_path, taker=False, note=False)
    project.hidden.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(project.hidden)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("platform: no permission to mount a file system")
    try:
        for _ in range(2):
            run = project.start("--json")
            assert run.wait() == 0, run.text
            assert "Traceback" not in run.text
            found = marks(json.loads("".join(run.out)))
            assert {name: found[name] for name in UNTOUCHED} == {name: expected[name] for name in UNTOUCHED}
    finally:
        subprocess.run(["umount", "-l", str(project.hidden)], check=True)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _scramble(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def _scramble_the_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : len(data) - 50] = random.Random(2).randbytes(max(len(data) - 4146, 0))
    path.write_bytes(bytes(data))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CACHE, MEMO = "cache.sqlite", "memo.sqlite"
DAMAGES = [
    (CACHE, _truncate),
    (CACHE, _scramble),
    slowly(CACHE, _scramble_the_middle),
    slowly(CACHE, _empty),
    slowly(CACHE, _make_folder),
    (MEMO, _scramble),
    slowly(MEMO, _truncate),
    slowly(MEMO, _scramble_the_middle),
    slowly(MEMO, _empty),
    slowly(MEMO, _make_folder),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
def test_a_damaged_database(
    tmp_path: Path, expected: dict[str, Any], name: str, damage: Callable[[Path], None]
) -> None:
    project = make(tmp_path)
    project.run()
    database = project.hidden / name
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    damage(database)
    run = project.start("--json")
    assert run.wait() == 0, run.text
    assert "Traceback" not in run.text
    assert marks(json.loads("".join(run.out))) == expected
    if damage not in (_empty, _scramble_the_middle, _truncate):
        assert str(database) in run.text
        assert "aside" in run.text or "move it away" in run.text
    if "warning" in run.text:
        for path in project.hidden.glob(name + "*"):
            if not path.name.endswith("-journals"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    # Mended, or mended by itself: the journals of the run before may have brought its results over.
    assert marks(project.run()) == expected
    assert set(outcomes(project.run()).values()) == {"hit"}


@pytest.mark.parametrize("name", ["cache.sqlite-journals", "blobs", slowly("work"), slowly("artifacts")])
def test_a_file_where_a_folder_belongs(tmp_path: Path, expected: dict[str, Any], name: str) -> None:
    project = make(tmp_path, taker=name != "blobs")
    project.hidden.mkdir()
    (project.hidden / name).write_text("")
    run = project.start("--json")
    assert run.wait() == 0, run.text
    assert "Traceback" not in run.text
    assert "warning:" in run.text
    found = marks(json.loads("".join(run.out)))
    assert found["above"] == expected["above"]


@pytest.mark.parametrize("command", ["status", "runs", slowly("show"), slowly("explain"), "cache"])
def test_commands_that_look_refuse_a_damaged_cache_in_words(tmp_path: Path, command: str) -> None:
    project = make(tmp_path)
    (project.hidden).mkdir()
    (project.hidden / "cache.sqlite").write_bytes(random.Random(3).randbytes(20_000))
    args = {"show": ["last"], "explain": ["small"], "cache": ["info"]}.get(command, [])
    ran = subprocess.run(
        [sys.executable, "-m", "expops", command, *args],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 0 or "aside" in ran.stderr
