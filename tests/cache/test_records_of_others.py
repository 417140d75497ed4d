"""Records of a shared store that nobody of ours has written: no run fails over them, and none gives a wrong value."""

from __future__ import annotations

import zlib

import pytest
from forging import Forged

TEXTS = [
    b"[]", b"{}", b"null", b"1", b'"x"', b"a", b"a b c", b"[1, 2]", b"[[[]]]", b'[{"file": 1}]', b'[{"file": [1]}]',
    b'[{"nothing": ["a"]}]', b'[{"accepted": [1]}]', b'[{"variable": ["", "A=B", "\\u0000"]}]',
    b'[{"file": ["/dev/zero", "\\u0000", "", "project/../../../etc/passwd", "work/"]}]',
    b'[{"folder": ["/dev/zero", "\\u0000", ""], "size": ["\\u0000"], "type": [""], "link": [""]}]',
    b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe\x00", zlib.compress(b"[]"), b"1e999",
]  # fmt: skip
KINDS = [("last/",), ("action/",), ("key/", "code/"), ("source/", "record/"), ("result/",)]
EXTRA = ["cleared", "verified/" + "0" * 64]


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Forged:
    return Forged(tmp_path_factory.mktemp("others"))


@pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: kinds[0][:-1])
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:20]))
def test_a_run_takes_them_for_absent(forged: Forged, kinds: tuple[str, ...], text: bytes) -> None:
    names = [name for name in forged.records if name.startswith(kinds)]
    assert names
    changed: dict[str, bytes | None] = dict.fromkeys(names, text)
    if kinds == ("action/",):
        # Without a place to begin at, it is asked what was discovered.
        changed |= dict.fromkeys(name for name in forged.records if name.startswith("last/"))
    forged.put(changed)
    forged.check_run()


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:20]))
def test_commands_leave_them_out(forged: Forged, text: bytes) -> None:
    ledger = ("run/", "run-actions/", "run-metrics/", "record/", "source/", "cleared", "verified/")
    forged.put(dict.fromkeys([name for name in forged.records if name.startswith(ledger)] + EXTRA, text))
    forged.look()
    (known, *_) = sorted(name[4:] for name in forged.records if name.startswith("run/"))
    shown = forged.command(["show", known, "--project", str(forged.sandbox.root)])
    assert f"the record of run '{known}' can't be read" in shown
