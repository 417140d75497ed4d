"""Many processes, killed processes: one SQLite file serves them all and loses nothing."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from expops.kv.sqlite import SQLiteKV

HAMMER = """
import random, sys, time
from expops.kv.sqlite import SQLiteKV
path, me, start, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
while time.time() < start:
    pass
store, draw, mine, number = SQLiteKV(path), random.Random(me), {}, 0
while time.time() < start + seconds:
    number += 1
    key = f"{me}/{number}"
    match draw.randrange(7):
        case 0:
            store.put(key, b"x" * draw.randrange(20000)); mine[key] = True
        case 1:
            store.put_many({key: b"1", key + "b": b"2"}); mine[key] = mine[key + "b"] = True
        case 2:
            if store.create(f"lease/{number % 50}", b"%d" % me, ttl=0.05):
                store.delete([f"lease/{number % 50}"])
        case 3:
            assert store.create(key, b"once"); mine[key] = True
        case 4 if mine:
            gone = draw.choice(list(mine)); del mine[gone]; store.delete([gone])
        case 5:
            assert store.get_many(mine).keys() == mine.keys()
        case 6 if draw.random() < 0.2:
            store.close()
store.close()
print("\\n".join(mine))
"""

WRITER = """
import sys
from expops.kv.sqlite import SQLiteKV
store, me = SQLiteKV(sys.argv[1]), sys.argv[2]
for number in range(10**9):
    store.put_many({f"{me}/{number}/a": b"x" * (number % 5000), f"{me}/{number}/b": b"y"})
    print(number, flush=True)
"""


def test_eight_processes_hammer_one_file_from_its_creation(tmp_path: Path) -> None:
    path = str(tmp_path / "kv.db")
    start = str(time.time() + 1.0)
    hammers = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, path, str(me), start, "1.5"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for me in range(8)
    ]
    results = [hammer.communicate() for hammer in hammers]
    assert [(hammer.returncode, errors) for hammer, (_, errors) in zip(hammers, results, strict=True)] == [(0, "")] * 8
    expected = {key for keys, _ in results for key in keys.split()}
    assert len(expected) > 8
    assert {key for key, _ in SQLiteKV(path).scan("") if not key.startswith("lease")} == expected


@pytest.mark.skipif(sys.platform == "win32", reason="platform: no SIGKILL")
def test_killed_writers_lose_nothing_they_were_told_is_written(tmp_path: Path) -> None:
    path = str(tmp_path / "kv.db")
    acknowledged = set()
    for me in range(12):
        with subprocess.Popen([sys.executable, "-c", WRITER, path, str(me)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            time.sleep(0.003 * me)
            writer.send_signal(signal.SIGKILL)
            # The last line may be cut off, and then isn't told.
            lines = (first + writer.stdout.read()).decode().split("\n")[:-1]
        acknowledged |= {f"{me}/{number}/{half}" for number in lines for half in "ab"}
    store = SQLiteKV(path)
    there = {key for key, _ in store.scan("")}
    assert acknowledged <= there
    assert {key[:-1] + "b" for key in there} == {key for key in there if key.endswith("b")}, "whole transactions"
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.slow
def test_sixteen_processes_make_one_file_at_once_again_and_again(tmp_path: Path) -> None:
    code = """
import sys, time
from expops.kv.sqlite import SQLiteKV
paths, me, start = sys.argv[3:], sys.argv[1], float(sys.argv[2])
for number, path in enumerate(paths):
    while time.time() < start + 0.25 * number:
        pass
    store = SQLiteKV(path); store.put(me, b"1"); assert store.get_many([me]) == {me: b"1"}; store.close()
"""
    paths = [str(tmp_path / str(number) / "kv.db") for number in range(20)]
    start = str(time.time() + 2.0)
    openers = [
        subprocess.Popen([sys.executable, "-c", code, str(me), start, *paths], stderr=subprocess.PIPE, text=True)
        for me in range(16)
    ]
    assert [opener.communicate()[1] for opener in openers] == [""] * 16
    for path in paths:
        assert len(list(SQLiteKV(path).scan(""))) == 16
    assert os.listdir(tmp_path)
