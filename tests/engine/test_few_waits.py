"""How often a run waits for a remote KV store: once a generation to look up, and once for leases if it executes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from expops import shared_stores
from expops.cli.main import run_command_line
from expops.kv.base import KVStore
from expops.kv.bucket import BucketKV
from expops.kv.sqlite import SQLiteKV

CONFIG = """
metadata: {{name: chain}}
scripts: {{main: src/model.py}}
experiment:
  cache: {cache}
  pipeline:
    process_adjlist: |
{edges}
    processes: [{names}]
"""


class Counting:
    """A store of which is noted what the main thread asks of it: nobody waits for the others."""

    def __init__(self, store: Any, asked: list[str]) -> None:
        self._store = store
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def called(*arguments: Any, **options: Any) -> Any:
            if threading.current_thread() is threading.main_thread() and name != "close":
                self._asked.append(name)
            return method(*arguments, **options)

        return called


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    found: list[str] = []
    kept: Callable[[Any], KVStore] = BucketKV
    monkeypatch.setattr("expops.kv.bucket.BucketKV", lambda bucket: Counting(kept(bucket), found))
    # In place of a server: what it is to the run is the same.
    monkeypatch.setattr(
        shared_stores, "_shared_kv", lambda folder, settings: Counting(SQLiteKV(str(tmp_path / "server")), found)
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    return found


def chain(root: Path, cache: str, generations: int, width: int = 1) -> None:
    """Processes in generations, each of which takes what the first of the one before gives."""
    names = [[f"g{generation}w{number}" for number in range(width)] for generation in range(generations)]
    source = "from expops import process\n"
    edges = ""
    for generation, row in enumerate(names):
        for name in row:
            takes = names[generation - 1][0] if generation else ""
            arguments = f"out_{takes}" if takes else ""
            source += f"@process()\ndef {name}({arguments}):\n    return {{'out_{name}': ['{name}', {arguments}]}}\n"
            edges += f"      {takes} {name}\n" if takes else f"      {name}\n"
    for file, text in (
        ("src/model.py", source),
        (
            "configs/project_config.yaml",
            CONFIG.format(
                cache=cache, edges=edges.rstrip(), names=", ".join(f"{{name: {n}}}" for row in names for n in row)
            ),
        ),
    ):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(root: Path, jobs: int) -> None:
    assert run_command_line(["run", os.fspath(root), "--jobs", str(jobs), "-q"]) == 0


CACHES = {
    "bucket": "file://{place}/bucket",
    "server": '{{backend: "redis://nobody", object_store: {{type: folder, path: "{place}/blobs"}}}}',
}


@pytest.mark.parametrize("kind", CACHES)
def test_two_for_each_generation_that_executes(asked: list[str], tmp_path: Path, kind: str) -> None:
    """What a run asks besides is the same for all lengths, and drops out."""
    counts = {}
    for length in (3, 11):
        root = tmp_path / str(length)
        chain(root, CACHES[kind].format(place=root), length)
        asked.clear()
        run(root, 0)
        counts[length] = len(asked)
        if kind == "bucket":
            counts[length] = asked.index("put_many")  # the upload comes after the run
    assert counts[11] - counts[3] <= 2 * 8, counts


def test_one_look_up_for_a_whole_generation(asked: list[str], tmp_path: Path) -> None:
    counts = {}
    for width in (1, 6):
        root = tmp_path / str(width)
        chain(root, CACHES["bucket"].format(place=root), 3, width)
        asked.clear()
        run(root, 2)
        counts[width] = asked[: asked.index("put_many")].count("get_many")
    assert counts[6] == counts[1], counts


@pytest.mark.parametrize("kind", CACHES)
def test_a_no_op_asks_a_fixed_number_of_times(asked: list[str], tmp_path: Path, kind: str) -> None:
    counts = {}
    for length in (3, 11):
        root = tmp_path / str(length)
        chain(root, CACHES[kind].format(place=root), length, 3)
        run(root, 0)
        asked.clear()
        run(root, 0)
        counts[length] = len(asked)
    assert counts[3] == counts[11] <= (0 if kind == "bucket" else 5)
