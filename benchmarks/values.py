"""Large values stored and taken up again, beside the raw write, the raw hash and ``joblib.Memory``."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable

import joblib
import numpy as np
import pandas as pd

import expops
from expops.hashing.digest import digest_bytes

from .measure import seconds, table


def array(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(12_500_000)


def frame(seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = 1_000_000
    words = np.array([f"word{index}" for index in range(5000)], dtype=object)
    columns = {f"n{index}": generator.random(rows) for index in range(6)}
    columns |= {name: words[generator.integers(0, len(words), rows)] for name in ("left", "right")}
    return pd.DataFrame(columns)


def _raw_buffers(value: object) -> list[memoryview]:
    if isinstance(value, np.ndarray):
        return [memoryview(value).cast("B")]
    assert isinstance(value, pd.DataFrame)
    found = [memoryview(np.ascontiguousarray(value[f"n{index}"])).cast("B") for index in range(6)]
    return found + [memoryview("\n".join(value[name]).encode()) for name in ("left", "right")]


def _write(folder: str, buffers: list[memoryview]) -> None:
    with open(os.path.join(folder, f"raw-{os.urandom(4).hex()}"), "wb", buffering=0) as file:
        for buffer in buffers:
            while buffer:
                buffer = buffer[file.write(buffer) :]


def _hash(buffers: list[memoryview]) -> None:
    for buffer in buffers:
        digest_bytes(buffer)


def _measure(make: Callable[[int], object], repeats: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {}
    for seed in range(repeats):
        for name, time in _once(make(seed), seed).items():
            taken.setdefault(name, []).append(time)
    return {name: sorted(times)[repeats // 2] for name, times in taken.items()}


def _once(value: object, turn: int) -> dict[str, float]:
    folder = tempfile.mkdtemp(prefix="expops-bench-")
    buffers = _raw_buffers(value)
    ours = expops.Cache(f"{folder}/expops", project=os.path.dirname(__file__)).step(produce)
    theirs = joblib.Memory(f"{folder}/joblib", verbose=0).cache(produce)
    # Opening a cache is not what is measured here.
    _HELD[0] = 0
    ours(-1)
    theirs(-1)
    _HELD[0] = value
    actions = {
        "raw write": lambda: _write(folder, buffers),
        "raw hash": lambda: _hash(buffers),
        "expops store": lambda: ours(0),
        "joblib store": lambda: theirs(0),
        "expops take up": lambda: ours(0),
        "joblib take up": lambda: theirs(0),
    }
    # Who writes first varies, and nobody writes while the kernel still writes for another.
    stores = ["raw write", "expops store", "joblib store"]
    order = [*stores[turn % 3 :], *stores[: turn % 3], "raw hash", "expops take up", "joblib take up"]
    taken = {}
    for name in order:
        gc.collect()
        os.sync()
        taken[name] = seconds(actions[name])
    shutil.rmtree(folder)
    return taken


def produce(key: int) -> object:
    return _HELD[0]


_HELD: list[object] = [None]


def run(repeats: int = 7) -> str:
    """The table of large values."""
    rows = []
    for name, make in (("100 MB float64 array", array), ("frame, 1 M rows, 6 numbers and 2 strings", frame)):
        times = _measure(make, repeats)
        raw = times["raw write"] + times["raw hash"]
        rows.append(
            (
                name,
                *(f"{times[key] * 1e3:.0f} ms" for key in ("raw write", "raw hash", "expops store", "joblib store")),
                f"{times['expops store'] / raw:.2f}",
                *(f"{times[key] * 1e3:.1f} ms" for key in ("expops take up", "joblib take up")),
                f"{times['expops take up'] / times['joblib take up']:.3f}",
            )
        )
    head = (
        "value",
        "raw write",
        "raw hash",
        "expops store",
        "joblib store",
        "store / (write + hash)",
        "expops take up",
        "joblib take up",
        "take up / joblib",
    )
    return table("Large values", head, rows)
