"""Blobs up to and down from a bucket, beside bare obstore: alternating, in one process, against servers in others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore

from expops.blobs.bucket import BucketStore
from expops.buckets.bucket import Bucket
from expops.buckets.clients import connect
from expops.buckets.place import Place
from expops.hashing.digest import digest_bytes

from .measure import seconds, table

SETS = {"100 of 1 MB": (100, 1_000_000), "4 of 100 MB": (4, 100_000_000)}
_AT_ONCE = 16  # of ours as of theirs
_REPEATS = 7
_SERVERS = Path(__file__).parents[1] / "tests" / "services"
_SERVE = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from cloud import cloud, new_bucket
with cloud(sys.argv[2], Path(sys.argv[3])) as at:
    print(json.dumps({"bucket": new_bucket(at), "environment": at.environment}), flush=True)
    sys.stdin.read()
"""


@contextmanager
def _serving(kind: str, folder: str) -> Iterator[dict[str, Any]]:
    """A server of the tests, in a process of its own; it ends when its standard input does."""
    command = [sys.executable, "-c", _SERVE, os.fspath(_SERVERS), kind, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()


def _rates(place: Place, environment: dict[str, str], count: int, size: int) -> dict[str, list[float]]:
    """Seconds for each way, one figure a turn."""
    clients = connect(place, environment)
    bucket = Bucket(place, clients)
    ours = BucketStore(lambda: bucket)
    taken: dict[str, list[float]] = {}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for turn in range(_REPEATS + 1):
            blobs = {digest_bytes(data): data for data in (os.urandom(size) for _ in range(count))}
            actions = _actions(threads, ours, bucket, clients.write, blobs)
            for name in sorted(actions, key=lambda name: ("down" in name, hash((name, turn)))):
                spent = seconds(actions[name])
                if turn:  # the first one opens connections
                    taken.setdefault(name, []).append(spent)
            ours.delete(blobs)
            for digest in blobs:
                obstore.delete(clients.write, f"bare/{digest}")
    bucket.close()
    return taken


def _actions(
    threads: ThreadPoolExecutor, ours: BucketStore, bucket: Bucket, bare: Any, blobs: dict[str, bytes]
) -> dict[str, Callable[[], object]]:
    names = {digest: f"bare/{digest}" for digest in blobs}
    return {
        "ours up": lambda: list(bucket.each(lambda digest: ours.put(digest, blobs[digest]), blobs)),
        "bare up": lambda: list(threads.map(lambda digest: obstore.put(bare, names[digest], blobs[digest]), blobs)),
        "ours down": lambda: list(bucket.each(lambda digest: len(ours.get(digest)), blobs)),
        "bare down": lambda: list(threads.map(lambda digest: len(obstore.get(bare, names[digest]).bytes()), blobs)),
    }


def run(kinds: tuple[str, ...] = ("folder", "gcs")) -> str:
    rows = []
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="expops-bench-") as folder, _serving(kind, folder) as at:
            place = Place(kind, at["bucket"], "team", timeout=60)
            for title, (count, size) in SETS.items():
                taken = _rates(place, {**os.environ, **at["environment"]}, count, size)
                rows += [_row(f"{title}, {way}, {kind}", taken, way, count * size) for way in ("up", "down")]
    return table("Transfer", ("what", "expops", "bare obstore", "share of obstore's throughput"), rows)


def _row(title: str, taken: dict[str, list[float]], way: str, total: int) -> tuple[str, ...]:
    ours, bare = (sorted(taken[f"{who} {way}"])[_REPEATS // 2] for who in ("ours", "bare"))
    return (title, f"{total / ours / 1e6:,.0f} MB/s", f"{total / bare / 1e6:,.0f} MB/s", f"{bare / ours:.2f}")
