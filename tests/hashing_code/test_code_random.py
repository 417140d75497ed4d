"""Random programs: a change in reachable code always shows, a neutral edit or one in unreachable code never."""

from __future__ import annotations

import ast
import random
import tempfile
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from projects import fingerprint, write


class Program(NamedTuple):
    """Functions ``f0`` ... spread over two modules; ``calls[i]`` are those that ``fi`` calls."""

    calls: list[list[int]]
    modules: list[int]
    constants: list[int]

    def reachable(self) -> set[int]:
        seen, pending = {0}, [0]
        while pending:
            fresh = set(self.calls[pending.pop()]) - seen
            seen |= fresh
            pending += fresh
        return seen

    def files(self, order: random.Random | None = None) -> dict[str, str]:
        files = {}
        for module, name in enumerate(("m", "n")):
            here = [i for i, where in enumerate(self.modules) if where == module]
            if order:
                order.shuffle(here)
            other = "n" if name == "m" else "m"
            files[f"src/{name}.py"] = f"import src.{other}\n" + "\n".join(self._function(i) for i in here)
        return files

    def _function(self, index: int) -> str:
        names = [
            f"f{c}" if self.modules[c] == self.modules[index] else f"src.{'mn'[self.modules[c]]}.f{c}"
            for c in self.calls[index]
        ]
        called = "".join(f"    x += {name}(x)\n" for name in names)
        return (
            f"K{index} = {self.constants[index]}\n\ndef f{index}(x):\n    y = K{index} + x\n{called}    return x * y\n"
        )


@st.composite
def programs(draw: st.DrawFn) -> Program:
    size = draw(st.integers(2, 8))
    indices = st.integers(0, size - 1)
    calls = draw(st.lists(st.lists(indices, max_size=3), min_size=size, max_size=size))
    modules = [0, *draw(st.lists(st.integers(0, 1), min_size=size - 1, max_size=size - 1))]
    return Program(calls, modules, [0] * size)


def _digest(files: dict[str, str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return fingerprint(write(Path(folder), files), "src/m.py::f0").digest


@settings(max_examples=60, deadline=None)
@given(programs(), st.data())
def test_a_changed_constant_shows_exactly_where_it_is_reached(program: Program, data: st.DataObject) -> None:
    changed = data.draw(st.integers(0, len(program.calls) - 1))
    constants = [int(index == changed) for index in range(len(program.calls))]
    edited = program._replace(constants=constants)
    assert (_digest(program.files()) != _digest(edited.files())) is (changed in program.reachable())


@settings(max_examples=60, deadline=None)
@given(programs(), st.randoms(use_true_random=False))
def test_neutral_edits_never_show(program: Program, order: random.Random) -> None:
    files = program.files(order)
    edited = {}
    for name, text in files.items():
        noisy = []
        for line in ast.unparse(ast.parse(text)).splitlines():
            if order.random() < 0.3:
                noisy += ["", "# a comment"]
            noisy.append(line + ("  # note" if order.random() < 0.3 else ""))
        edited[name] = "\n".join(noisy) + "\n"
    assert _digest(program.files()) == _digest(edited)
