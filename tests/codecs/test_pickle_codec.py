"""Pickles: what can't be stored is refused with its path, and what can't be loaded is corrupt data."""

from __future__ import annotations

import re
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from codec_checks import written

from expops.codecs.pickled import PickleCodec
from expops.codecs.registry import decode, encode, names
from expops.errors import CannotStore, CorruptData

CODEC = PickleCodec()


def local_instance() -> object:
    class Local:
        pass

    return Local()


class Stubborn:
    def __reduce__(self) -> Any:
        raise RuntimeError("not me")


class Model:
    def __init__(self, **parts: object) -> None:
        self.__dict__.update(parts)


BAD: list[tuple[Any, str]] = [
    (lambda: lambda x: x, r"the function .*<lambda> can't be stored; define it at the top level of a module"),
    (lambda: (index for index in []), "a generator can't be stored; keep a list of its items instead"),
    (threading.Lock, "a lock can't be stored; create it where it is used"),
    (local_instance, r"the class local_instance.<locals>.Local can't be stored; define it at the top level"),
    (Stubborn, r"an instance of .*Stubborn can't be stored \(not me\); keep the data it is made of"),
    (lambda: re, "a module can't be stored"),
]
PLACES: list[tuple[Any, str]] = [
    (lambda x: x, "value"),
    (lambda x: {"model": Model(first=1, handle=x)}, "value['model'].handle"),
    (lambda x: [1, (2, x)], "value[1][1]"),
    (lambda x: SimpleNamespace(a=np.zeros(3), b=[x]), "value.b[0]"),
    (lambda x: pd.DataFrame({"a": [1], "b": [x]}), "value['b'][0]"),
]


@pytest.mark.parametrize(("make", "reason"), BAD, ids=[reason[:20] for _, reason in BAD])
@pytest.mark.parametrize(("place", "path"), PLACES, ids=[path for _, path in PLACES])
def test_the_message_names_the_part_at_fault_and_the_mend(make: Any, reason: str, place: Any, path: str) -> None:
    if make is local_instance and path == "value":
        path = ""
    with pytest.raises(CannotStore, match=f"^{re.escape(path)}.*: {reason}"):
        encode(place(make()))


def test_open_files_are_refused(tmp_path: Any) -> None:
    with (
        open(tmp_path / "x", "w") as file,
        pytest.raises(CannotStore, match=r"^value\.log: an open file can't be stored; keep its path instead"),
    ):
        encode(Model(log=file))


def test_the_part_at_fault_is_found_behind_a_cycle() -> None:
    parent, child = Model(), Model()
    parent.child, child.parent, parent.key = child, parent, lambda: 1  # type: ignore[attr-defined]
    with pytest.raises(CannotStore, match=r"^value\.key: the function "):
        encode(parent)


def test_values_too_deep_for_pickle_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CannotStore, match=r"^value: nested too deeply to be stored"):
        encode(deep)


def test_large_arrays_go_beside_the_stream_and_small_or_scattered_ones_into_it() -> None:
    large, small, scattered = np.zeros(1000), np.zeros(10), np.zeros((100, 100))[:, ::2]
    encoded = CODEC.encode([large, small, scattered])
    assert [buffer.nbytes for buffer in encoded.buffers] == [8000]
    assert len(encoded.head) > scattered.nbytes
    _, head, buffers = written(encoded)
    back: Any = CODEC.decode(head, buffers)
    for array in back:
        array[...] = 1


@pytest.mark.parametrize("dtype", ["M8[ns]", ">M8[s]", "m8[us]"])
def test_dates_go_beside_the_stream_too(dtype: str) -> None:
    dates = np.arange(1000).astype("i8").view("<i8").astype(dtype)
    for value in ({"x": dates}, {"x": dates[:3]}, {"x": dates[::2]}, {"x": dates[0]}, {"x": dates[:1].reshape(())}):
        encoded = CODEC.encode(value)
        assert [buffer.nbytes for buffer in encoded.buffers] == ([8000] if value["x"] is dates else [])
        _, head, buffers = written(encoded)
        back: Any = CODEC.decode(head, buffers)
        assert back["x"].dtype == value["x"].dtype
        assert np.array_equal(back["x"], value["x"])
        assert back["x"].ndim == 0 or back["x"].flags.writeable
    frame = pd.DataFrame({"t": dates.astype(dtype.lstrip(">"))})
    assert [buffer.nbytes for buffer in CODEC.encode(frame).buffers] == [8000]


def test_a_long_stream_is_a_buffer() -> None:
    value = [Model(index=index) for index in range(5000)] + [np.zeros(5000)]
    encoded = CODEC.encode(value)
    assert encoded.head == b""
    assert len(encoded.buffers) == 2
    _, head, buffers = written(encoded)
    back: Any = CODEC.decode(head, buffers)
    assert [model.index for model in back[:-1]] == list(range(5000))
    assert back[-1].flags.writeable


@pytest.mark.parametrize(
    "head", [b"x", b"\x80\x05", b"\x80\x05.", b"\x80\x05cno_such_module\nthing\n.", b"\x80\x05cre\nnothing\n."]
)
def test_a_stream_that_makes_no_value_is_corrupt_data(head: bytes) -> None:
    with pytest.raises(CorruptData, match="a stored pickle can't be loaded: "):
        CODEC.decode(head, [])


def test_an_empty_head_needs_a_buffer() -> None:
    with pytest.raises(CorruptData, match="a stored pickle is empty"):
        CODEC.decode(b"", [])


class Unloadable(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)


def test_an_object_that_its_class_cannot_make_again_is_corrupt_data() -> None:
    encoded = CODEC.encode(Unloadable(1, "x"))
    with pytest.raises(CorruptData, match="can't be loaded: TypeError"):
        CODEC.decode(encoded.head, encoded.buffers)


def test_every_cut_of_a_stream_is_corrupt_data() -> None:
    head = CODEC.encode({"a": Model(x=[1, 2]), "b": np.zeros(3)}).head
    for size in range(1, len(head)):
        with pytest.raises(CorruptData):
            CODEC.decode(head[:size], [])


def test_an_unknown_codec_is_corrupt_data() -> None:
    assert names() == ("plain", "ndarray", "pickle")
    with pytest.raises(CorruptData, match=r"no codec is called 'arrow' \(there are plain, ndarray, pickle\)"):
        decode("arrow", b"", [])


@pytest.mark.parametrize("dtype", [">U1", ">i4", ">f8", [("a", ">i2"), ("b", "<i4")], ">M8[s]"])
def test_an_array_with_strides_keeps_its_byte_order(dtype: Any) -> None:
    array = np.zeros(6, dtype=dtype)[::-2]
    encoded = PickleCodec().encode([array])
    back = PickleCodec().decode(encoded.head, encoded.buffers)[0]  # type: ignore[index]
    assert back.dtype == array.dtype
    assert back.dtype.str == array.dtype.str
    assert back.flags.writeable
