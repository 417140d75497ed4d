"""A run in which all is cached looks at each input file once, and asks its memory once."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from expops.kv.sqlite import SQLiteKV
from sandbox import Sandbox, outcomes

FILES = 200


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each path is asked for by ``os.stat`` and ``os.lstat``, and opened."""
    found: Counter[str] = Counter()
    for name in ("stat", "lstat"):
        real = getattr(os, name)

        def look(path: Any, *args: Any, real: Any = real, **kwargs: Any) -> Any:
            found[os.fsdecode(path) if not isinstance(path, int) else str(path)] += 1
            return real(path, *args, **kwargs)

        monkeypatch.setattr(os, name, look)
    return found


def test_one_stat_for_each_input_file(tmp_path: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["read", "again"], "read again")
    for index in range(FILES):
        sandbox.write(f"data/{index}.csv", str(index))
    sandbox.write(
        "src/model.py",
        """
        import os
        from expops import process, step

        @step
        def load(folder):
            return sum(len(open_one(folder, name)) for name in os.listdir(folder))

        def open_one(folder, name):
            path = os.path.join(folder, name)
            if not os.path.exists(path) or os.path.getsize(path) == 0:
                return ""
            with open(path) as file:
                return file.read()

        @process()
        def read():
            return {"total": load("data")}

        @process()
        def again(total):
            return {"double": load("data") + total}
        """,
    )
    sandbox.run()
    time.sleep(2.1)  # so that the files have settled
    assert outcomes(sandbox.run()) == {"read": "hit", "again": "hit"}  # which remembers what they hold
    asked: list[int] = []
    real = SQLiteKV.get_many

    def get_many(self: SQLiteKV, keys: Any) -> Any:
        names = list(keys)
        asked.append(sum(name.startswith("memo/file/") for name in names))
        return real(self, names)

    monkeypatch.setattr(SQLiteKV, "get_many", get_many)
    counted.clear()
    assert outcomes(sandbox.run()) == {"read": "hit", "again": "hit"}
    paths = [str(sandbox.root / f"data/{index}.csv") for index in range(FILES)]
    assert {counted[path] for path in paths} == {1}
    assert [number for number in asked if number] == [FILES]


def test_an_edit_within_the_same_second_is_seen(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    sandbox.write("data/x.csv", "0")
    sandbox.write(
        "src/model.py",
        "from pathlib import Path\nfrom expops import process\n\n@process()\ndef p():\n"
        "    return {'x': Path('data/x.csv').read_text()}\n",
    )
    sandbox.run()
    path = sandbox.root / "data/x.csv"
    stamp = path.stat().st_mtime_ns
    for number in range(1, 5):
        sandbox.write("data/x.csv", str(number))
        os.utime(path, ns=(stamp, stamp))
        assert outcomes(sandbox.run()) == {"p": "executed"}
        assert outcomes(sandbox.run()) == {"p": "hit"}
