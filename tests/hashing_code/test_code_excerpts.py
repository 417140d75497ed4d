"""The text of each symbol, which changes of code are shown by."""

from __future__ import annotations

import os
from pathlib import Path

from projects import DictMemo, write

from expops.hashing.code import ProjectCode
from expops.hashing.code.excerpts import excerpts

SOURCE = """\
import os
from json import (
    loads,
)

TABLE = {}
TABLE["a"] = 1
print("at import")


@decorated
def outer(x):
    # comment
    def inner(y):
        return y
    return inner(x)


class Model:
    rate = 1

if TABLE:
    def late(): return 1
"""


def test_the_text_of_each_symbol() -> None:
    found = excerpts(SOURCE.encode(), "src/m.py")
    assert found["loads"] == "from json import (\n    loads,\n)"
    assert found["TABLE"] == 'TABLE = {}\nTABLE["a"] = 1'
    assert found["outer"].startswith("@decorated\ndef outer(x):\n    # comment\n")
    assert found["outer.<locals>.inner"] == "    def inner(y):\n        return y"
    assert found["Model"] == "class Model:\n    rate = 1"
    assert found["late"] == "if TABLE:\n    def late(): return 1"
    assert 'print("at import")' in found["<module>"]
    assert found["<source>"] == SOURCE


def test_every_symbol_of_a_fingerprint_has_a_text(tmp_path: Path) -> None:
    root = write(tmp_path, {"src/m.py": SOURCE + "\ndef f(): return outer(TABLE), Model, late(), os, loads, TABLE\n"})
    code = ProjectCode(os.fspath(root))
    fingerprint = code.fingerprint("src/m.py", "f")
    texts = excerpts(code.source("src/m.py") or b"", "src/m.py")
    missing = {symbol for symbol in fingerprint.symbols if not texts.get(symbol.partition("::")[2])}
    assert missing == {"src/m.py::decorated"}  # which nothing defines


def test_other_encodings_and_line_ends() -> None:
    source = "# coding: latin-1\r\nname = 'é'\r\ndef f():\r\n    return name\r\n".encode("latin-1")
    found = excerpts(source, "m.py")
    assert (found["name"], found["f"]) == ("name = 'é'", "def f():\n    return name")


def test_the_bytes_that_a_fingerprint_was_made_of(tmp_path: Path) -> None:
    """Facts may be remembered and the text not read yet: an edit in between must not pass for what ran."""
    memo = DictMemo()
    root = os.fspath(write(tmp_path, {"src/m.py": "def f(): pass\n"}))
    os.utime(tmp_path / "src/m.py", (1, 1))
    assert ProjectCode(root, memo=memo).source("src/m.py") == b"def f(): pass\n"
    code = ProjectCode(root, memo=memo)
    code.fingerprint("src/m.py", "f")
    assert code.source("src/m.py") == b"def f(): pass\n"
    later = ProjectCode(root)
    later.content("src/m.py")
    write(tmp_path, {"src/m.py": "def f(): return 1\n"})
    assert later.source("src/m.py") in (b"def f(): pass\n", None)
    assert later.source("src/gone.py") is None
