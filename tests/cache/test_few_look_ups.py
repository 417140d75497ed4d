"""How often the cache asks its KV store: what many calls need is fetched together."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from expops.blobs.memory import MemoryStore
from expops.cache.discovery import Places, Surroundings
from expops.cache.explain import Described
from expops.cache.files import FileDigests
from expops.cache.keys import ActionKey
from expops.cache.manifest import Manifest
from expops.cache.store import ResultCache
from expops.hashing.code import CodeFingerprint
from expops.kv.memory import MemoryKV

CALLS = 150


class Counting(MemoryKV):
    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        self.asked += 1
        return super().get_many(keys)


def described(argument: int, code: str) -> Described:
    fingerprint = CodeFingerprint(code, {"m.py::f": code}, {}, {}, {}, ("m.py",), {})
    return Described(ActionKey("step", "f", code, {"x": str(argument)}, {}, {}), fingerprint, {}, {})


def manifest(action: str, path: str) -> Manifest:
    return Manifest(action, "step", path, {}, [], [], [], [], {}, "1", 0.0, "run", 0.0, "host")


def test_reasons_of_many_calls_cost_few_round_trips(tmp_path: Path) -> None:
    kv = Counting()
    around = Surroundings(Places(os.fspath(tmp_path), None), FileDigests(), lambda label: "seed")
    paths = [f"p/f#{number}" if number > 1 else "p/f" for number in range(1, CALLS + 1)]
    for code in ("old", "new"):
        cache = ResultCache(kv, MemoryStore())
        cache.prefetch_below("p")
        before = kv.asked
        for number, path in enumerate(paths):
            call = described(number, code)
            look_up = cache.look_up(path, call.key.digest(), around)
            assert look_up.manifest is None
            told = cache.reasons(call, look_up, around)
            if code == "old":
                assert told == ("never ran before with these inputs" if number else "never ran before",)
            else:
                assert told == ("code of 'f' in m.py changed",)
            cache.record(path, call, look_up, manifest(look_up.action, path))
        # One for each look-up; besides, the records behind the reasons come by the hundred.
        assert kv.asked - before <= CALLS + 5
