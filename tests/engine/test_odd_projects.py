"""Projects that are put together unusually run, hit, and give the same in workers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from expops.hashing.values import fingerprint
from sandbox import Sandbox, outcomes, outputs

HEAD = "import os, random, sys\nfrom expops import log_metric, process, step\n"

NAMES = [
    "a b",
    "ünï—ß",
    "x" * 300,
    "a#2",
    "Data",
    "data",
    "..",
    ".",
    "con",
    "-x",
    "a'b\"",
    "%s",
    "{0}",
    "*",
    "~",
    "a\\b",
    "é",
    "e\u0301",
    ".expops",
    "work",
]


def test_processes_of_any_name(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        HEAD
        + """
@step
def größe(x):
    with open("file ü.txt", "w") as file:
        file.write(x)
    return random.random()
@process()
def p(name):
    return {"x": größe(name)}
""",
    )
    sandbox.configure([{"name": name, "code": "main.p", "parameters": {"name": name}} for name in NAMES])
    first = sandbox.run()
    assert first.run.status == "done"
    assert len({marks["x"] for marks in outputs(first).values()}) == len(NAMES)
    shelf = sandbox.root / ".expops" / "artifacts"
    assert sorted(path.read_text() for path in shelf.glob("*/file ü.txt")) == sorted(NAMES)
    second = sandbox.run()
    assert outputs(second) == outputs(first)
    assert set(outcomes(second).values()) == {"hit"}


def test_steps_and_outputs_of_any_name(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        HEAD
        + """
def make(name):
    def inner(x):
        return [name, x]
    inner.__name__ = name
    return step(inner)
NAMES = ["a/b", "a#2", "x" * 400, "ü", ""]
double = step(lambda x: x * 2)
@process()
def p(flag=0):
    return {**{name: make(name)(1) for name in NAMES}, "return": double(1), "class": double(2), "a\\nb": 3}
@process()
def q(**others):
    return {"all": others}
""",
    )
    sandbox.configure(["p", "q"], "p q")
    first = sandbox.run()
    assert first.run.status == "done"
    second = sandbox.run(settings=["p.flag=1"])
    assert outputs(second) == outputs(first)
    assert {path for path, outcome in outcomes(second).items() if outcome != "hit"} == {"p"}


class Layout(NamedTuple):
    files: Mapping[str, str]
    scripts: Mapping[str, str]
    processes: Mapping[str, str]
    edges: str = ""


THING = """
class Thing:
    k = {k}
@process()
def p{k}():
    return {{"thing{k}": Thing()}}
@process()
def q{k}(thing{k}):
    return {{"k{k}": type(thing{k}).k, "own{k}": isinstance(thing{k}, Thing)}}
"""
LAYOUTS = {
    "a script named like a module of the standard library": Layout(
        {"src/statistics.py": HEAD + THING.format(k=1)},
        {"a": "src/statistics.py"},
        {"p1": "a.p1", "q1": "a.q1"},
        "p1 q1",
    ),
    "a script named like a library": Layout(
        {"src/pandas.py": HEAD + THING.format(k=1)},
        {"a": "src/pandas.py"},
        {"p1": "a.p1", "q1": "a.q1"},
        "p1 q1",
    ),
    "two scripts of one name": Layout(
        {"src/a/model.py": HEAD + THING.format(k=1), "src/b/model.py": HEAD + THING.format(k=2)},
        {"a": "src/a/model.py", "b": "src/b/model.py"},
        {"p1": "a.p1", "q1": "a.q1", "p2": "b.p2", "q2": "b.q2"},
        "p1 q1\np2 q2",
    ),
    "a script in a package, with imports by dots": Layout(
        {
            "src/pk/__init__.py": "",
            "src/pk/sub/__init__.py": "",
            "src/pk/base.py": "V = 1\n",
            "src/pk/sub/model.py": HEAD
            + "from .. import base\nfrom ..base import V\nfrom . import side\n"
            + THING.format(k=1)
            + "assert base.V == V == side.V\n",
            "src/pk/sub/side.py": "from ..base import V\n",
        },
        {"a": "src/pk/sub/model.py"},
        {"p1": "a.p1", "q1": "a.q1"},
        "p1 q1",
    ),
    "src as a package and as a folder of modules": Layout(
        {
            "src/__init__.py": "",
            "src/lib.py": "V = 1\n",
            "src/model.py": HEAD + "import lib\nfrom src.lib import V\n" + THING.format(k=1),
        },
        {"a": "src/model.py"},
        {"p1": "a.p1", "q1": "a.q1"},
        "p1 q1",
    ),
    "a guarded main and a script at the top": Layout(
        {"model.py": HEAD + THING.format(k=1) + "if __name__ == '__main__':\n    raise SystemExit('not now')\n"},
        {"a": "model.py"},
        {"p1": "a.p1", "q1": "a.q1"},
        "p1 q1",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("jobs", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_layouts(layout: Layout, jobs: int, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    for path, text in layout.files.items():
        sandbox.write(path, text)
    document = {
        "metadata": {"name": "odd"},
        "scripts": dict(layout.scripts),
        "experiment": {
            "pipeline": {
                "process_adjlist": layout.edges,
                "processes": [{"name": name, "code": code} for name, code in layout.processes.items()],
            }
        },
    }
    sandbox.write("configs/project_config.yaml", json.dumps(document))
    first = sandbox.run(jobs=jobs)
    assert first.run.status == "done", [action.error for action in first.actions]
    assert sandbox.seen.warnings == []
    for name, marks in outputs(first).items():
        if name[0] == "q":
            assert marks == {"k" + name[1]: fingerprint(int(name[1])), "own" + name[1]: fingerprint(True)}
    assert set(outcomes(sandbox.run(jobs=jobs)).values()) == {"hit"}
    below = [name for name in layout.processes if name[0] == "q"]
    assert outputs(sandbox.run(jobs=jobs, forced=below)) == outputs(first)


@pytest.mark.parametrize("name", ["my prö ject 'x'", "a b", "%d", "pro.ject"])
def test_where_the_project_lies(name: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / name)
    sandbox.write("data/a.txt", "1")
    sandbox.write(
        "src/model.py",
        HEAD
        + """
@process()
def p():
    found = []
    for path in ("data/a.txt", os.path.abspath("data/a.txt")):
        with open(path) as file:
            found.append(file.read())
    return {"x": found}
""",
    )
    sandbox.configure(["p"])
    sandbox.run()
    os.symlink(sandbox.root, tmp_path / "link")
    linked = Sandbox(tmp_path / "link")
    assert outcomes(linked.run()) == {"p": "hit"}
    linked.write("data/a.txt", "2")
    second = linked.run()
    assert outcomes(second) == {"p": "executed"}
    assert outputs(second) == outputs(sandbox.run(mode="off"))


KINDS = """
import functools
import asyncio
class Model:
    def __init__(self, k):
        self.k = k
    @step
    def plain(self, x):
        return self.k * x
    @staticmethod
    @step
    def outer_static(x):
        return x
    @step
    @staticmethod
    def inner_static(x):
        return x + 1
    @classmethod
    @step
    def of_class(cls, x):
        return x + 2
@step
def several(*args, k=1, **others):
    return args, k, others
@step
def positional(a, /, b=2, *, c=3):
    return [a, b, c]
@step
@functools.lru_cache
def memoised(x):
    return x
@step
def generator(n):
    yield from range(n)
@step
async def coroutine(n):
    return n
built_in = step(len)
@process()
def p(flag=0):
    return {"x": [
        Model(2).plain(3), Model(3).plain(3), Model.outer_static(1), Model.inner_static(1), Model.of_class(1),
        several(1, 2, k=3, z=4), positional(1), memoised(3), built_in([1, 2]), list(map(positional, [1])),
        list(generator(2)), asyncio.run(coroutine(3)), functools.partial(several, 1)(2),
    ]}
"""
EXPECTED = [
    6,
    9,
    1,
    2,
    3,
    ((1, 2), 3, {"z": 4}),
    [1, 2, 3],
    3,
    2,
    [[1, 2, 3]],
    [0, 1],
    3,
    ((1, 2), 1, {}),
]


def test_kinds_of_steps(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write("src/model.py", HEAD + KINDS)
    sandbox.configure(["p"])
    first = sandbox.run()
    assert outputs(first)["p"]["x"] == fingerprint(EXPECTED)
    second = sandbox.run(settings=["p.flag=1"])
    assert outputs(second) == outputs(first)
    executed = {path for path, outcome in outcomes(second).items() if outcome == "executed"}
    assert executed == {"p", "p/generator", "p/coroutine"}
    assert all("can't be stored" in message for message in sandbox.seen.warnings)


@pytest.mark.parametrize("made", ["step(5)", "step(object())", "step(functools.partial(print))"])
def test_what_is_no_step_says_so(made: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write("src/model.py", HEAD + f"import functools\n@process()\ndef p():\n    return {{'x': {made}(1)}}\n")
    sandbox.configure(["p"])
    assert "TypeError: @step" in sandbox.run().actions[-1].error


PARALLEL = """
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from joblib import Parallel, delayed
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
@step
def inner(x):
    return x * 2
def work(x):
    print("child", x)
    return inner(x)
@step
def pool(kind):
    with multiprocessing.get_context(kind).Pool(2) as workers:
        return workers.map(work, range(3))
@step
def loky(n):
    with open("here.txt", "w") as file:
        file.write("x")
    return Parallel(n_jobs=n)(delayed(os.path.exists)("here.txt") for _ in range(3))
@step
def forest(n):
    X, y = load_iris(return_X_y=True)
    return cross_val_score(RandomForestClassifier(3, n_jobs=n, random_state=0), X, y, n_jobs=n).tolist()
@process()
def p(flag=0):
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(inner, range(3)))
    return {"a": found, "b": [pool("fork"), pool("spawn")], "c": loky(2), "d": forest(2)}
@process()
def q(flag=0):
    return {"c": loky(2)}
"""


@pytest.mark.slow
def test_code_that_runs_in_processes_of_its_own(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write("src/model.py", HEAD + PARALLEL)
    sandbox.configure(["p", "q"])
    first = sandbox.run(jobs=1)
    assert first.run.status == "done", [action.error for action in first.actions]
    assert outputs(first)["p"]["c"] == outputs(first)["q"]["c"] == fingerprint([True] * 3)
    second = sandbox.run(jobs=1, settings=["p.flag=1", "q.flag=1"])
    assert outputs(second) == outputs(first)
    assert {path for path, outcome in outcomes(second).items() if outcome != "hit"} == {"p", "q"}
    assert outputs(sandbox.run(jobs=2, mode="off"))["p"] == outputs(first)["p"]


def test_places_where_results_get_lost_are_told(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write("data/a.txt", "1")
    sandbox.write(
        "src/model.py",
        HEAD
        + """
@process()
def p():
    with open("data/out.txt", "w") as file:
        file.write("2")
    with open("own.txt", "w") as file:
        file.write("3")
    return {"path": os.path.abspath("own.txt"), "names": sorted(os.listdir("data"))}
""",
    )
    sandbox.configure(["p"])
    sandbox.run()
    first, second = sandbox.seen.warnings
    assert "process 'p' wrote data/out.txt in the project's folder" in first
    assert "output 'path' of process 'p' is the path of a file in its working folder" in second
    sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit"}


def test_what_is_set_and_read_again_is_no_input(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        HEAD
        + """
import tempfile
@step
def s():
    os.environ["SANDBOX_NEW"] = "1"
    with tempfile.NamedTemporaryFile("w+") as file:
        file.write("1")
        file.flush()
        with open(file.name) as again:
            return os.environ["SANDBOX_NEW"] + again.read()
@process()
def p(flag=0):
    os.environ["SANDBOX_NEW"] = "2"
    return {"x": s() + os.environ["SANDBOX_NEW"]}
""",
    )
    sandbox.configure(["p"])
    first = sandbox.run()
    assert outputs(first)["p"]["x"] == fingerprint("112")
    assert outcomes(sandbox.run()) == {"p": "hit"}
    assert outcomes(sandbox.run(settings=["p.flag=1"])) == {"p/s": "hit", "p": "executed"}
    assert "SANDBOX_NEW" not in os.environ


def test_a_process_that_prints_and_logs_a_hundred_thousand_times(tmp_path: Path) -> None:
    """Within the time limit of a test: what is collected line by line mustn't be copied line by line."""
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        HEAD
        + """
@step
def s(n):
    for index in range(n):
        print("line", index)
        log_metric("m", index)
@process()
def p():
    s(100_000)
    return {}
""",
    )
    sandbox.configure(["p"])
    first = sandbox.run()
    assert sandbox.seen.text("p").splitlines() == [f"line {index}" for index in range(100_000)]
    assert first.metrics["p"]["m"] == {index + 1: index for index in range(100_000)}
    assert sandbox.run().metrics == first.metrics
