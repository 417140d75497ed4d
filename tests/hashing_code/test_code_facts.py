"""Facts about functions, and the words for changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from projects import fingerprint, write

from expops.hashing.code import FunctionFacts, Parameter, ProjectCode, changes


def facts(tmp_path: Path, source: str, path: str = "src/m.py") -> FunctionFacts:
    write(tmp_path, {path: source})
    return ProjectCode(os.fspath(tmp_path)).functions(path)["f"]


def test_parameters(tmp_path: Path) -> None:
    found = facts(tmp_path, "\ndef f(a, /, b, c=1, *d, e, g=2, **h): pass\n")
    assert found.line == 2
    assert found.parameters == (
        Parameter("a", "positional", False),
        Parameter("b", "positional", False),
        Parameter("c", "positional", True),
        Parameter("d", "varargs", False),
        Parameter("e", "keyword", False),
        Parameter("g", "keyword", True),
        Parameter("h", "varkw", False),
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from expops import process\n@process()\n", "expops.process"),
        ("from expops import process as p\n@p\n", "expops.process"),
        ("import expops as e\n@e.process(cache=False)\n", "expops.process"),
        ("from expops.core import process\n@process\n", "expops.core.process"),
        ("from src.lib import timed\n@timed(1)(2)\n", "src.lib.timed"),
        ("from .lib import timed\n@timed\n", "src.lib.timed"),
        ("from . import lib\n@lib.timed\n", "src.lib.timed"),
        ("from ..other import timed\n@timed\n", "other.timed"),
        ("def local(g): return g\n@local\n", "local"),
    ],
)
def test_decorators_are_named_through_imports(tmp_path: Path, source: str, expected: str) -> None:
    assert facts(tmp_path, source + "def f(): pass\n").decorators == (expected,)


@pytest.mark.parametrize(
    ("body", "keys", "is_dict"),
    [
        ("return {'a': 1, 'b': x}", ("a", "b"), True),
        ("return dict(a=1)", ("a",), True),
        ("if x: return {'a': 1}\n    return {'a': 2, 'c': 3}", ("a", "c"), True),
        ("return {}", (), True),
        ("return {x: 1}", None, True),
        ("return {**x}", None, True),
        ("return {k: 1 for k in x}", None, True),
        ("return dict(x)", None, True),
        ("return x", None, None),
        ("if x: return {'a': 1}\n    return x", None, None),
        ("pass", None, False),
        ("return 1", None, False),
        ("return [x]", None, False),
        ("return", None, False),
        ("yield {'a': 1}", None, False),
        ("def g(): return {'a': 1}\n    return 1", None, False),
        ("def g(): return 1\n    return {'a': 1}", ("a",), True),
    ],
)
def test_returned_keys(tmp_path: Path, body: str, keys: tuple[str, ...] | None, is_dict: bool | None) -> None:
    found = facts(tmp_path, f"def f(x):\n    {body}\n")
    assert (found.returns, found.returns_dict) == (keys, is_dict)


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ("return {'a': 1, 'b': x}", ("a", "b")),
        ("if x: return {'a': 1}\n    return {'a': 2, 'c': 3}", ("a",)),
        ("if x: return {}\n    return {'a': 2}", ()),
        ("if x: return {'a': 1}\n    return x", ()),
        ("return {**x, 'a': 1}", ()),
        ("yield {'a': 1}", ()),
    ],
)
def test_keys_that_each_return_has(tmp_path: Path, body: str, keys: tuple[str, ...]) -> None:
    assert facts(tmp_path, f"def f(x):\n    {body}\n").always == keys


def test_facts_from_a_memo_are_the_same(tmp_path: Path) -> None:
    from projects import DictMemo

    write(tmp_path, {"m.py": "@d\ndef f(a, *, b=1): return {'a': 1}\n"})
    memo = DictMemo()
    first = ProjectCode(os.fspath(tmp_path), memo=memo).functions("m.py")
    assert ProjectCode(os.fspath(tmp_path), memo=memo).functions(os.fspath(tmp_path / "m.py")) == first


def test_changes_name_what_changed(tmp_path: Path) -> None:
    source = "from src.lib import clean, old\nprint.x = 1\ndef f(): return clean(), old()\n"
    lib = "def clean(): return 1\ndef old(): return 1\n"
    before = fingerprint(write(tmp_path / "a", {"src/m.py": source, "src/lib.py": lib}))
    after = fingerprint(
        write(
            tmp_path / "b",
            {
                "src/m.py": source.replace("x = 1", "x = 2").replace("), old()", ")"),
                "src/lib.py": lib.replace("clean(): return 1", "clean(): return new()") + "def new(): pass\n",
            },
        )
    )
    assert changes(before.symbols, after.symbols, root="src/m.py::f") == [
        "code of 'f' in src/m.py changed",
        "code of helper 'clean' in src/lib.py changed",
        "code of helper 'new' in src/lib.py added",
        "code of helper 'old' in src/lib.py removed",
        "import-time code of src/m.py changed",
        "code of helper 'old' in src/m.py removed",
    ]
    assert changes(before.symbols, before.symbols) == []


@pytest.mark.parametrize(
    ("source", "file", "why"),
    [
        ("def f(): return eval('1')", "src/m.py", "eval"),
        ("def f(n): return __import__(n)", "src/m.py", "__import__"),
        ("import src.m\ndef f(n): return getattr(src.m, n)", "src/m.py", "getattr with a computed name"),
    ],
)
def test_widening_says_why(tmp_path: Path, source: str, file: str, why: str) -> None:
    assert why in fingerprint(write(tmp_path, {"src/m.py": source})).widened[file]
