"""What watching costs: a step of 100 ms that reads ten files, and a no-op over ten thousand input files."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import expops
from expops.cache.discovery import Places, Surroundings
from expops.cache.files import FileDigests
from expops.cache.memo import KVMemo
from expops.kv.sqlite import SQLiteKV

from .measure import medians, table

FILES = 10
SIZE = 100_000
INPUTS = 10_000


def read_and_work(folder: str, call: int, loops: int) -> int:
    """Read ten files, ask for each first, then keep one core busy."""
    total = 0
    for index in range(FILES):
        path = os.path.join(folder, f"{index}.bin")
        if os.path.exists(path):
            with open(path, "rb") as file:
                total += len(file.read())
    for number in range(loops):
        total += number * number % 7
    return total


def _loops(folder: str, wanted: float = 0.1) -> int:
    """How many turns of the loop take ``wanted`` seconds here."""
    loops = 100_000
    start = time.perf_counter()
    read_and_work(folder, 0, loops)
    return int(loops * wanted / (time.perf_counter() - start))


def _executed(folder: str, repeats: int) -> list[tuple[str, ...]]:
    cache = expops.Cache(os.path.join(folder, "cache"), project=os.path.dirname(__file__))
    step = cache.step(read_and_work)
    loops = _loops(folder)
    calls = iter(range(1_000_000))
    taken: dict[str, Callable[[], object]] = {
        "plain": lambda: read_and_work(folder, next(calls), loops),
        "step": lambda: step(folder, next(calls), loops),
    }
    medians(taken, 3)
    times = medians(taken, repeats)
    over = times["step"] / times["plain"] - 1
    # The same without the work: a difference of half a millisecond drowns in the noise of a tenth of a second.
    loops = 0
    added = medians(taken, 10 * repeats)
    cache.close()
    share = (added["step"] - added["plain"]) / times["plain"]
    return [
        ("executed step", f"{times['step'] * 1e3:.1f} ms", f"{times['plain'] * 1e3:.1f} ms", f"{over:+.1%}"),
        (
            "its reading alone",
            f"{added['step'] * 1e3:.2f} ms",
            f"{added['plain'] * 1e3:.2f} ms",
            f"{share:+.1%} of 100 ms",
        ),
    ]


def _look_up(folder: str, repeats: int) -> list[tuple[str, ...]]:
    paths = [os.path.join(folder, f"inputs/{index % 100}/{index}.csv") for index in range(INPUTS)]
    for path in paths:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(path)
        os.utime(path, (1, 1))
    time.sleep(2.1)  # what was written just now is not trusted to be settled
    names = {"file": ["project/" + path[len(folder) + 1 :] for path in paths]}
    memo = os.path.join(folder, "memo.sqlite")

    def look() -> None:
        kept = KVMemo(SQLiteKV(memo))
        Surroundings(Places(folder, None), FileDigests(kept), lambda label: "").values(names)
        kept.flush()

    def stat_all() -> None:
        for path in paths:
            os.stat(path)

    look()
    times = medians({"look": look, "stat": stat_all}, repeats)
    ratio = times["look"] / times["stat"]
    return [
        (
            f"{INPUTS} unchanged files",
            f"{times['look'] * 1e3:.0f} ms",
            f"{times['stat'] * 1e3:.0f} ms",
            f"{ratio:.1f} ×",
        )
    ]


def run(repeats: int = 21) -> str:
    """The table of what discovery costs."""
    folder = tempfile.mkdtemp(prefix="expops-bench-", dir=os.path.dirname(os.path.abspath(__file__)))
    try:
        for index in range(FILES):
            Path(folder, f"{index}.bin").write_bytes(os.urandom(SIZE))
        rows = _executed(folder, repeats) + _look_up(folder, repeats)
    finally:
        shutil.rmtree(folder)
    return table("Discovered inputs", ("", "expops", "without (plain call, os.stat)", ""), rows)
