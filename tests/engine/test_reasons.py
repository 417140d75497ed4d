"""Promise 4: each cause of an execution is named, for processes and for steps, and all of them if there are several."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from expops import wiring
from expops.kv.base import KVStore
from sandbox import Sandbox, outcomes, reasons

MODEL = """
    import os
    import random

    import alien
    from expops import process, step
    from lib import clean

    LIMIT = 1

    @step
    def work(rows, rate):
        with open("data/x.txt") as file:
            text = file.read()
        parts = sorted(os.listdir("data/parts"))
        mode = os.environ.get("EXPOPS_TEST_MODE")
        return [clean(rows) * rate + LIMIT, text, parts, mode, random.random(), alien.value]

    @process()
    def load():
        return {"rows": 3}

    @process()
    def use(rows, rate, model):
        return {"out": work(rows, rate)}
"""
LIB = """
    def clean(rows):
        return rows + 1
"""


class Scene(Sandbox):
    """A project whose process and step can be made to run anew for every kind of reason."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(root / "project")
        self.site = root / "site-packages"
        self.patch = patch
        self.rate = 2
        self.depth = 3
        self.name = "use"
        self.cache = True
        self.policy = "exact"
        self.write("src/model.py", MODEL)
        self.write("src/lib.py", LIB)
        self.write("data/x.txt", "x")
        self.write("data/parts/a", "")
        self.install("1.0")
        patch.setattr(sys, "path", [*sys.path, os.fspath(self.site)])
        patch.delenv("EXPOPS_TEST_MODE", raising=False)
        patch.delitem(sys.modules, "alien", raising=False)

    def install(self, version: str) -> None:
        for old in self.site.glob("*.dist-info"):
            old.rename(self.site / f"alien-{version}.dist-info")
        info = self.site / f"alien-{version}.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "RECORD").write_text("alien.py,,\n")
        (self.site / "alien.py").write_text("value = 1\n")

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    def again(self, seed: int | None = None, forced: tuple[str, ...] = ()) -> dict[str, str]:
        use = {
            "name": self.name,
            "code": "main.use",
            "parameters": {"rate": self.rate, "model": {"depth": self.depth, "kinds": {"a": "tree"}}},
            "cache": self.cache,
        }
        self.configure(["load", use], f"load {self.name}")
        cache = f'"experiment": {{"cache": {{"libraries": "{self.policy}"}},'
        self.edit("configs/project_config.yaml", '"experiment": {', cache)
        result = self.run(seed=seed, forced=forced)
        assert result.run.status == "done", result.actions
        return {path: reason for path, reason in reasons(result).items() if outcomes(result)[path] == "executed"}

    def delete(self, prefix: str) -> None:
        loaded = wiring.load_project(str(self.root))
        kv: KVStore = loaded.project.cache.kv
        kv.delete([name for name, _ in kv.scan(prefix)])
        wiring.close(loaded)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(tmp_path, monkeypatch)
    assert set(made.again().values()) == {"never ran before"}
    assert made.again() == {}
    return made


# What is done, the reason of the process, and that of the step; "" where it is served from the cache.
ROWS: dict[str, tuple[Callable[[Scene], object], str, str]] = {
    "code of the step": (
        lambda s: s.edit("src/model.py", "return [clean", "return [0, clean"),
        "code of helper 'work' in src/model.py changed",
        "code of 'work' in src/model.py changed",
    ),
    "code of the process": (
        lambda s: s.edit("src/model.py", '"out": work', '"new": 1, "out": work'),
        "code of 'use' in src/model.py changed",
        "",
    ),
    "a helper": (
        lambda s: s.edit("src/lib.py", "+ 1", "+ 2"),
        *["code of helper 'clean' in src/lib.py changed"] * 2,
    ),
    "a constant": (
        lambda s: s.edit("src/model.py", "LIMIT = 1", "LIMIT = 2"),
        *["code of helper 'LIMIT' in src/model.py changed"] * 2,
    ),
    "code at import": (
        lambda s: s.edit("src/lib.py", "def clean", "import atexit\natexit.register(print)\ndef clean"),
        *["import-time code of src/lib.py added; code of helper 'atexit' in src/lib.py added"] * 2,
    ),
    "a parameter": (lambda s: setattr(s, "rate", 5), "parameter rate 2 → 5", "input rate 2 → 5"),
    "a parameter in a parameter": (lambda s: setattr(s, "depth", 4), "parameter model.depth 3 → 4", ""),
    "an input": (
        lambda s: s.edit("src/model.py", '{"rows": 3}', '{"rows": 4}'),
        "input 'rows' from process 'load' changed",
        "input rows 3 → 4",
    ),
    "a file": (lambda s: s.write("data/x.txt", "y"), *["file data/x.txt changed"] * 2),
    "a folder": (lambda s: s.write("data/parts/b", ""), *["folder data/parts has other files"] * 2),
    "an environment variable": (
        lambda s: s.patch.setenv("EXPOPS_TEST_MODE", "secret"),
        *["environment variable EXPOPS_TEST_MODE changed"] * 2,
    ),
    "a library": (lambda s: s.install("1.1"), *["library alien 1.0 → 1.1"] * 2),
    "records lost": (
        lambda s: (s.edit("src/lib.py", "+ 1", "+ 2"), s.delete("key/")),
        *["what it last ran with is not known any more"] * 2,
    ),
    "results lost": (lambda s: s.delete("result/"), *["its stored result is gone"] * 2),
    "caching is off": (lambda s: setattr(s, "cache", False), "caching is off for it", ""),
    "another name": (
        lambda s: setattr(s, "name", "train"),
        "never ran under this name; its code ran as 'use'",
        "what it read when it ran elsewhere has changed",
    ),
    "several causes": (
        lambda s: (s.edit("src/lib.py", "+ 1", "+ 2"), setattr(s, "rate", 5), s.write("data/x.txt", "y")),
        "code of helper 'clean' in src/lib.py changed; parameter rate 2 → 5; file data/x.txt changed",
        "code of helper 'clean' in src/lib.py changed; input rate 2 → 5; file data/x.txt changed",
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_cause_is_named(scene: Scene, row: str) -> None:
    change, of_process, of_step = ROWS[row]
    change(scene)
    found = scene.again()
    assert (found.get(scene.name, ""), found.get(f"{scene.name}/work", "")) == (of_process, of_step)


def test_a_seed_is_told_with_the_one_before(scene: Scene) -> None:
    again = scene.again(seed=43)
    assert again == {"use": "random seed 42 → 43", "use/work": "random seed 42 → 43"}
    scene.rate = 5
    assert scene.again(seed=7) == {
        "use": "parameter rate 2 → 5; random seed 43 → 7",
        "use/work": "input rate 2 → 5; random seed 43 → 7",
    }


def test_what_is_forced_says_so(scene: Scene) -> None:
    assert scene.again(forced=("use/work",)) == {"use": "forced", "use/work": "forced"}


def test_no_value_of_an_environment_variable_is_told(scene: Scene) -> None:
    scene.patch.setenv("EXPOPS_TEST_MODE", "hunter2")
    scene.again()
    assert not any(b"hunter2" in path.read_bytes() for path in (scene.root / ".expops").rglob("*") if path.is_file())


def test_a_failure_is_remembered_until_it_is_mended(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    body = "from expops import process, step\n@step\ndef part(): {0}\n"
    body += "@process()\ndef run():\n    return {{'x': part()}}\n"
    sandbox.write("src/model.py", body.format("raise ValueError"))
    sandbox.configure(["run"])
    assert reasons(sandbox.run()) == {"run/part": "never ran before", "run": "never ran before"}
    assert sandbox.plan() == {"run": ("miss", "it failed last time")}
    sandbox.write("src/model.py", body.format("return 1"))
    assert set(reasons(sandbox.run()).values()) == {"it failed last time"}
    sandbox.write("src/model.py", body.format("raise ValueError"))
    changed = "code of helper 'part' in src/model.py changed"
    assert sandbox.run().run.status == "failed"
    # An earlier result is known, so that what has changed since can be told.
    assert sandbox.plan() == {"run": ("miss", changed)}
    sandbox.write("src/model.py", body.format("return 1"))
    assert set(outcomes(sandbox.run()).values()) == {"hit"}


def test_a_result_that_could_not_be_kept_is_no_news(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    source = "from expops import process\n@process()\ndef run():\n    return {'x': (i for i in [])}\n"
    sandbox.write("src/model.py", source)
    sandbox.configure(["run"])
    assert reasons(sandbox.run()) == {"run": "never ran before"}
    assert reasons(sandbox.run()) == {"run": "its last result could not be kept"}


def test_another_call_of_a_step_is_new_only_in_its_inputs(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    source = "from expops import process, step\n@step\ndef part(x): return x\n@process()\ndef run(n):\n"
    sandbox.write("src/model.py", source + "    return {'x': [part(i) for i in range(n)]}\n")
    sandbox.configure([{"name": "run", "parameters": {"n": 1}}])
    assert reasons(sandbox.run())["run/part"] == "never ran before"
    again = reasons(sandbox.run(settings=["run.n=2"]))
    assert (again["run/part"], again["run/part#2"]) == ("nothing changed", "never ran before with these inputs")


def test_the_policy_for_libraries_holds_for_processes_and_steps(scene: Scene) -> None:
    scene.policy = "minor"
    changed = "the policy for versions of libraries changed"
    assert scene.again() == {"use": changed, "use/work": changed}
    scene.install("1.0.7")
    assert scene.again() == {}
    scene.install("1.1")
    told = "library alien 1.0 → 1.1"
    assert scene.again() == {"use": told, "use/work": told}
    scene.policy = "ignore"
    assert set(scene.again()) == {"use", "use/work"}
    scene.install("2.0")
    assert scene.again() == {}
    # What was made under a loose policy is not handed out under a strict one.
    scene.policy = "exact"
    assert set(scene.again()) == {"use", "use/work"}
    scene.install("1.0")
    assert scene.again() == {}, "this was made before the policy was touched"
