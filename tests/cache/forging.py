"""A project with records of each kind, and forged ones in their place, whose checksums are right."""

from __future__ import annotations

import copy
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from expops.cache.manifest import _CHECKSUM
from expops.cli.main import load_command
from expops.errors import StorageError, UsageError
from expops.hashing.digest import digest_bytes
from expops.kv.sqlite import SQLiteKV
from sandbox import Sandbox, outputs

MODEL = """
import os

from expops import log_metric, process, step


@step
def double(x):
    with open("a.txt", "w") as file:
        file.write("hello")
    os.makedirs("sub/folder")
    with open(os.path.join(os.path.dirname(__file__), "rows.txt")) as file:
        print("read", len(file.read()))
    log_metric("size", x, step=3)
    return x * 2


@process()
def first():
    with open("b.txt", "w") as file:
        file.write("hello")
    log_metric("loss", 0.5)
    print("printed")
    return {"x": double(4), "big": "y" * 40000}


@process()
def second(x, big):
    return {"z": double(x) + len(big)}
"""
EDITED = MODEL.replace("double(x) + len(big)", "double(x) + len(big) + 0")
ABSENT_BLOB = "0" * 64
_JSON = ("action/", "key/", "code/", "run/", "run-actions/", "run-metrics/")
KINDS = ("result/", *_JSON, "record/")
COMMANDS = (
    ["runs"], ["runs", "--json"], ["show"], ["show", "--json", "--log"], ["show", "--log"], ["diff"],
    ["diff", "--json"], ["explain", "first"], ["explain", "second", "-v"], ["explain", "first/double", "--json"],
    ["cache", "info"], ["cache", "info", "--json"], ["cache", "ls"], ["cache", "ls", "--json"], ["status"],
    ["export", "last", "--format", "json", "--output", "-"], ["export", "last", "--format", "pylock", "--output", "-"],
)  # fmt: skip


class Forged:
    """The project. Its records can be replaced and put back any number of times."""

    def __init__(self, root: Path) -> None:
        self.sandbox = Sandbox(root)
        self.outside = root / "outside"
        self.outside.mkdir()
        self.sandbox.write("src/rows.txt", "abc")
        self.sandbox.write("data/kept.txt", "as it was")
        self.sandbox.configure(["first", "second"], "first second")
        self.sandbox.write("src/model.py", MODEL)
        self.sandbox.run()
        self.sandbox.write("src/model.py", EDITED)
        self.expected = outputs(self.sandbox.run())
        # `second` has to run now, so that its step is looked up, and `first` is a hit.
        self.sandbox.write("src/model.py", MODEL.replace("double(x) + len(big)", "0 + double(x) + len(big)"))
        self.records = self._stored()

    def _store(self) -> SQLiteKV:
        return SQLiteKV(str(self.sandbox.root / ".expops" / "cache.sqlite"))

    def _stored(self) -> dict[str, bytes]:
        store = self._store()
        try:
            return dict(store.scan(""))
        finally:
            store.close()

    def put(self, changed: dict[str, bytes | None]) -> None:
        """Have the records as they were, but for those ``changed``; ``None`` removes one."""
        store = self._store()
        try:
            store.delete([key for key in dict(store.scan("")) if key not in self.records])
            wanted = {**self.records, **changed}
            store.delete([key for key, raw in wanted.items() if raw is None])
            store.put_many({key: raw for key, raw in wanted.items() if raw is not None})
        finally:
            store.close()

    def check_run(self) -> None:
        """A run is done, its outputs are right, and nothing outside its folders was touched."""
        result = self.sandbox.run()
        assert result.run.status == "done", [action.error for action in result.actions if action.error]
        assert outputs(result) == self.expected
        self.check_outside()

    def check_outside(self) -> None:
        assert not list(self.outside.iterdir())
        assert [path.name for path in (self.sandbox.root / "data").iterdir()] == ["kept.txt"]
        assert (self.sandbox.root / "data" / "kept.txt").read_text() == "as it was"

    def look(self) -> None:
        """All commands that look at the cache end with an answer, or with an error in words."""
        for command in COMMANDS:
            self.command([*command, "--project", str(self.sandbox.root)])

    def command(self, argv: list[str]) -> str:
        """What a command prints."""
        module = load_command(argv[0])
        args = module.parser().parse(argv[1:])
        args.argv = argv
        printed = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)
        with redirect_stdout(printed), redirect_stderr(printed):
            try:
                module.execute(args)
            except (UsageError, StorageError) as fault:
                printed.write(str(fault))
        assert isinstance(printed.buffer, io.BytesIO)
        return printed.buffer.getvalue().decode()


def document_of(key: str, raw: bytes) -> Any:
    """What a record says."""
    if key.startswith("result/"):
        return json.loads(raw[_CHECKSUM:])
    return json.loads(zlib.decompress(raw) if key.startswith("record/") else raw)


def record_of(key: str, document: Any) -> bytes:
    """A record that says so."""
    body = json.dumps(document, separators=(",", ":")).encode()
    if key.startswith("result/"):
        return digest_bytes(body)[:_CHECKSUM].encode() + body
    return zlib.compress(body) if key.startswith("record/") else body


def places(document: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all parts of a document."""
    yield here
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, part in parts:
        yield from places(part, (*here, name))


def altered(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The document with ``value`` at ``place``; with :data:`REMOVED`, without that part."""
    if not place:
        return [] if value is REMOVED else value
    made = copy.deepcopy(document)
    part = made
    for name in place[:-1]:
        part = part[name]
    if value is REMOVED:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    return made


REMOVED = object()
ODD = [
    REMOVED, None, True, False, 0, -1, 1, 2**31, 2**63, 2**70, 10**400, -0.5, 1e308, float("nan"), float("-inf"), "",
    "a", "7", "..", "../../outside/x", "data/x", "data/", "/tmp/x", "a\0b", "\ud800", "\udc80", "x/" * 3000, "é" * 300,
    ABSENT_BLOB, "\x1b]0;x\x07", [], {}, [[]], [[], 1], ["a", "b", "c"], {"a": 1}, {"file": ["a"]}, {"\0": "a"},
    {"": {}}, [["../x", "QQ==", 420]], [["data/x", "QQ==", 0o4777]], [["a", "QQ==", 420], ["a/b", "QQ==", 420]],
    "failed", "step",
]  # fmt: skip
texts = st.text(st.characters(), max_size=5)
anything = st.sampled_from(ODD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
