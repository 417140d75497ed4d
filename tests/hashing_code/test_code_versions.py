"""The same source gives the same fingerprint on every supported Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from projects import write

from interpreters import Interpreter, with_libraries

SOURCE = '''
from dataclasses import dataclass, field
import functools, math
K: int = 1_000
T = (1.5, 2j, b"x", "é", None, ..., True, -0.0, 1e999)
@dataclass(frozen=True)
class C:
    """doc"""
    a: int = 0
    b: list[int] = field(default_factory=list)
    def m(self, /, x: int, *y, z=K, **w) -> "C":
        return [q async for q in x] if False else {**w, "k": [*y]}
    async def n(self):
        return [q async for q in self.m(1)]
@functools.lru_cache(maxsize=None)
def g(x):
    match x:
        case {"a": 1, **rest} | [1, *rest]: return rest
        case C(a=3) as c if c: return c
        case None: return 1
    try:
        x @= 2
    except* ValueError as e:
        raise RuntimeError from e
    with open(x) as a, (b := a): pass
    return f"a{x!r:>{K}}b{{}}" "c" f"{x=}" f"{x:}" rf"\\d{x:%Y-%m}" f"{'nested'}{''}"
def f(x):
    return [g(lambda y=K: y + z) for z in range(3) if not z], C, T, x[1:2, ..., ::3], math.pi, f"{x!s}"
'''

SCRIPT = """
import sys
from expops.hashing.code import ProjectCode
found = ProjectCode(sys.argv[1]).fingerprint("m.py", "f")
print(found.digest, found.symbols)
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_same_fingerprint_on(tmp_path: Path, version: str) -> None:
    other = with_libraries(version, tmp_path / "libraries", "blake3")
    write(tmp_path / "project", {"m.py": SOURCE})
    arguments = ("-c", SCRIPT, os.fspath(tmp_path / "project"))
    theirs, ours = other.run(*arguments), Interpreter(sys.executable, tmp_path / "none").run(*arguments)
    assert theirs.stdout, theirs.stderr
    assert theirs.stdout == ours.stdout
