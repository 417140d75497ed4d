"""What is remembered of files, and when it is trusted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from projects import DictMemo, fingerprint, write

from expops.errors import SourceError
from expops.hashing.code import ProjectCode, reader

SOURCE = {"src/m.py": "from src.n import g\ndef f(): return g()\n", "src/n.py": "def g(): return 1\n"}


def _age(root: Path) -> None:
    """Make all files older than the clock's grain."""
    past = time.time() - 60
    for path in root.rglob("*.py"):
        os.utime(path, (past, past))


def test_same_with_and_without_a_memo(tmp_path: Path) -> None:
    write(tmp_path, SOURCE)
    memo = DictMemo()
    plain = fingerprint(tmp_path)
    assert fingerprint(tmp_path, memo=memo) == plain
    assert fingerprint(tmp_path, memo=memo) == plain
    assert memo.data


def test_an_edit_of_the_same_size_within_the_clocks_grain_is_seen(tmp_path: Path) -> None:
    memo = DictMemo()
    write(tmp_path, SOURCE)
    before = fingerprint(tmp_path, memo=memo)
    stat = (tmp_path / "src/n.py").stat()
    (tmp_path / "src/n.py").write_text("def g(): return 2\n")
    os.utime(tmp_path / "src/n.py", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint(tmp_path, memo=memo).digest != before.digest


def test_a_touched_file_is_not_parsed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = DictMemo()
    write(tmp_path, SOURCE)
    before = fingerprint(tmp_path, memo=memo)
    _age(tmp_path)

    def fail(*_: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(reader, "parse", fail)
    assert fingerprint(tmp_path, memo=memo) == before


def test_a_settled_file_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = DictMemo()
    write(tmp_path, SOURCE)
    later = time.time_ns() + 10_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later)
    before = fingerprint(tmp_path, memo=memo)
    puts = memo.puts
    # Unreadable content under the stat that was remembered would be an error if it were read.
    monkeypatch.setattr("expops.hashing.code.files.Files.source", None)
    assert fingerprint(tmp_path, memo=memo) == before
    assert memo.puts == puts


def test_a_memo_that_forgets_is_no_harm(tmp_path: Path) -> None:
    class Forgetful(DictMemo):
        def get(self, key: str) -> bytes | None:
            return None

    write(tmp_path, SOURCE)
    assert fingerprint(tmp_path, memo=Forgetful()) == fingerprint(tmp_path)


def test_moving_the_project_changes_nothing(tmp_path: Path) -> None:
    memo = DictMemo()
    before = fingerprint(write(tmp_path / "a", SOURCE), memo=memo)
    os.rename(tmp_path / "a", tmp_path / "b")
    assert fingerprint(tmp_path / "b", memo=memo) == before


NO_PARSE = """
import sys, time
class DictMemo(dict):
    put = dict.__setitem__
from expops.hashing.code import ProjectCode
import pickle
memo = DictMemo(pickle.load(open(sys.argv[2], "rb")))
ProjectCode(sys.argv[1], memo=memo).fingerprint("src/m.py", "f")
print(sorted({"ast", "inspect", "importlib.metadata", "tokenize", "dataclasses", "numpy"} & set(sys.modules)))
"""


def test_a_known_project_needs_neither_ast_nor_the_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    memo = DictMemo()
    write(tmp_path, {**SOURCE, "src/n.py": "import numpy as np\ndef g(): return np.zeros(1)\n"})
    later = time.time_ns() + 10_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later)
    fingerprint(tmp_path, memo=memo)
    (tmp_path / "memo").write_bytes(pickle.dumps(memo.data))
    command = [
        sys.executable,
        "-c",
        NO_PARSE,
        os.fspath(tmp_path),
        os.fspath(tmp_path / "memo"),
    ]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"def f(:\n", 1, "invalid syntax"),
        (b"x = 1\ndef f()\n  pass\n", 2, "expected"),
        (b"x = '\xff'\n", 1, "utf-8"),
        (b"x = 1\0\n", 0, "null"),
    ],
)
def test_a_file_that_is_no_python_says_where(tmp_path: Path, content: bytes, line: int, words: str) -> None:
    (tmp_path / "m.py").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        ProjectCode(os.fspath(tmp_path)).functions("m.py")
    assert caught.value.file == "m.py"
    assert caught.value.line == line or not line
    assert words in str(caught.value)


def test_no_such_function_or_file(tmp_path: Path) -> None:
    write(tmp_path, SOURCE)
    code = ProjectCode(os.fspath(tmp_path))
    with pytest.raises(KeyError):
        code.fingerprint("src/m.py", "nothere")
    with pytest.raises(SourceError):
        code.fingerprint("src/nothere.py", "f")
