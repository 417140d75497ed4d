"""A bucket full of hostile records, blobs and pickles: who reads from it executes none, and writes nothing outside."""

from __future__ import annotations

import json
import os
import pickle
import zlib
from binascii import b2a_base64
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from expops.cache.manifest import _CHECKSUM
from expops.cli.main import load_command
from expops.hashing.digest import digest_bytes
from expops.kv._envelope import pack, unpack
from sandbox import Sandbox, outcomes, outputs

MODEL = """
from expops import process, step


@step
def double(x):
    with open("a.txt", "w") as file:
        file.write("hello")
    return x * 2


@process()
def first():
    return {"x": double(4), "big": list(range(20000))}


@process()
def second(x, big):
    return {"z": double(x) + sum(big)}
"""
Body = list[Any]
OUTPUTS, ARTIFACTS, REMOVED = 4, 6, 7  # fields of a manifest, after the number of its format


class Payload:
    """A pickle that makes a folder as it is loaded."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.place),)


def _machine(root: Path, bucket: Path) -> Sandbox:
    sandbox = Sandbox(root)
    sandbox.write("src/model.py", MODEL)
    sandbox.write("data/kept.txt", "as it was")
    sandbox.configure(["first", "second"], "first second")
    path = root / "configs" / "project_config.yaml"
    document = json.loads(path.read_text())
    document["experiment"]["cache"] = {"url": f"file://{bucket}", "codecs": "data-only"}
    path.write_text(json.dumps(document))
    return sandbox


def _rewrite(bucket: Path, kind: str, forge: Callable[[str, bytes], bytes]) -> int:
    """Put other values in the place of all records of a kind, sealed as ours are; gives their number."""
    count = 0
    for path in bucket.rglob("*.kv"):
        record = unpack(path.read_bytes())
        if record is not None and record.key.startswith(kind):
            path.chmod(0o644)
            path.write_bytes(pack(record._replace(value=forge(record.key, record.value))))
            count += 1
    return count


def _manifests(bucket: Path, change: Callable[[Body], object]) -> int:
    def forge(key: str, raw: bytes) -> bytes:
        body = json.loads(raw[_CHECKSUM:])
        change(body)
        made = json.dumps(body).encode()
        return digest_bytes(made)[:_CHECKSUM].encode() + made

    return _rewrite(bucket, "result/", forge)


def _each_part(change: Callable[[Any], Any]) -> Callable[[Body], None]:
    def change_all(body: Body) -> None:
        for value in body[OUTPUTS].values():
            value[2], value[3] = change(value[2]), [change(part) for part in value[3]]

    return change_all


def _blob_as(digest: Callable[[str], Any] = str, size: Callable[[int], Any] = int) -> Callable[[Body], None]:
    return _each_part(lambda part: [digest(part[0]), size(part[1])] if isinstance(part, list) else part)


def _files(*paths: str) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        body[ARTIFACTS] = [[path, b2a_base64(b"evil").decode(), 0o4777] for path in paths]

    return change


def _gone(*paths: str) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        body[REMOVED] = list(paths)

    return change


@cache
def _bomb() -> bytes:
    return zlib.compress(b" " * (80 << 20))


MANIFESTS: dict[str, Callable[[Body], None]] = {
    "a file above": _files("../../../outside/evil"),
    "an absolute file": _files("@OUTSIDE@/evil"),
    "a file through the link to the data": _files("data/evil.txt"),
    "the data itself": _files("data/kept.txt"),
    "a folder in the place of the link": _files("data/"),
    "a file that is a folder": _files("a", "a/b"),
    "a name that ends": _files("a\0b"),
    "one that removes data": _gone("data/kept.txt"),
    "one that removes files above": _gone("../../../data/kept.txt"),
    "huge sizes": _blob_as(size=lambda size: 1 << 59),
    "sizes beyond all": _blob_as(size=lambda size: 1 << 70),
    "negative sizes": _blob_as(size=lambda size: -size),
    "digests that lead elsewhere": _blob_as(digest=lambda digest: "../../../../../../etc/hostname"),
    "digests of nothing": _blob_as(digest=lambda digest: "0" * 64),
    "numbers for digests": _blob_as(digest=lambda digest: 7),
    "text for digests": _each_part(lambda part: "QQ==" if isinstance(part, list) else part),
}
VALUES: dict[str, Callable[[str, bytes], bytes]] = {
    "nothing": lambda key, raw: b"",
    "other bytes": lambda key, raw: b"\xff\xfe" * 20,
    "deep nesting": lambda key, raw: b"[" * 200_000,
    "bombs": lambda key, raw: _bomb(),
    "another's": lambda key, raw: raw[:-3] + b"abc",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, str]]]:
    """A bucket that one machine has filled, and the outputs of its run."""
    root = tmp_path_factory.mktemp("made")
    sandbox = _machine(root / "one", root / "bucket")
    expected = outputs(sandbox.run())
    command = load_command("cache")
    assert command.execute(command.parser().parse(["push", str(sandbox.root)])) == 0
    return root / "bucket", expected


@pytest.fixture
def bucket(made: tuple[Path, dict[str, dict[str, str]]], tmp_path: Path) -> Path:
    """A copy of it."""
    for path in made[0].rglob("*"):
        target = tmp_path / "bucket" / path.relative_to(made[0])
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path / "bucket"


def _check(tmp_path: Path, bucket: Path, expected: dict[str, dict[str, str]]) -> dict[str, str]:
    outside = tmp_path / "outside"
    outside.mkdir()
    sandbox = _machine(tmp_path / "two", bucket)
    path = sandbox.root / "src" / "model.py"
    found = {}
    # The second time `second` has to run, and asks for its step.
    for text in (MODEL, MODEL.replace("double(x) + sum", "0 + double(x) + sum")):
        path.write_text(text)
        result = sandbox.run()
        assert result.run.status == "done", [action.error for action in result.actions]
        assert outputs(result) == expected
        found = {**outcomes(result), **found}
        assert not list(outside.iterdir())
        assert {item.name: item.read_text() for item in (sandbox.root / "data").iterdir()} == {"kept.txt": "as it was"}
    return found


def test_as_it_is_all_comes_from_it(tmp_path: Path, bucket: Path, made: tuple[Path, dict[str, dict[str, str]]]) -> None:
    assert _check(tmp_path, bucket, made[1]) == {"first": "hit", "second": "hit", "second/double": "hit"}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests(tmp_path: Path, bucket: Path, made: tuple[Path, dict[str, dict[str, str]]], name: str) -> None:
    def change(body: Body) -> None:
        MANIFESTS[name](body)
        for item in body[ARTIFACTS]:
            item[0] = item[0].replace("@OUTSIDE@", str(tmp_path / "outside"))

    assert _manifests(bucket, change)
    _check(tmp_path, bucket, made[1])


@pytest.mark.parametrize("name", VALUES)
def test_values_of_all_records(
    tmp_path: Path, bucket: Path, made: tuple[Path, dict[str, dict[str, str]]], name: str
) -> None:
    assert _rewrite(bucket, "", VALUES[name])
    _check(tmp_path, bucket, made[1])


@pytest.mark.parametrize("kept", [True, False], ids=["named as pickles", "named as data"])
def test_pickles(tmp_path: Path, bucket: Path, made: tuple[Path, dict[str, dict[str, str]]], kept: bool) -> None:
    evil = tmp_path / "outside" / "unpickled"
    stream = b2a_base64(pickle.dumps(Payload(evil)), newline=False).decode()

    def change(body: Body) -> None:
        for value in body[OUTPUTS].values():
            value[1:4] = ["pickle" if kept else value[1], stream, []]

    assert _manifests(bucket, change)
    _check(tmp_path, bucket, made[1])
    assert not evil.exists()


def test_blobs_of_other_bytes(tmp_path: Path, bucket: Path, made: tuple[Path, dict[str, dict[str, str]]]) -> None:
    blobs = [path for path in (bucket / "sandbox" / "blobs").rglob("*") if path.is_file()]
    assert blobs
    for path in blobs:
        path.write_bytes(pickle.dumps(Payload(tmp_path / "outside" / "unpickled")))
    _check(tmp_path, bucket, made[1])


def test_objects_that_are_no_records(
    tmp_path: Path, bucket: Path, made: tuple[Path, dict[str, dict[str, str]]]
) -> None:
    for path in bucket.rglob("*.kv"):
        path.write_bytes(os.urandom(100))
    _check(tmp_path, bucket, made[1])
