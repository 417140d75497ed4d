"""Arrays: which are taken, and what happens to damaged ones."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from codec_checks import written

import value_strategies as vs
from expops.codecs.ndarray import NdarrayCodec
from expops.errors import CorruptData

CODEC = NdarrayCodec()


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, None], dtype=object),
        np.zeros(2, [("a", object)]),
        *vs.variable_strings,
        np.ma.array([1]),
        np.zeros((2, 2)).view(np.matrix) if hasattr(np, "matrix") else None,
        np.zeros(2, np.dtype("f8", metadata={"unit": "m"})),
        np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        [1],
        1.5,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_other_values_are_left_to_other_codecs(value: object) -> None:
    assert CODEC.encode(value) is None


def encoded(value: Any) -> tuple[bytes, list[memoryview]]:
    found = CODEC.encode(value)
    assert found is not None
    return written(found)[1:]


def test_an_array_sits_on_the_memory_that_it_is_given() -> None:
    head, (buffer,) = encoded(np.arange(6.0).reshape(2, 3))
    back: Any = CODEC.decode(head, [buffer])
    back[0, 0] = 5
    assert buffer.cast("d")[0] == 5


def test_memory_that_is_not_aligned_is_copied() -> None:
    head, (buffer,) = encoded(np.arange(4.0))
    shifted = memoryview(bytearray(b"x" + buffer.tobytes()))[1:]
    back: Any = CODEC.decode(head, [shifted])
    assert back.flags.aligned
    assert back.flags.writeable
    assert back.tolist() == [0, 1, 2, 3]


def test_an_empty_array_has_no_buffer() -> None:
    for value in (np.zeros((0, 3), "i2"), np.zeros(0, "U5"), np.zeros((2, 0), order="F")):
        head, buffers = encoded(value)
        assert buffers == []
        back: Any = CODEC.decode(head, buffers)
        assert (back.shape, back.dtype) == (value.shape, value.dtype)


@pytest.mark.parametrize(
    "change", [{"shape": [3]}, {"shape": [-1]}, {"dtype": "<q9"}, {"dtype": 3}, {"order": "X"}, {"shape": 3}]
)
def test_a_head_that_does_not_fit_is_corrupt_data(change: dict[str, object]) -> None:
    head, buffers = encoded(np.arange(4.0))
    damaged = json.dumps({**json.loads(head), **change}).encode()
    with pytest.raises(CorruptData, match="a stored array can't be read"):
        CODEC.decode(damaged, buffers)


@pytest.mark.parametrize("head", [b"", b"{}", b"[]", b"1", b"\xff", b'{"dtype": "<f8", "shape": [2]}'])
def test_a_damaged_head_is_corrupt_data(head: bytes) -> None:
    with pytest.raises(CorruptData, match="a stored array can't be read"):
        CODEC.decode(head, [memoryview(bytearray(16))])


def test_missing_cut_and_extra_buffers_are_corrupt_data() -> None:
    head, (buffer,) = encoded(np.arange(4.0))
    for buffers in ([], [buffer[:-8]], [buffer[:-3]], [buffer, buffer], [memoryview(bytearray(40))]):
        with pytest.raises(CorruptData, match="a stored array can't be read"):
            CODEC.decode(head, buffers)


def test_a_dtype_with_objects_is_never_laid_over_stored_bytes() -> None:
    head = json.dumps({"dtype": "|O", "shape": [1], "order": "C", "scalar": False}).encode()
    with pytest.raises(CorruptData, match="a stored array can't be read"):
        CODEC.decode(head, [memoryview(bytearray(b"\x01" * 8))])


def test_neither_codecs_nor_fingerprints_import_libraries() -> None:
    code = (
        "import sys; from expops.codecs.registry import decode, encode; from expops.hashing.values import fingerprint\n"
        "value = {'a': [1, 2.5], 'b': ('x', None)}; found = encode(value); fingerprint(value)\n"
        "assert decode(found.codec, found.head, found.buffers) == value\n"
        "print([name for name in ('numpy', 'pandas', 'pyarrow', 'torch', 'scipy', 'enum34') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
