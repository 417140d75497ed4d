"""Single records that used to end a run or a command, or reached beyond their folder."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from expops.blobs.memory import MemoryStore
from expops.cache import artifacts, sources
from expops.cache.manifest import Artifact, Blob
from expops.cache.stability import load_unstable
from expops.cache.store import Last, last_in
from expops.cache.variants import merged_variants, variants_in
from expops.engine.transfer import Selection, keys_of
from expops.errors import CorruptData
from expops.kv import _envelope
from expops.kv.memory import MemoryKV
from expops.runs.reading import actions_in, run_in
from sandbox import Sandbox, outcomes, outputs, reasons

DEEP = b"[" * 200_000
MODEL = """
from expops import process


@process()
def first():
    return {"x": 1, "y": 2}


@process()
def second(x):
    return {"z": x + 1}
"""


@pytest.mark.parametrize(
    "junk", [DEEP, b"x", b"{}", b'[1, "x", {"nothing": 3}, {"file": [7]}]', b'[{"file": ["\\u0000"]}]']
)
def test_merging_variants_takes_only_what_is_one(junk: bytes) -> None:
    right = b'[{"file":["a"]}]'
    assert merged_variants(junk, right) == right
    assert merged_variants(right, junk) == right
    assert variants_in(merged_variants(None, junk)) == []


def test_a_record_in_a_bucket_whose_key_is_no_text_is_damaged() -> None:
    body = _envelope._HEAD.pack(b"\0" * 16, 0.0, 2) + b"\xff\xfe" + b"value"
    assert _envelope.unpack(_envelope._FORMAT + _envelope._seal(body) + body) is None
    body = _envelope._HEAD.pack(b"\0" * 16, 0.0, 2**32 - 1) + b"ab" + b"value"
    assert _envelope.unpack(_envelope._FORMAT + _envelope._seal(body) + body) is None


def test_a_selection_passes_over_last_results_that_are_none() -> None:
    store = MemoryKV()
    mark = "ab" * 32
    store.put_many({"last/train": b"\xff\xfe", "last/train/fit": f"{mark} {mark}".encode(), "last/train/a": b"a ../b"})
    keys = keys_of(store, Selection(processes=["train"]))
    assert {key for key in keys if not key.startswith("last/")} == {f"action/{mark}", f"key/{mark}", f"result/{mark}"}


def test_last_results_are_digests_or_why_there_is_none() -> None:
    mark = "ab" * 32
    assert last_in(f"{mark} !failed".encode()) == Last(mark, "!failed")
    assert last_in(f"{mark} ../x".encode()) is None


def test_a_verdict_that_is_none_is_as_if_nobody_had_verified() -> None:
    store = MemoryKV()
    sound = {"path": "p", "verdict": "unstable", "variations": ["clock"], "when": 1e9}
    forged = [{**sound, "when": 1e300}, {**sound, "variations": [[]]}, {**sound, "verdict": 7}, [], None]
    store.put_many({f"verified/{place}": json.dumps(item).encode() for place, item in enumerate(forged)})
    store.put_many({"verified/deep": DEEP, "verified/sound": json.dumps(sound).encode()})
    assert list(load_unstable(store)) == ["sound"]


def test_a_source_of_other_bytes_is_none() -> None:
    assert sources.source_in(DEEP, "ab" * 32) is None
    import zlib

    assert sources.source_in(zlib.compress(b"evil"), "ab" * 32) is None


def test_a_result_without_an_output_that_its_code_returns_is_a_miss(tmp_path: Path) -> None:
    from forging import document_of, record_of

    from expops.kv.sqlite import SQLiteKV

    sandbox = Sandbox(tmp_path)
    sandbox.write("src/model.py", MODEL)
    sandbox.configure(["first", "second"], "first second")
    expected = outputs(sandbox.run())
    store = SQLiteKV(str(tmp_path / ".expops" / "cache.sqlite"))
    for key, raw in list(store.scan("result/")):
        document = document_of(key, raw)
        document[4].pop("x", None)
        store.put(key, record_of(key, document))
    store.close()
    result = sandbox.run()
    assert outcomes(result) == {"first": "executed", "second": "hit"}
    assert reasons(result)["first"] == "its stored result lacks outputs that its code returns"
    assert outputs(result) == expected


def test_files_lend_no_rights_and_go_through_no_links(tmp_path: Path) -> None:
    work, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    work.mkdir()
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("as it was")
    (work / "data").symlink_to(elsewhere)
    artifacts.restore(str(work), [Artifact("tool", b"x", 0o4755)], MemoryStore())
    assert stat.S_IMODE((work / "tool").stat().st_mode) == 0o755
    for path in ("data/evil", "data/kept", "data/", "data/a/b"):
        with pytest.raises(CorruptData, match="not inside its working folder"):
            artifacts.restore(str(work), [Artifact("first", b"x", 0o644), Artifact(path, b"x", 0o777)], MemoryStore())
        with pytest.raises(CorruptData, match="not inside its working folder"):
            artifacts.remove(str(work), ["tool", path])
    assert sorted(path.name for path in work.iterdir()) == ["data", "tool"]
    assert {path.name: path.read_text() for path in elsewhere.iterdir()} == {"kept": "as it was"}


def test_nothing_is_restored_where_a_part_is_missing(tmp_path: Path) -> None:
    wanted = [Artifact("a", b"x", 0o644), Artifact("b", Blob("ab" * 32, 7), 0o644)]
    with pytest.raises(CorruptData, match="missing"):
        artifacts.restore(str(tmp_path), wanted, MemoryStore())
    assert not list(tmp_path.iterdir())


def test_a_run_under_the_name_of_another_is_left_out(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    sandbox.write("src/model.py", MODEL)
    sandbox.configure(["first", "second"], "first second")
    run = sandbox.run().run
    raw = json.dumps(run).encode()
    assert run_in(raw, run.run_id) == run
    assert run_in(raw, "another") is None
    assert list(actions_in(b'[[], 7, "x", null]')) == []
