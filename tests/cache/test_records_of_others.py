"""Records of a shared store that nobody of ours has written: no run fails over them, and none gives a wrong value."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from expops.kv.sqlite import SQLiteKV
from sandbox import Sandbox, outputs

MODEL = """
import os

from expops import process, step


@step
def count(number):
    with open(os.path.join(os.path.dirname(__file__), "rows.txt")) as file:
        return number + len(file.read())


@process()
def first():
    return {"x": count(3), "y": os.environ.get("NOBODY_SETS_IT")}


@process()
def second(x):
    return {"z": x + 1}
"""
TEXTS = [
    b"[]", b"{}", b"null", b"1", b'"x"', b"a", b"a b c", b"[1, 2]", b"[[[]]]", b'[{"file": 1}]', b'[{"file": [1]}]',
    b'[{"nothing": ["a"]}]', b'[{"accepted": [1]}]', b'[{"variable": ["", "A=B", "\\u0000"]}]',
    b'[{"file": ["/dev/zero", "\\u0000", "", "project/../../../etc/passwd", "work/"]}]',
    b'[{"folder": ["/dev/zero", "\\u0000", ""], "size": ["\\u0000"], "type": [""], "link": [""]}]',
    b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe\x00", zlib.compress(b"[]"), b"1e999",
]  # fmt: skip
KINDS = [("last/",), ("action/",), ("key/", "code/"), ("source/", "record/"), ("result/",)]


@pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: kinds[0][:-1])
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:20]))
def test_a_run_takes_them_for_absent(tmp_path: Path, kinds: tuple[str, ...], text: bytes) -> None:
    sandbox = Sandbox(tmp_path)
    sandbox.write("src/model.py", MODEL)
    sandbox.write("src/rows.txt", "abc")
    sandbox.configure(["first", "second"], "first second")
    expected = outputs(sandbox.run())
    store = SQLiteKV(str(tmp_path / ".expops" / "cache.sqlite"))
    names = [name for kind in kinds for name, _ in store.scan(kind)]
    assert names
    store.put_many(dict.fromkeys(names, text))
    if kinds == ("action/",):
        # Without a place to begin at, it is asked what was discovered.
        store.delete([name for name, _ in store.scan("last/")])
    store.close()
    for model in (MODEL, MODEL.replace("x + 1", "x + 1 + 0")):
        sandbox.write("src/model.py", model)
        result = sandbox.run()
        assert result.run.status == "done"
        assert outputs(result) == expected
