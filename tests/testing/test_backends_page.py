"""The code of docs/backends.md, run as it stands there: its suites are the tests of this file."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "backends.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
CODE = "\n".join(BLOCKS)

exec(compile(CODE, str(PAGE), "exec"))


def test_the_page_has_a_store_of_each_kind_and_its_suite() -> None:
    classes = [re.findall(r"^class (\w+)", block, re.MULTILINE) for block in BLOCKS]
    assert classes == [
        ["TableKV"],
        ["TestTableKV"],
        ["PlainBlobs"],
        ["TestPlainBlobs"],
        ["ArrayCodec"],
        ["TestArrayCodec"],
    ]


@pytest.mark.parametrize("block", BLOCKS[::2])
def test_a_backend_fits_on_a_page(block: str) -> None:
    assert len([line for line in block.splitlines() if line.strip()]) <= 60
    assert max(map(len, block.splitlines())) <= 120


@pytest.mark.parametrize(
    ("head", "buffers"), [(b"x", [b""]), (b"", [b""]), (b"\xff", [b""]), (b"d", [b"1"]), (b"d", [])]
)
def test_the_pages_codec_refuses_what_it_did_not_write(head: bytes, buffers: list[bytes]) -> None:
    codec, corrupt = globals()["ArrayCodec"](), globals()["CorruptData"]
    with pytest.raises(corrupt):
        codec.decode(head, [memoryview(bytearray(buffer)) for buffer in buffers])
