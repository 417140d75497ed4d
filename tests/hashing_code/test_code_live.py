"""Fingerprints of loaded functions: nested ones, wrapped ones, edited ones, typed ones."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import linecache
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from projects import write

from expops.hashing.code import CodeFingerprint, ProjectCode

_numbers = itertools.count()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    before = dict(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - set(before):
        if "live_project" in name:
            del sys.modules[name]


def load(root: Path, source: str, file: str = "m.py") -> ModuleType:
    write(root, {file: source})
    name = f"live_project_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, root / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Read anew each time: edits within a second of each other keep the size and time that a .pyc is checked by.
    code = compile((root / file).read_text(), os.fspath(root / file), "exec", dont_inherit=True)
    exec(code, module.__dict__)
    return module


def of(root: Path, obj: object) -> CodeFingerprint:
    found = ProjectCode(os.fspath(root)).of_object(obj)
    assert found is not None
    return found


STEPS = """
from functools import wraps
K = 1
J = 5
def helper(x):
    return x + K
def timed(g):
    @wraps(g)
    def inner(*a):
        return g(*a)
    return inner
def process(rate, scale=2):
    other = [1]
    def clean(x):
        return helper(x) * scale
    @timed
    def step(x):
        return clean(x) + rate
    def untouched(x):
        return J
    print(other)
    return step, clean, untouched
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("clean(x) + rate", "clean(x) - rate", True),
        ("helper(x) * scale", "helper(x) / scale", True),
        ("return x + K", "return x - K", True),
        ("K = 1", "K = 2", True),
        ("return g(*a)", "return -g(*a)", True),
        ("return J", "return -J", False),
        ("J = 5", "J = 6", False),
        ("print(other)", "print(other, 1)", False),
        ("other = [1]", "other = [2]", False),
        ("    def clean", "    # comment\n    def clean", False),
        ("scale=2", "scale=3", False),
    ],
)
def test_a_nested_step_counts_what_it_uses_and_not_the_rest(project: Path, old: str, new: str, expected: bool) -> None:
    before = of(project / "a", load(project / "a", STEPS).process(1)[0])
    after = of(project / "b", load(project / "b", STEPS.replace(old, new)).process(1)[0])
    assert (before.digest != after.digest) is expected


def test_a_nested_step_names_its_symbols(project: Path) -> None:
    symbols = of(project, load(project, STEPS).process(1)[0]).symbols
    assert "m.py::process.<locals>.step" in symbols
    assert "m.py::process.<locals>.clean" in symbols
    assert "m.py::process.<locals>.untouched" not in symbols
    assert "m.py::process" not in symbols


def test_closure_has_the_values_and_leaves_out_code(project: Path) -> None:
    step, _, untouched = load(project, STEPS).process(rate=0.5, scale=3)
    code = ProjectCode(os.fspath(project))
    assert code.closure(step) == {"rate": 0.5, "scale": 3}
    assert code.closure(untouched) == {}


def test_closure_tells_variables_of_the_same_name_apart(project: Path) -> None:
    module = load(
        project,
        """
        def outer(k):
            def one():
                return k
            def two(k):
                def three():
                    return one() + k
                return three
            return two(k + 1)
        """,
    )
    values = ProjectCode(os.fspath(project)).closure(module.outer(1))
    assert sorted(values.values()) == [1, 2]


def test_closure_has_defaults_computed_around_the_function(project: Path) -> None:
    module = load(
        project,
        """
        def outer(k):
            def helper(x, y=k * 2):
                return x + y
            def step(x):
                return helper(x)
            return step
        """,
    )
    code = ProjectCode(os.fspath(project))
    assert code.closure(module.outer(1)) != code.closure(module.outer(2))


def test_closure_survives_recursion_and_unset_variables(project: Path) -> None:
    module = load(
        project,
        """
        def outer(n):
            def even(x): return x == 0 or odd(x - 1)
            def odd(x): return x != 0 and even(x - 1)
            def late(): return later
            found = even, late
            if n:
                return found
            later = 1
        """,
    )
    even, late = module.outer(3)
    code = ProjectCode(os.fspath(project))
    assert code.closure(even) == {}
    assert code.closure(late) == {}
    assert set(of(project, even).symbols) == {"m.py::outer.<locals>.even", "m.py::outer.<locals>.odd"}


def test_nested_functions_of_one_name_are_told_apart(project: Path) -> None:
    source = """
    def outer(flag):
        if flag:
            def g(): return 1
        else:
            def g(): return 2
        return g
    """
    module = load(project, source)
    assert of(project, module.outer(True)).digest != of(project, module.outer(False)).digest


def test_lambdas_on_one_line_are_told_apart(project: Path) -> None:
    module = load(project, "K = 1\nJ = 2\ndef outer(): return [lambda x: K, lambda x: J, lambda x: x]\n")
    one, two, three = module.outer()
    found = [of(project, each) for each in (one, two, three)]
    assert ["m.py::K" in each.symbols for each in found] == [True, False, False]
    assert ["m.py::J" in each.symbols for each in found] == [False, True, False]


def test_a_lambda_at_the_top_of_a_module(project: Path) -> None:
    before = of(project / "a", load(project / "a", "g = lambda x: x + 1\n").g)
    after = of(project / "b", load(project / "b", "g = lambda x: x + 2\n").g)
    assert before.digest != after.digest


def test_a_live_function_has_the_fingerprint_of_its_source(project: Path) -> None:
    module = load(project, STEPS)
    assert of(project, module.helper) == ProjectCode(os.fspath(project)).fingerprint("m.py", "helper")


@pytest.mark.parametrize("wrap", [functools.partial, functools.lru_cache, staticmethod, functools.cache])
def test_wrappers_are_looked_through(project: Path, wrap: object) -> None:
    module = load(project, STEPS)
    assert of(project, wrap(module.helper)).digest == of(project, module.helper).digest  # type: ignore[operator]


def test_bound_methods_and_classes(project: Path) -> None:
    source = "class C:\n    k = 1\n    def m(self):\n        return self.k\n    @classmethod\n    def c(cls): pass\n"
    module = load(project / "a", source)
    other = load(project / "b", source.replace("k = 1", "k = 2"))
    for get in (lambda m: m.C, lambda m: m.C().m, lambda m: m.C.c, lambda m: m.C.m):
        assert of(project / "a", get(module)).digest != of(project / "b", get(other)).digest


def test_a_class_inside_a_function(project: Path) -> None:
    source = "K = 1\ndef outer():\n    class C:\n        def m(self): return K\n    return C\n"
    before = of(project / "a", load(project / "a", source).outer())
    after = of(project / "b", load(project / "b", source.replace("K = 1", "K = 2")).outer())
    assert before.digest != after.digest


@pytest.mark.parametrize("obj", [len, int, os.path.join, Path, functools.partial(len), 3, "text", None, sys])
def test_what_is_not_of_the_project_has_none(project: Path, obj: object) -> None:
    assert ProjectCode(os.fspath(project)).of_object(obj) is None


def test_an_edit_after_loading_does_not_hide_the_loaded_code(project: Path) -> None:
    module = load(project, "def g(x): return x + 1\n")
    before = of(project, module.g)
    write(project, {"m.py": "def g(x): return x + 2\n"})
    stale = of(project, module.g)
    fresh = ProjectCode(os.fspath(project)).fingerprint("m.py", "g")
    assert stale.digest not in (before.digest, fresh.digest)
    assert stale.widened == {"m.py": "the loaded code differs from the file"}


def test_a_neutral_edit_after_loading_changes_nothing(project: Path) -> None:
    module = load(project, "def g(x):\n    'doc'\n    return x + 1\n")
    before = of(project, module.g)
    write(project, {"m.py": "# comment\n\ndef g(x):\n    'other doc'\n    return (x + 1)  # more\n"})
    assert of(project, module.g) == before


def test_two_loaded_versions_that_no_file_holds_differ(project: Path) -> None:
    one = load(project, "def g(x): return x + 1\n").g
    two = load(project, "def g(x): return x + 2\n").g
    write(project, {"m.py": "def g(x): return x + 3\n"})
    assert of(project, one).digest != of(project, two).digest


def test_an_edited_class_counts_as_loaded(project: Path) -> None:
    module = load(project, "class C:\n    def m(self): return 1\n")
    before = of(project, module.C)
    write(project, {"m.py": "class C:\n    def m(self): return 2\n"})
    after = of(project, module.C)
    assert after.digest != before.digest
    assert after.widened


def _typed(source: str, namespace: dict[str, object]) -> None:
    """Run ``source`` as a notebook does: no file, the text in ``linecache``."""
    name = f"<cell-{next(_numbers)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)


def _cell(*sources: str) -> dict[str, object]:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for source in sources:
        _typed(source, namespace)
    return namespace


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("def h(x): return x + 1\n", "def g(x): return h(x)\n"), False),
        (("def h(x): return x + 2\n", "def g(x): return h(x)\n"), True),
        (("def h(x): return x + 1  # a\n", "# b\ndef g(x):\n    'doc'\n    return h(x)\n"), False),
        (("def h(x): return x + 1\n", "def g(x): return -h(x)\n"), True),
        (("x = 5\ndef h(x): return x + 1\n", "print\ndef g(x): return h(x)\n"), False),
    ],
)
def test_code_typed_in_cells(project: Path, cells: tuple[str, ...], expected: bool) -> None:
    first = _cell("def h(x): return x + 1\n", "def g(x): return h(x)\n")
    second = _cell(*cells)
    assert (of(project, first["g"]).digest != of(project, second["g"]).digest) is expected


def test_cells_follow_project_modules_and_global_values(project: Path) -> None:
    write(project, {"live_project_lib.py": "def clean(x): return 1\n"})
    source = "from live_project_lib import clean\nimport live_project_lib as lib\nK = [1]\n"
    sys.path.insert(0, os.fspath(project))
    try:
        cell = _cell(source, "def g(x): return clean(x), lib.clean, K\n")
    finally:
        sys.path.pop(0)
    assert "live_project_lib.py::clean" in of(project, cell["g"]).symbols
    assert ProjectCode(os.fspath(project)).closure(cell["g"]) == {"K": [1]}


def test_a_step_nested_in_a_cell(project: Path) -> None:
    source = "def p(n):\n    def h(x): return x\n    def s(x): return h(x) + n\n    return s\n"
    before = _cell(source)["p"](4)  # type: ignore[operator]
    after = _cell(source.replace("return x\n", "return -x\n"))["p"](4)  # type: ignore[operator]
    assert of(project, before).digest != of(project, after).digest
    assert ProjectCode(os.fspath(project)).closure(before) == {"n": 4}


def test_code_without_any_source(project: Path) -> None:
    def made(source: str) -> object:
        namespace: dict[str, object] = {"__name__": "__main__"}
        exec(source, namespace)
        return namespace["g"]

    one = of(project, made("def h(): return 1\ndef g(): return h()"))
    two = of(project, made("def h(): return 2\ndef g(): return h()"))
    assert one.digest != two.digest
    assert one.digest == of(project, made("def h(): return 1\n\ndef g(): return h()")).digest
    assert one.widened


def test_a_class_typed_in_a_cell(project: Path) -> None:
    source = "class C:\n    k = 1\n    def m(self): return self.k\ndef g(): return C().m()\n"
    one, two = _cell(source), _cell(source.replace("k = 1", "k = 2"))
    assert of(project, one["g"]).digest != of(project, two["g"]).digest


def test_a_function_of_a_main_script(project: Path) -> None:
    module = load(project, "def g(): return 1\nif __name__ == '__main__': print(g())\n")
    module.g.__module__ = "__main__"
    assert of(project, module.g).files == ("m.py",)
