"""Flipped bits and cut ends in every stored file of a small cache: what is looked up is right or missing."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from expops.blobs.folder import FolderStore
from expops.errors import CorruptData, StorageError
from expops.hashing.digest import digest_bytes
from expops.kv.sqlite import SQLiteKV
from sandbox import Sandbox

MODEL = """
import numpy

from expops import process


@process()
def first():
    return {"array": numpy.arange(5000), "small": [1, 2.5, "x"]}


@process()
def second(array, small):
    return {"total": int(array.sum()) + len(small)}
"""
SAMPLE = 300  # flips and cuts of a file by default
DENSE = 2  # of a database, a flip and a cut in so many bytes


class Cache(NamedTuple):
    """The files of a cache and what they hold."""

    folder: Path
    databases: list[Path]
    blobs: list[Path]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    sandbox = Sandbox(tmp_path_factory.mktemp("small"))
    sandbox.write("src/model.py", MODEL)
    sandbox.configure(["first", "second"], "first second")
    sandbox.run()
    folder = sandbox.root / ".expops"
    files = [path for path in folder.rglob("*") if path.is_file()]
    databases = [path for path in files if path.suffix == ".sqlite"]
    blobs = [path for path in files if path.parent.parent.name == "blobs"]
    assert {path.name for path in databases} == {"cache.sqlite", "memo.sqlite"}
    assert len(blobs) == 1
    rest = [path.name for path in files if path not in (*databases, *blobs) and path.stat().st_size]
    assert rest == [".gitignore"]  # all others are looked at below
    return Cache(folder, databases, blobs)


def _damaged(raw: bytes, *, every: int) -> Iterator[bytes]:
    """``raw`` with each of its bits flipped, and cut at each of its bytes; or a sample of one in ``every``."""
    draw = random.Random(7)
    for place in range(draw.randrange(every), len(raw), every):
        for bit in range(8) if every == 1 and len(raw) < 50_000 else [draw.randrange(8)]:
            yield raw[:place] + bytes([raw[place] ^ (1 << bit)]) + raw[place + 1 :]
    for length in range(draw.randrange(every), len(raw), every):
        yield raw[:length]


def _check(path: Path, right: dict[str, bytes], look_up: Callable[[], dict[str, bytes]], every: int) -> None:
    raw = path.read_bytes()
    path.chmod(0o644)
    found = missed = 0
    for damaged in _damaged(raw, every=every or max(len(raw) // SAMPLE, 1)):
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(damaged)
        seen = look_up()
        assert seen.items() <= right.items()
        found += len(seen) == len(right)
        missed += len(seen) < len(right)
    assert missed
    path.unlink(missing_ok=True)
    path.write_bytes(raw)
    assert look_up() == right


def _check_database(path: Path, *, every: int = 0) -> None:
    def look_up() -> dict[str, bytes]:
        for tail in ("-wal", "-shm"):
            Path(f"{path}{tail}").unlink(missing_ok=True)
        store = SQLiteKV(path, patience=0.0)
        found: dict[str, bytes] = {}
        try:
            found |= store.get_many(keys)
            listed = dict(store.scan(""))
            assert listed.items() <= right.items()
        except StorageError:
            return {}  # an error in words is no value
        finally:
            store.close()
        return found

    keys: list[str] = []
    store = SQLiteKV(path)
    right = dict(store.scan(""))
    store.close()
    keys += right
    _check(path, right, look_up, every)


def _check_blob(cache: Cache, path: Path, *, every: int = 0) -> None:
    digest = path.parent.name + path.name
    store = FolderStore(cache.folder / "blobs")

    def look_up() -> dict[str, bytes]:
        try:
            mapped = bytes(store.map(digest))
        except (KeyError, CorruptData):
            return {}
        return {digest: mapped}

    assert digest_bytes(path.read_bytes()) == digest
    _check(path, {digest: path.read_bytes()}, look_up, every)


def test_a_sample_of_the_blobs(cache: Cache) -> None:
    for path in cache.blobs:
        _check_blob(cache, path)


def test_a_sample_of_the_databases(cache: Cache) -> None:
    for path in cache.databases:
        _check_database(path)


@pytest.mark.slow
def test_every_bit_of_the_blobs(cache: Cache) -> None:
    for path in cache.blobs:
        _check_blob(cache, path, every=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cache.sqlite", "memo.sqlite"])
def test_much_of_the_databases(cache: Cache, name: str) -> None:
    _check_database(cache.folder / name, every=DENSE)


def test_sqlite_has_no_say_in_it(cache: Cache) -> None:
    """Its own checks don't see a flipped bit in a value: ours do."""
    path = cache.folder / "cache.sqlite"
    raw = path.read_bytes()
    place = raw.index(b'"process"')
    path.write_bytes(raw[:place] + b"#" + raw[place + 1 :])
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    path.write_bytes(raw)
