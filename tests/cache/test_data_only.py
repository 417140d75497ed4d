"""`experiment.cache.codecs: data-only`: nothing is pickled, and no byte of a pickle is read."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy
import pytest
from forging import altered, anything, places
from hypothesis import given, settings
from hypothesis import strategies as st

from expops.blobs.memory import MemoryStore
from expops.cache.explain import PICKLED
from expops.cache.manifest import StoredValue
from expops.cache.values import load_value, store_value
from expops.codecs import registry
from expops.codecs.base import DATA_ONLY
from expops.errors import CannotStore, CorruptData
from expops.hashing.values import fingerprint
from sandbox import Sandbox, outcomes, outputs, reasons
from value_strategies import values

MODEL = """
import os

import numpy

from expops import process, step


class Loud:
    def __init__(self, folder):
        self.folder = folder

    def __setstate__(self, state):
        os.makedirs(state["folder"])
        self.__dict__ = state


@step
def loud(folder):
    return Loud(folder)


@step
def quiet():
    return {"rows": [1, 2.5, None], "array": "text"}


@process()
def first():
    loud("@FOLDER@")
    return {"size": len(quiet()), "array": numpy.arange(3)}


@process()
def second(array):
    return {"model": Loud("@FOLDER@"), "sum": int(array.sum())}


@process()
def third(sum):
    return {"third": sum + 1}
"""


def _project(tmp_path: Path) -> tuple[Sandbox, Path]:
    unpickled = tmp_path / "unpickled"
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write("src/model.py", MODEL.replace("@FOLDER@", str(unpickled)))
    sandbox.configure(["first", "second", "third"], "first second\nsecond third")
    return sandbox, unpickled


def _allow(sandbox: Sandbox, codecs: str) -> None:
    path = sandbox.root / "configs" / "project_config.yaml"
    document = json.loads(path.read_text())
    document["experiment"]["cache"] = {"codecs": codecs}
    path.write_text(json.dumps(document))


def _edit_first(sandbox: Sandbox) -> None:
    """So that `first` executes, and its steps are asked for."""
    path = sandbox.root / "src" / "model.py"
    path.write_text(path.read_text().replace("len(quiet())", "len(quiet()) + 0"))


def test_results_that_are_pickles_are_misses_and_stay_unread(tmp_path: Path) -> None:
    sandbox, unpickled = _project(tmp_path)
    sandbox.run()
    unpickled.rmdir()
    _edit_first(sandbox)
    assert outcomes(sandbox.run())["first/loud"] == "hit"
    unpickled.rmdir()  # a hit reads the pickle
    _allow(sandbox, "data-only")
    for sources in ("as they were", "edited"):
        result = sandbox.run()
        found, why = outcomes(result), reasons(result)
        assert result.run.status == "done"
        assert (found["second"], found["third"]) == ("executed", "hit"), sources
        assert not unpickled.exists()
        if sources == "as they were":
            assert (found["first"], why["second"]) == ("hit", PICKLED)
            path = sandbox.root / "src" / "model.py"
            path.write_text(path.read_text().replace(" + 0", " - 0"))
    assert (found["first"], found["first/loud"], found["first/quiet"]) == ("executed", "executed", "hit")
    assert why["first/loud"] == PICKLED
    assert any("output 'model'" in text and "data-only" in text for text in sandbox.seen.warnings)


def test_what_was_kept_without_pickles_is_the_same(tmp_path: Path) -> None:
    sandbox, _ = _project(tmp_path)
    expected = outputs(sandbox.run())
    _allow(sandbox, "data-only")
    strict, _ = _project(tmp_path / "strict")
    _allow(strict, "data-only")
    found = outputs(strict.run())
    assert found["first"] == expected["first"]
    assert found["third"] == expected["third"]
    assert outcomes(strict.run()) == {"first": "hit", "second": "executed", "third": "hit"}


def test_an_output_that_would_be_a_pickle_fails_who_takes_it_in_words(tmp_path: Path) -> None:
    sandbox, _ = _project(tmp_path)
    path = sandbox.root / "src" / "model.py"
    path.write_text(path.read_text() + "\n\n@process()\ndef fourth(model):\n    return {'four': 4}\n")
    sandbox.configure(["first", "second", "third", "fourth"], "first second\nsecond third fourth")
    _allow(sandbox, "data-only")
    result = sandbox.run()
    (failed,) = [action for action in result.actions if action.outcome == "failed"]
    assert failed.path == "fourth"
    assert "'model' of 'second' can't be handed on" in failed.error
    assert "return numbers, text" in failed.error


@given(values)
def test_a_value_is_stored_without_pickles_or_refused(value: object) -> None:
    blobs = MemoryStore()
    try:
        stored = store_value(value, blobs, None, data_only=True)
    except CannotStore:
        assert registry.encode(value).codec not in DATA_ONLY
        return
    assert stored.codec in DATA_ONLY
    assert fingerprint(load_value(stored, blobs, data_only=True)) == fingerprint(value)


@pytest.mark.parametrize("codec", sorted({*registry.names(), "other"} - DATA_ONLY))
def test_a_forged_record_can_not_name_another_codec(codec: str) -> None:
    stored = StoredValue("mark", codec, pickle.dumps([1]), (), 1)
    with pytest.raises(CorruptData, match="data-only"):
        load_value(stored, MemoryStore(), data_only=True)


def test_all_codecs_but_pickle_are_data() -> None:
    assert {*registry.names()} - DATA_ONLY == {"pickle"}
    assert registry.names()[-1] == "pickle"


@pytest.mark.parametrize("head", [b"[" * 100_000, b'{"t":' * 100_000, b'{"t":[' * 100_000 + b"]}" * 100_000])
@pytest.mark.parametrize("codec", sorted(DATA_ONLY))
def test_text_that_is_nested_too_deeply_is_damage(codec: str, head: bytes) -> None:
    with pytest.raises(CorruptData):
        registry.decode(codec, head, [])


def test_verify_reads_no_pickle_either(tmp_path: Path) -> None:
    sandbox, unpickled = _project(tmp_path)
    path = sandbox.root / "src" / "model.py"
    path.write_text(path.read_text() + "\n\n@process()\ndef fourth(model):\n    return {'four': 4}\n")
    sandbox.configure(["first", "second", "third", "fourth"], "first second\nsecond third fourth")
    sandbox.run()
    _allow(sandbox, "data-only")
    unpickled.rmdir()
    command = [sys.executable, "-m", "expops", "verify", "--quick", "--project", str(sandbox.root)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not unpickled.exists()
    assert "Traceback" not in ran.stderr
    assert "data-only" in ran.stdout + ran.stderr, ran


_ENCODED = [
    registry.encode(value)
    for value in (
        numpy.arange(20.0).reshape(4, 5),
        numpy.zeros(3, dtype=[("a", "i4"), ("b", "f8", (2,))]),
        numpy.array(["2020-01-01"], "M8[D]"),
        numpy.float32(3),
        numpy.zeros((0, 3)),
        {"a": [1, 2.5, (1,)], "s": {1, 2}, "b": b"x" * 5000, "F": [1.0] * 300, "c": 1j},
    )
]
_TYPES = ["S0", "|S0", "|V0", "|O", "i4,i4", "(1,i4", "<f999", "|S2147483647", [["a", "|O"]], [["a", "<i4", [-1]]]]


@settings(max_examples=300)
@given(which=st.integers(0, len(_ENCODED) - 1), data=st.data())
def test_a_forged_head_is_read_or_refused(which: int, data: st.DataObject) -> None:
    encoded = _ENCODED[which]
    document = json.loads(encoded.head)
    place = data.draw(st.sampled_from(list(places(document))))
    forged = altered(document, place, data.draw(anything | st.sampled_from([*_TYPES, 2**40, [2**40], [0, 2**62]])))
    buffers = [memoryview(bytearray(part)) for part in encoded.buffers][: data.draw(st.integers(0, 2))]
    with suppress(CorruptData):
        registry.decode(encoded.codec, json.dumps(forged).encode(), buffers)


def test_elements_without_bytes_take_no_memory() -> None:
    head = json.dumps({"dtype": "|S0", "shape": [1 << 50], "order": "C", "scalar": False}).encode()
    assert getattr(registry.decode("ndarray", head, []), "nbytes", None) == 0
