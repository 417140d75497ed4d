"""Several runs of one project at the same time all complete with right results, and leave a sound cache."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from real_runs import PROCESSES, RealProject, facts, outcomes

from expops.blobs.memory import MemoryStore
from expops.cache.manifest import Artifact, Manifest
from expops.engine import shelf
from expops.engine.scratch import RunFolder, clear_dead_runs


def _start_together(project: RealProject, count: int, options: list[list[str]]) -> list[dict[str, Any]]:
    runs = [project.start("--json", *options[number % len(options)]) for number in range(count)]
    codes = [run.wait() for run in runs]
    for run in runs:
        assert "locked" not in run.text
        assert "Traceback" not in run.text
        # What processes print, and that a blob is gone: the only thing that was wrong beforehand.
        assert all(line.startswith("[") or "is missing from the cache" in line for line in run.err), run.text
    assert codes == [0] * count
    return [json.loads("".join(run.out)) for run in runs]


def _check_sound(project: RealProject) -> None:
    since = time.time_ns()
    assert outcomes(project.run()) == dict.fromkeys(PROCESSES, "hit")
    assert project.notes(since) == []
    assert project.work() == []
    assert os.listdir(project.hidden / "cache.sqlite-journals") == []


def _half_of(project: RealProject) -> None:
    """Some results of a run, with some of their steps."""
    project.run("--only", "left")
    blobs = sorted((project.hidden / "blobs").glob("??/*"))
    for blob in random.Random(7).sample(blobs, len(blobs) // 3):
        blob.unlink()


@pytest.mark.parametrize("cached", ["nothing", "half", pytest.param("all", marks=pytest.mark.slow)])
def test_two_runs_at_once(tmp_path: Path, cached: str) -> None:
    alone = RealProject(tmp_path / "alone")
    expected = facts(alone, alone.run())
    project = RealProject(tmp_path / "shared")
    if cached == "half":
        _half_of(project)
    elif cached == "all":
        project.run()
    for document in _start_together(project, 2, [["--jobs", "2"]]):
        assert facts(project, document) == expected
    _check_sound(project)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("cached", ["nothing", "half"])
def test_sixteen_runs_at_once(tmp_path: Path, cached: str) -> None:
    alone = RealProject(tmp_path / "alone")
    expected = facts(alone, alone.run())
    modes = [["--jobs", "1"], ["--jobs", "2"], ["--jobs", "0"], ["--jobs", "2", "--cache", "off"]]
    for attempt in range(3):
        project = RealProject(tmp_path / str(attempt))
        if cached == "half":
            _half_of(project)
        documents = _start_together(project, 16, modes)
        shown = [{**facts(project, document), "artifacts": expected["artifacts"]} for document in documents]
        assert shown == [expected] * 16
        assert project.artifacts() == expected["artifacts"]
        _check_sound(project)


def test_runs_with_different_parameters_do_not_mix(tmp_path: Path) -> None:
    """Each has its own results, and the next run finds both."""
    model = """
import time

from expops import process, step


@step
def scale(factor):
    time.sleep(0.05)
    return [factor] * 10_000


@process()
def one(factor):
    values = scale(factor)
    with open("factor.txt", "w") as file:
        file.write(str(factor))
    return {"values": values}


@process()
def two(values, factor):
    return {"total": sum(values) + scale(factor + 1)[0]}
"""
    config = """
scripts: {main: src/model.py}
experiment:
  parameters: {factor: 1}
  pipeline:
    process_adjlist: one two
    processes: [{name: one}, {name: two}]
"""
    project = RealProject(tmp_path, config, model)
    options = [[f"--set=one.factor={number}", f"--set=two.factor={number}"] for number in (2, 3, 4)]
    _start_together(project, 3, options)
    for number, option in zip((2, 3, 4), options, strict=True):
        document = project.run(*option)
        assert outcomes(document) == {"one": "hit", "two": "hit"}
        assert project.artifacts() == {"one/factor.txt": str(number).encode()}


def test_a_living_runs_folder_is_left_alone_and_a_dead_ones_is_not(tmp_path: Path) -> None:
    living, dead = RunFolder(str(tmp_path), "living"), RunFolder(str(tmp_path), "dead")
    dead.remove()
    for name in ("dead", "unlocked", ".half-made"):
        (tmp_path / name).mkdir()
    (tmp_path / "dead" / ".lock").touch()
    os.utime(living.path, (0, 0))
    clear_dead_runs(str(tmp_path))
    assert os.listdir(tmp_path) == ["living"]
    living.remove()
    assert os.listdir(tmp_path) == []
    clear_dead_runs(str(tmp_path / "none"))


def test_a_folder_is_made_and_locked_however_many_clear_away(tmp_path: Path) -> None:
    """Who clears away may take a folder for a leftover in the moment before it is locked."""
    ended = threading.Event()

    def clear() -> None:
        while not ended.is_set():
            clear_dead_runs(str(tmp_path))

    def make(worker: int) -> list[tuple[str, list[str]]]:
        unsound = []
        for number in range(100):
            folder = RunFolder(str(tmp_path), f"run-{worker}-{number}")
            (Path(folder.path) / "file").touch()
            time.sleep(0.0005)
            held = sorted(os.listdir(folder.path))
            if folder.fault or held != [".lock", "file"]:
                unsound.append((folder.fault, held))
            folder.remove()
        return unsound

    with ThreadPoolExecutor(5) as pool:
        clearing = [pool.submit(clear) for _ in range(2)]
        try:
            made = list(pool.map(make, range(3)))
        finally:
            ended.set()
    assert made == [[], [], []]
    assert [task.result() for task in clearing] == [None, None]
    assert os.listdir(tmp_path) == []


def test_the_shelf_holds_one_result_whoever_else_fills_it(tmp_path: Path) -> None:
    """Several runs put different results there at the same time."""
    blobs = MemoryStore()
    manifests = [_manifest([f"only-{number}", "shared"], bytes([number]) * 1000, number) for number in range(4)]

    def fill(manifest: Manifest) -> None:
        for _ in range(40):
            shelf.show(str(tmp_path / "artifacts"), "p", manifest, blobs)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, manifests))
    found = {path.name: path.read_bytes() for path in (tmp_path / "artifacts" / "p").iterdir()}
    assert found in [
        {f"only-{number}": bytes([number]) * 1000, "shared": bytes([number]) * 1000} for number in range(4)
    ]
    assert os.listdir(tmp_path / "artifacts") == ["p"]
    assert os.listdir(tmp_path / "work") == []
    shelf.show(str(tmp_path / "artifacts"), "p", manifests[2], blobs)
    assert sorted(os.listdir(tmp_path / "artifacts" / "p")) == ["only-2", "shared"]
    before = os.stat(tmp_path / "artifacts" / "p" / "shared").st_ino
    shelf.show(str(tmp_path / "artifacts"), "p", manifests[2], blobs)
    assert os.stat(tmp_path / "artifacts" / "p" / "shared").st_ino == before, "what is right is not written again"


def _manifest(names: list[str], content: bytes, created: int) -> Manifest:
    files = [Artifact(name, content, 0o444) for name in names]
    return Manifest("", "process", "p", {}, [], files, [], [], {}, "0", 0.0, "run", float(created), "host")
