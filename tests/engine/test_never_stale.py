"""What could change a result, changes it: after any of these edits a cached run gives what a run without a cache gives.

Each row is a small project and one change. Before the change, a second run executes nothing.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from expops.hashing.values import fingerprint
from sandbox import Sandbox, outcomes, outputs, reasons

HEAD = "import os\nfrom expops import log_metric, process, step\n"
Change = Callable[[Sandbox], None]


def edit(old: str, new: str, path: str = "src/model.py") -> Change:
    def change(sandbox: Sandbox) -> None:
        text = (sandbox.root / path).read_text()
        assert old in text
        (sandbox.root / path).write_text(text.replace(old, new))

    return change


def data(text: str) -> Change:
    return lambda sandbox: sandbox.write("data/a.txt", text)


def k(value: int) -> Change:
    return lambda sandbox: sandbox.configure([{"name": "p", "parameters": {"k": value}}])


def variable(sandbox: Sandbox) -> None:
    os.environ["SANDBOX_X"] = "2"


class Row(NamedTuple):
    source: str
    change: Change
    files: Mapping[str, str] = {}


A_TXT = {"data/a.txt": "1"}
PLUGIN = {"src/plugin.py": "V = 1\n"}
HELPER = {
    "src/helper.py": "import json, os\nV = json.load(open(os.path.join(os.path.dirname(__file__), 'c.json')))\n",
    "src/c.json": "1",
}

CODE = {
    "a helper's default": Row(
        """
def helper(x, k=1):
    return x * k
@step
def s(x):
    return helper(x)
@process()
def p():
    return {"x": s(3)}
""",
        edit("k=1", "k=2"),
    ),
    "a default made from a constant": Row(
        """
K = 1
@step
def s(x, k=K):
    return x * k
@process()
def p():
    return {"x": s(3)}
""",
        edit("K = 1", "K = 2"),
    ),
    "a step within a process": Row(
        """
@process()
def p():
    @step
    def s(x):
        return x * 1
    return {"x": s(3)}
""",
        edit("x * 1", "x * 2"),
    ),
    "a method that a step calls on its object": Row(
        """
class Base:
    def helper(self, x):
        return x * 1
class Model(Base):
    @step
    def s(self, x):
        return self.helper(x)
@process()
def p():
    return {"x": Model().s(3)}
""",
        edit("x * 1", "x * 2"),
    ),
    "a decorator below @step": Row(
        """
import functools
def decorate(function):
    @functools.wraps(function)
    def wrapped(*args):
        return function(*args) * 1
    return wrapped
@step
@decorate
def s(x):
    return x
@process()
def p():
    return {"x": s(3)}
""",
        edit("(*args) * 1", "(*args) * 2"),
    ),
    "an argument of a decorator": Row(
        """
import functools
def decorate(k):
    def inner(function):
        @functools.wraps(function)
        def wrapped(*args):
            return function(*args) * k
        return wrapped
    return inner
@step
@decorate(1)
def s(x):
    return x
@process()
def p():
    return {"x": s(3)}
""",
        edit("@decorate(1)", "@decorate(2)"),
    ),
    "a step that calls itself": Row(
        """
@step
def s(n):
    return 1 if n == 0 else s(n - 1) * 1
@process()
def p():
    return {"x": s(3)}
""",
        edit("s(n - 1) * 1", "s(n - 1) * 2"),
    ),
    "a relative import": Row(
        """
from pk.a import f
@step
def s():
    return f()
@process()
def p():
    return {"x": s()}
""",
        edit("1", "2", "src/pk/b.py"),
        {
            "src/pk/__init__.py": "",
            "src/pk/a.py": "from . import b\ndef f():\n    return b.V\n",
            "src/pk/b.py": "V = 1\n",
        },
    ),
    "a module that is found by a computed name": Row(
        """
import importlib
@step
def s(name):
    return importlib.import_module(name).V
@process()
def p(name="plugin"):
    return {"x": s(name), "y": importlib.import_module(name).V}
""",
        edit("1", "2", "src/plugin.py"),
        PLUGIN,
    ),
    "a module that is loaded by its path": Row(
        """
import importlib.util
@process()
def p():
    path = os.path.join(os.path.dirname(__file__), "plugin.py")
    spec = importlib.util.spec_from_file_location("loaded", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {"x": module.V}
""",
        edit("1", "2", "src/plugin.py"),
        PLUGIN,
    ),
    "a script that is run by its path": Row(
        """
import runpy
@process()
def p():
    return {"x": runpy.run_path(os.path.join(os.path.dirname(__file__), "plugin.py"))["V"]}
""",
        edit("1", "2", "src/plugin.py"),
        PLUGIN,
    ),
}

ARGUMENTS = """
import functools, dataclasses, typing
def helper(x):
    return x * 1
class Obj:
    def __init__(self, k):
        self.k = k
    def __call__(self, x):
        return helper(x) * self.k
    def method(self, x):
        return self(x)
    @staticmethod
    def static(x):
        return helper(x)
    @classmethod
    def of_class(cls, x):
        return helper(x)
@dataclasses.dataclass
class Data:
    k: int
    def __call__(self, x):
        return helper(x) * self.k
def nested():
    def inner(x):
        return helper(x)
    return inner
@step
def inner_step(x):
    return helper(x)
@step
def s(f, x):
    f = f[0] if isinstance(f, list) else f["f"] if isinstance(f, dict) else f
    return f(1)(x) if f is Obj else f(x)
@process()
def p():
    return {"x": s(ARGUMENT, 3)}
"""
for argument in (
    "helper",
    "lambda x: helper(x)",
    "functools.partial(helper)",
    "Obj",
    "Obj(1)",
    "Obj(1).method",
    "Obj.static",
    "Obj.of_class",
    "[helper]",
    "{'f': helper}",
    "Data(1)",
    "nested()",
    "inner_step",
):
    CODE[f"what the argument {argument} calls"] = Row(ARGUMENTS.replace("ARGUMENT", argument), edit("x * 1", "x * 2"))

VALUES = {
    "an enclosed variable": "def s(x): return x * k",
    "a default of an enclosed step": "def s(x, k=k): return x * k",
    "a keyword default of an enclosed step": "def s(x, *, k=k): return x * k",
    "a variable of an enclosed function": "def s(x): return multiply(x)",
    "a variable of an enclosed lambda": "def s(x): return functions[1](x)",
    "a variable of an enclosed partial": "def s(x): return partial(x)",
    "a variable of an enclosed step": "def s(x): return other(x)",
    "a variable of an enclosed object's class": "def s(x): return local.method(x)",
}
SOURCES = {
    name: Row(
        f"""
import functools
@process()
def p(k=1):
    def multiply(x):
        return x * k
    functions = [lambda x, i=i: x * k + i for i in range(2)]
    partial = functools.partial(lambda a, b: a * b * k, 2)
    @step
    def other(x):
        return x * k
    class Local:
        def method(self, x):
            return x * k
    local = Local()
    @step
    {definition}
    return {{"x": s(3)}}
""",
        k(2),
    )
    for name, definition in VALUES.items()
}
SOURCES |= {
    "a step that a function makes": Row(
        """
def make(k):
    @step
    def s(x):
        return x * k
    return s
@process()
def p(k=1):
    return {"x": make(k)(3)}
""",
        k(2),
    ),
    "the object that a step is a method of": Row(
        """
class Model:
    def __init__(self, k):
        self.k = k
    @step
    def s(self, x):
        return x * self.k
@process()
def p(k=1):
    return {"x": Model(k).s(3)}
""",
        k(2),
    ),
    "a generator as argument": Row(
        """
@step
def s(items):
    return sum(items)
@process()
def p(k=1):
    return {"x": s(i * k for i in range(3))}
""",
        k(2),
    ),
}
for name, setting, use in (
    ("an item of a dictionary", "CONFIG['k'] = k", "CONFIG['k']"),
    ("a module variable that is bound anew", "bind(k)", "K"),
    ("an attribute of a class", "Settings.k = k", "Settings.k"),
    ("an attribute of an object", "SETTINGS.k = k", "SETTINGS.k"),
    ("a variable of another module", "helper.K = k", "helper.get()"),
    ("a generator of random numbers", "RNG.random(k)", "float(np.random.Generator.random(RNG))"),
):
    SOURCES[f"{name}, set while the process runs"] = Row(
        f"""
import numpy as np
import helper
CONFIG = {{"k": 1}}
K = 1
RNG = np.random.default_rng(0)
class Settings:
    k = 1
SETTINGS = Settings()
def bind(k):
    global K
    K = k
@step
def s(x):
    return x * ({use})
@process()
def p(k=1):
    {setting}
    return {{"x": s(3)}}
""",
        k(2),
        {"src/helper.py": "K = 1\ndef get():\n    return K\n"},
    )


def _gzip(sandbox: Sandbox) -> None:
    import gzip

    with gzip.open(sandbox.root / "data" / "a.gz", "wt") as file:
        file.write(str(len(list((sandbox.root / "data").iterdir()))))


def _database(sandbox: Sandbox) -> None:
    connection = sqlite3.connect(sandbox.root / "data" / "a.db")
    connection.execute("create table if not exists t(v)")
    connection.execute("insert into t values (1)")
    connection.commit()
    connection.close()


READS = {
    name: Row(
        f"""
import gzip, io, pkgutil, sqlite3, threading, importlib.resources
from pathlib import Path
import numpy as np, pandas as pd
def in_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(open("data/a.txt").read()))
    thread.start()
    thread.join()
    return found
def by_descriptor():
    fd = os.open("data/a.txt", os.O_RDONLY)
    try:
        return os.read(fd, 10)
    finally:
        os.close(fd)
def from_elsewhere():
    os.chdir("data")
    return open("a.txt").read()
def database():
    connection = sqlite3.connect("data/a.db")
    try:
        return connection.execute("select * from t").fetchall()
    finally:
        connection.close()
def through_link():
    os.symlink(os.path.realpath("data/a.txt"), "mine.txt")
    return open("mine.txt").read()
def after_copy():
    import shutil
    shutil.copy("data/a.txt", "copy.txt")
    return open("copy.txt").read()
@step
def s():
    return {reading}
@process()
def p():
    return {{"x": {reading if "mine" not in reading else "s()"}}} if {process} else {{"x": s()}}
""",
        change,
        {"data/a.txt": "1\n", "src/pk/__init__.py": "", "src/pk/d.txt": "1"},
    )
    for process in (False, True)
    for name, reading, change in (
        (f"text, process={process}", 'open("data/a.txt").read()', data("2\n")),
        (f"pathlib, process={process}", 'Path("data/a.txt").read_text()', data("2\n")),
        (f"thread, process={process}", "in_thread()", data("2\n")),
        (f"descriptor, process={process}", "by_descriptor()", data("2\n")),
        (f"chdir, process={process}", "from_elsewhere()", data("2\n")),
        (f"link, process={process}", "through_link()", data("2\n")),
        (f"copy, process={process}", "after_copy()", data("2\n")),
        (f"gzip, process={process}", 'gzip.open("data/a.gz", "rt").read()', _gzip),
        (f"database, process={process}", "database()", _database),
        (f"numpy, process={process}", 'float(np.loadtxt("data/a.txt"))', data("2\n")),
        (f"numpy raw, process={process}", 'np.fromfile("data/a.txt", dtype="u1").tolist()', data("2\n")),
        (f"pandas, process={process}", 'pd.read_csv("data/a.txt", header=None)[0].tolist()', data("2\n")),
        (f"listing, process={process}", 'sorted(os.listdir("data"))', lambda s: s.write("data/b.txt", "")),
        (
            f"glob, process={process}",
            'sorted(p.name for p in Path("data").glob("*.txt"))',
            lambda s: s.write("data/b.txt", ""),
        ),
        (f"package data, process={process}", 'pkgutil.get_data("pk", "d.txt")', edit("1", "2", "src/pk/d.txt")),
        (
            f"resource, process={process}",
            'importlib.resources.files("pk").joinpath("d.txt").read_text()',
            edit("1", "2", "src/pk/d.txt"),
        ),
        (
            f"old temporary file, process={process}",
            'open(os.environ["SANDBOX_FILE"]).read()',
            lambda s: Path(os.environ["SANDBOX_FILE"]).write_text("2") and None,
        ),
        (f"variable, process={process}", 'os.environ.get("SANDBOX_X")', variable),
        (f"expanded variable, process={process}", 'os.path.expandvars("$SANDBOX_X")', variable),
    )
}
READS |= {
    "by a step that failed and was caught": Row(
        """
@step
def s():
    raise ValueError(open("data/a.txt").read())
@process()
def p():
    try:
        s()
    except ValueError as error:
        return {"x": str(error)}
""",
        data("2"),
        A_TXT,
    ),
    "by what memoised it for another step": Row(
        """
import functools
MEMO = {}
@functools.lru_cache
def load():
    return open("data/a.txt").read()
def memo():
    if "a" not in MEMO:
        MEMO["a"] = open("data/a.txt").read()
    return MEMO["a"]
@step
def s():
    return load() + memo()
@step
def t():
    return load() + "!" + memo()
@step
def u():
    return memo() + "?"
@process()
def p():
    return {"x": s(), "y": t(), "z": u()}
""",
        data("2"),
        A_TXT,
    ),
    "by a module while it is imported": Row(
        """
import helper
@step
def s():
    return helper.V
@process()
def p():
    return {"x": s(), "y": helper.V}
""",
        edit("1", "2", "src/c.json"),
        HELPER,
    ),
    "by a module that two steps import late": Row(
        """
@step
def s():
    import helper
    return helper.V
@step
def t():
    import helper
    return helper.V
@process()
def p():
    return {"x": s(), "y": t()}
""",
        edit("1", "2", "src/c.json"),
        HELPER,
    ),
    "a file that another step has left, by its new name": Row(
        """
@step
def rename():
    os.replace("a.txt", "b.txt")
@step
def link():
    os.link("b.txt", "c.txt")
@process()
def p(k=1):
    with open("a.txt", "w") as file:
        file.write(str(k))
    rename()
    link()
    return {"x": open("c.txt").read()}
""",
        k(2),
    ),
}


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setenv("SANDBOX_X", "1")
    monkeypatch.setenv("SANDBOX_FILE", str(tmp_path / "outside.txt"))
    (tmp_path / "outside.txt").write_text("1")
    return Sandbox(tmp_path / "project")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{kind}: {name}")
        for kind, rows in (("code", CODE), ("value", SOURCES), ("read", READS))
        for name, row in rows.items()
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_after_a_change_the_result_is_that_of_a_fresh_run(row: Row, sandbox: Sandbox) -> None:
    for path, text in row.files.items():
        sandbox.write(path, text)
    if "data/" in row.source:
        _gzip(sandbox)
        _database(sandbox)
    sandbox.write("src/model.py", HEAD + row.source)
    sandbox.configure(["p"])
    first = sandbox.run()
    assert first.run.status == "done", [action.error for action in first.actions]
    assert outcomes(sandbox.run()) == {"p": "hit"}, sandbox.seen.warnings
    row.change(sandbox)
    second = sandbox.run()
    assert outputs(second) == outputs(sandbox.run(mode="off"))
    assert outputs(second) != outputs(first)


def test_steps_made_in_a_loop_with_other_defaults(sandbox: Sandbox) -> None:
    sandbox.write(
        "src/model.py",
        HEAD
        + """
@process()
def p():
    found = []
    for k in (1, 2):
        @step
        def s(x, k=k):
            return x * k
        @step
        def named(x, *, k=k):
            return x * k
        found += [s(3), named(3)]
    return {"x": found == [3, 3, 6, 6]}
""",
    )
    sandbox.configure(["p"])
    result = sandbox.run()
    sandbox.write("src/model.py", (sandbox.root / "src/model.py").read_text().replace("found ==", "[*found] =="))
    assert outputs(result) == outputs(sandbox.run())
    assert outputs(result)["p"]["x"] == fingerprint(True)


EDITED = {
    "src/lib.py": "V = 1\ndef f():\n    return V\n",
    "src/model.py": HEAD
    + """
PATH = os.path.join(os.path.dirname(__file__), "lib.py")
@process()
def first():
    with open(PATH) as file:
        text = file.read()
    with open(PATH, "w") as file:
        file.write(text.replace("V = 1", "V = 2"))
    return {}
""",
    "src/other.py": HEAD
    + """
import lib
@step
def s():
    return lib.f()
@process()
def second():
    return {"x": s(), "y": lib.f()}
""",
}


@pytest.mark.parametrize("jobs", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_code_that_is_edited_between_plan_and_import(sandbox: Sandbox, jobs: int) -> None:
    for path, text in EDITED.items():
        sandbox.write(path, text)
    sandbox.configure([{"name": "first", "code": "main.first"}, {"name": "second", "code": "other.second"}])
    config = sandbox.root / "configs" / "project_config.yaml"
    config.write_text(
        config.read_text().replace('"main": "src/model.py"', '"main": "src/model.py", "other": "src/other.py"')
    )
    first = sandbox.run(jobs=jobs)
    assert "src/lib.py was edited after this run began: process 'second' ran the new code" in sandbox.seen.warnings
    again = sandbox.run(jobs=jobs)
    assert outcomes(again)["second"] == "hit"
    assert outputs(again)["second"] == outputs(first)["second"]
    sandbox.write("src/lib.py", EDITED["src/lib.py"])
    sandbox.write("src/model.py", EDITED["src/model.py"].replace("V = 2", "V = 1"))
    old = sandbox.run(jobs=jobs)
    assert outcomes(old)["second"] == "executed"
    assert outputs(old)["second"] == outputs(sandbox.run(mode="off"))["second"] != outputs(first)["second"]


def test_code_that_is_edited_between_import_and_step(sandbox: Sandbox) -> None:
    sandbox.write("src/lib.py", EDITED["src/lib.py"])
    source = (
        HEAD
        + """
import lib
@step
def s():
    return lib.f()
@process()
def p(flag=0):
    if flag == 0:
        with open(lib.__file__, "w") as file:
            file.write("V = 2\\ndef f():\\n    return V\\n")
    return {"x": s()}
"""
    )
    sandbox.write("src/model.py", source)
    sandbox.configure(["p"])
    first = sandbox.run()
    assert any("'p/s' ran code that was edited meanwhile" in message for message in sandbox.seen.warnings)
    second = sandbox.run(settings=["p.flag=1"])
    assert outcomes(second) == {"p/s": "executed", "p": "executed"}
    assert outputs(second) != outputs(first)


SCRIPT = """
import sys
import expops, lib
cache = expops.Cache(".cache")
K = int(sys.argv[1])
TABLE = [K]
if sys.argv[2] == "edit":
    with open(lib.__file__, "w") as file:
        file.write("def f():\\n    return 'new'\\n")

@cache.step
def s():
    return [lib.f(), K, TABLE]

print(s(), cache.hits)
"""


def test_a_script_whose_variables_and_helpers_change(tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_text("def f():\n    return 'old'\n")
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))

    def run(*arguments: str) -> str:
        command = [sys.executable, "-B", "script.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    assert run("1", "") == "['old', 1, [1]] 0"
    assert run("1", "") == "['old', 1, [1]] 1"
    assert run("2", "") == "['old', 2, [2]] 0"
    assert run("3", "edit") == "['old', 3, [3]] 0"  # what runs is what was loaded
    assert run("3", "") == "['new', 3, [3]] 0"


def test_the_reason_names_a_variable_that_was_set(sandbox: Sandbox) -> None:
    sandbox.write("src/model.py", HEAD + SOURCES["an item of a dictionary, set while the process runs"].source)
    sandbox.write("src/helper.py", "K = 1\ndef get():\n    return K\n")
    sandbox.configure(["p"])
    sandbox.run()
    k(2)(sandbox)
    assert reasons(sandbox.run())["p/s"] == "enclosed variable CONFIG of src/model.py is new"
