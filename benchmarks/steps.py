"""What a step call costs besides the step: 200 trivial steps, hit and miss, beside ``joblib.Memory``."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable

import joblib

import expops

from .measure import table

CALLS = 200


def trivial(x: int, label: str = "a") -> int:
    return x + 1


def _per_call(function: Callable[..., object], label: str) -> float:
    start = time.perf_counter()
    for index in range(CALLS):
        function(index, label)
    return (time.perf_counter() - start) / CALLS


def run(repeats: int = 7) -> str:
    """The table of step overheads."""
    folder = tempfile.mkdtemp(prefix="expops-bench-")
    taken: dict[tuple[str, str], list[float]] = {}
    for repeat in range(repeats):
        for kind in ("miss", "hit"):
            # Opened anew and let go, as by one run and the next: nothing is served from this process's memory.
            cache = expops.Cache(f"{folder}/expops", project=os.path.dirname(__file__))
            memory = joblib.Memory(f"{folder}/joblib", verbose=0)
            for name, function in (("expops", cache.step(trivial)), ("joblib.Memory", memory.cache(trivial))):
                function(-1, "warm")
                taken.setdefault((name, kind), []).append(_per_call(function, f"round {repeat}"))
            cache.close()
    rows = []
    for kind in ("hit", "miss"):
        ours, theirs = (sorted(taken[name, kind])[repeats // 2] for name in ("expops", "joblib.Memory"))
        rows.append((kind, f"{ours * 1e6:.0f} µs", f"{theirs * 1e6:.0f} µs", f"{ours / theirs:.2f}"))
    shutil.rmtree(folder)
    return table("Step call, small arguments", ("", "expops", "joblib.Memory", "ratio"), rows)
