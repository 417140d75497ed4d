"""Fingerprints of functions, methods, classes and modules that are values."""

from __future__ import annotations

import functools
import math
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

from expops.hashing.values import fingerprint


def run(source: str, module: str = "__main__") -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": module}
    exec(source, space)
    return space


def made(source: str) -> str:
    """Fingerprint of the ``f`` that ``source`` defines as a script would."""
    return fingerprint(run(source)["f"])


def test_functions_of_scripts_count_by_what_they_do() -> None:
    same = made("def f(x):\n    return x + 1")
    assert made("\n\ndef f(x):\n    # more\n    return x + 1") == same
    others = [
        "def f(x):\n    return x + 2",
        "def f(x, y=1):\n    return x + 1",
        "def f(x, y=2):\n    return x + 1",
        "def f(x, *, y=2):\n    return x + 1",
        "def f(x):\n    return x.a",
        "def f(x):\n    return x.b",
        "def f(x):\n    return [x + 1 for y in x]",
        "def f(x):\n    return [x + 2 for y in x]",
        "f = lambda x: x + 1",
        "f = lambda x: x + 2",
    ]
    assert len({same, *map(made, others)}) == len(others) + 1


def adder(amount: object) -> Callable[[Any], Any]:
    def add(x: Any) -> Any:
        return x + amount

    return add


def test_closures_and_defaults_count_by_value() -> None:
    assert fingerprint(adder([1])) == fingerprint(adder([1]))
    assert fingerprint(adder([1])) != fingerprint(adder([2]))
    assert fingerprint(adder(1)) != fingerprint(adder(1.0))


def test_a_wrapped_function_is_not_what_its_name_says() -> None:
    def limited(limit: int) -> Any:
        @functools.wraps(math.floor)
        def wrapper(x: float) -> int:
            return min(limit, math.floor(x))

        return wrapper

    assert len({fingerprint(limited(1)), fingerprint(limited(2)), fingerprint(math.floor)}) == 3


def test_a_function_that_calls_itself_ends() -> None:
    def factorial(n: int) -> int:
        return n * factorial(n - 1) if n else 1

    assert len(fingerprint(factorial)) == 64


def test_a_closure_that_is_not_filled_yet_is_told_from_none() -> None:
    def maker(fill: bool) -> Any:
        def inner() -> Any:
            return later

        if fill:
            later = None
        return inner

    assert fingerprint(maker(True)) != fingerprint(maker(False))


def test_library_functions_and_classes_count_by_name() -> None:
    values = [len, print, math.sin, math.cos, str.upper, str.lower, dict.fromkeys, int, float, functools.partial]
    values += [functools.reduce, operator.itemgetter(1), operator.itemgetter(2), types, math, [].append, [1].append]
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint(fingerprint) == fingerprint(sys.modules["expops.hashing.values"].fingerprint)


def test_methods_and_partials_count_by_function_and_arguments() -> None:
    class Scaler:
        def __init__(self, by: int) -> None:
            self.by = by

        def up(self) -> int:
            return self.by

        def down(self) -> int:
            return -self.by

    values = [Scaler(1).up, Scaler(2).up, Scaler(1).down, Scaler.up]
    values += [
        functools.partial(max, 1),
        functools.partial(max, 2),
        functools.partial(max, key=1),
        functools.partial(min, 1),
    ]
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint(Scaler(1).up) == fingerprint(Scaler(1).up)


def test_classes_that_cannot_be_imported_count_by_content() -> None:
    sources = [
        "class f:\n    rate = 1",
        "class f:\n    rate = 2",
        "class f(list):\n    rate = 1",
        "class f:\n    def run(self): return 1",
        "class f:\n    def run(self): return 2",
        "class f:\n    @property\n    def run(self): return 2",
        "class f:\n    @staticmethod\n    def run(): return 2",
        "class f:\n    def run(self): return super().run()",
        "import enum\nclass f(enum.Enum):\n    A = 1",
        "import enum\nclass f(enum.Enum):\n    A = 2",
        "import dataclasses\n@dataclasses.dataclass\nclass f:\n    a: int = 1",
        "import dataclasses\n@dataclasses.dataclass\nclass f:\n    a: int = 2",
        "import functools\nclass f:\n    @functools.cached_property\n    def a(self): return 2",
        "class f:\n    __slots__ = ('a',)",
    ]
    assert [made(source) for source in sources] == [made(source) for source in sources]
    assert len({made(source) for source in sources}) == len(sources)
    instances = {fingerprint(run(source)["f"]()) for source in sources[:5]}
    assert len(instances) == 5


def test_code_of_is_asked_for_functions_classes_and_classes_of_instances() -> None:
    asked: list[object] = []
    versions = {"add": "one", "Point": "one"}

    class Point:
        pass

    def code_of(value: object) -> str | None:
        asked.append(value)
        name = getattr(value, "__name__", "")
        return versions.get(name)

    point, function = Point(), adder(1)
    values: list[Any] = [point, Point, function, functools.partial(function, 1), [point] * 3, {"f": function}]
    first = [fingerprint(value, code_of=code_of) for value in values]
    assert Point in asked
    assert function in asked
    assert [fingerprint(value, code_of=code_of) for value in values] == first
    versions.update(add="two", Point="two")
    second = [fingerprint(value, code_of=code_of) for value in values]
    assert all(one != other for one, other in zip(first, second, strict=True))


def test_closures_and_defaults_count_beside_the_code_that_code_of_knows() -> None:
    def same(value: object) -> str | None:
        return "same"

    assert fingerprint(adder(1), code_of=same) != fingerprint(adder(2), code_of=same)
    one, other = (run(f"def f(x={default}): pass")["f"] for default in (1, 2))
    assert fingerprint(one, code_of=same) != fingerprint(other, code_of=same)


def test_where_code_of_knows_nothing_names_and_bytecode_count() -> None:
    def nothing(value: object) -> None:
        return None

    assert fingerprint(adder(1), code_of=nothing) != fingerprint(adder(2), code_of=nothing)
    one, other = (lambda: 1), (lambda: 2)
    assert fingerprint(one, code_of=nothing) != fingerprint(other, code_of=nothing)
    assert fingerprint(math.sin, code_of=nothing) == fingerprint(math.sin)


def test_dispatched_functions_count_by_their_implementations() -> None:
    def made(of_text: int, call: bool = False) -> Any:
        @functools.singledispatch
        def size(value: object) -> int:
            return 0

        @size.register
        def _(value: str) -> int:
            return of_text

        if call:
            size("text")
        return size

    assert fingerprint(made(1)) == fingerprint(made(1, call=True)) != fingerprint(made(2))
