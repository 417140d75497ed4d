"""``expops cache gc``, ``verify`` and ``export``, as people use them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_project import Project, make_project

import expops

CONFIG = """\
scripts: {main: src/main.py}
experiment:
  pipeline:
    process_adjlist: |
      load fit
    processes:
      - name: load
      - {name: fit, parameters: {factor: 2}}
"""
SCRIPT = """\
import numpy as np
import pandas as pd

from expops import process, step


class Model:
    def __init__(self, factor):
        self.factor = factor


@step
def table(size):
    return np.arange(size) * 1.5


@process()
def load():
    return {"array": table(5000), "words": "häuser", "numbers": [1, 2.5, None]}


@process()
def fit(array, factor):
    with open("plot.txt", "w") as file:
        file.write("a picture" * 5000)
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    return {"model": Model(factor), "frame": frame, "scaled": array * factor}
"""


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """For tests that only look."""
    project = make_project(tmp_path_factory.mktemp("care") / "filled", CONFIG, SCRIPT)
    for factor in (2, 3, 4):
        assert project("run", "--set", f"fit.factor={factor}").code == 0
    return project


@pytest.fixture
def filled(untouched: Project, tmp_path: Path) -> Project:
    """A copy, cache and all."""
    shutil.copytree(untouched.root, tmp_path / "filled")
    return Project(tmp_path / "filled")


def blobs(project: Project) -> list[Path]:
    return [path for path in (project.root / ".expops/blobs").glob("??/*") if len(path.parent.name) == 2]


def test_gc_says_what_would_go_and_removes_just_that(filled: Project) -> None:
    before = len(blobs(filled))
    dry = filled("cache", "gc", "--keep-runs", "1", "--max-size", "0", "--grace", "0s", "--dry-run", "--json").json
    assert len(blobs(filled)) == before
    # The last run has taken what `load` gave, and not asked for the step in it.
    assert [item["path"] for item in dry["results"]] == ["load/table", "fit", "fit"]
    assert len(dry["runs"]) == 2
    told = filled("cache", "gc", "--keep-runs", "1", "--max-size", "0", "--grace", "0s")
    assert told.out.startswith("removed 3 results, ")
    assert "kept runs" in told.out
    assert len(blobs(filled)) == before - dry["blobs"]
    assert "nothing to do" in filled("status", "--set", "fit.factor=4").out
    assert filled("cache", "verify").code == 0
    done = filled("run", "--set", "fit.factor=2", "--json").json
    assert {item["path"]: item["outcome"] for item in done["actions"]} == {"load": "hit", "fit": "executed"}


def test_gc_leaves_what_was_just_stored(filled: Project) -> None:
    before = len(blobs(filled))
    told = filled("cache", "gc", "--older-than", "0s")
    assert "more that no result names were put within 1 h 00 min; a later gc removes them" in told.out
    assert len(blobs(filled)) == before
    assert len(filled("cache", "ls", "--json").json["results"]) == 0
    filled("cache", "gc", "--grace", "0s")
    assert blobs(filled) == []


def test_verify_finds_damage_and_repairs_it(filled: Project) -> None:
    assert filled("cache", "verify").out.endswith("all sound\n")
    first, second = sorted(blobs(filled), key=lambda path: path.stat().st_size)[-2:]
    first.chmod(0o644)
    stamp = first.stat()
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    os.utime(first, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    second.unlink()
    done = filled("cache", "verify", "--json")
    assert done.code == 3
    assert list(done.json["damaged"]) == [first.parent.name + first.name]
    assert done.json["dangling"]
    assert filled("cache", "verify").code == 3
    repaired = filled("cache", "verify", "--repair")
    assert (repaired.code, "computed again" in repaired.out) == (0, True)
    assert filled("cache", "verify").code == 0
    assert filled("run").code == 0


def test_outputs_and_files_are_exported_by_suffix(filled: Project) -> None:
    root = filled.root

    def export(what: str, file: str) -> bytes:
        done = filled("cache", "export", "last", what, str(root / file))
        assert done.code == 0, done.err
        return (root / file).read_bytes()

    assert json.loads(export("load.numbers", "n.json")) == [1, 2.5, None]
    assert export("load.words", "w.txt").decode() == "häuser"
    export("fit.scaled", "s.npy")
    assert (np.load(root / "s.npy") == np.arange(5000) * 1.5 * 4).all()
    assert export("fit.frame", "f.csv") == b"a,b\n1,x\n2,y\n"
    export("fit.frame", "f.parquet")
    assert pd.read_parquet(root / "f.parquet").equals(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    assert export("fit/plot.txt", "plot") == b"a picture" * 5000
    export("fit.model", "m.pkl")
    loaded = f"import pickle; print(pickle.load(open({str(root / 'm.pkl')!r}, 'rb')).factor)"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, cwd=root / "src", env=environment(), check=False
    )
    assert done.stdout == "4\n", done.stderr
    step = filled("show", "last", "--json").json["actions"]
    assert all(action["path"] != "load/table" for action in step)  # it was not called: load was a hit


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(expops.__file__).parents[1])}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("last", "fit.modle", "x.pkl"), "'fit' has no output 'modle'; did you mean 'model'?"),
        (("last", "fti.model", "x.pkl"), "has no process 'fti'"),
        (("last", "fit", "x.pkl"), "'fit' names no output; write PROCESS.OUTPUT"),
        (("last", "fit/plot.png", "x"), "'fit' wrote no file 'plot.png'; did you mean 'plot.txt'?"),
        (("none", "fit.model", "x.pkl"), "there is no run 'none'"),
        (("last", "fit.model", "x.doc"), "files of that kind can't be written; end its name in .json, .npy"),
        (("last", "fit.model", "x.json"), "a Model can't be written as .json"),
        (("last", "fit.model", "x.csv"), "a Model can't be written as .csv"),
        (("last", "fit.model", "no/such/x.pkl"), "can't be written: No such file or directory"),
        (("last", "fit.model"), "name the run, the output and the file"),
    ],
)
def test_exports_that_cannot_be(untouched: Project, words: tuple[str, ...], told: str) -> None:
    done = untouched("cache", "export", *words)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err
    assert not [name for name in os.listdir(untouched.root) if name.startswith("x")]


def test_export_writes_over_nothing(filled: Project) -> None:
    target = filled.root / "n.json"
    target.write_text("mine")
    done = filled("cache", "export", "last", "load.numbers", str(target))
    assert (done.code, target.read_text()) == (2, "mine")
    assert filled("cache", "export", "last", "load.numbers", str(target), "--yes").code == 0
    assert json.loads(target.read_text()) == [1, 2.5, None]


def test_export_of_a_result_that_is_gone(filled: Project) -> None:
    filled("cache", "gc", "--older-than", "0s", "--grace", "0s")
    done = filled("cache", "export", "last", "fit.model", "x.pkl")
    assert done.code == 2
    assert "its result is not in the cache any more; run the project again" in done.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("gc", "--max-size", "big"), "'big' is not a size; write it as 50GB"),
        (("gc", "--older-than", "30"), "'30' is not a time; write it as 30d"),
        (("gc", "--remote"), "not in a bucket"),
        (("gc", "a", "b"), "takes one project"),
    ],
)
def test_bad_limits(untouched: Project, options: tuple[str, ...], told: str) -> None:
    done = untouched("cache", *options)
    assert (done.code, told in done.err) == (2, True)


@pytest.mark.slow
def test_gc_beside_runs(make: Callable[[str, str], Project]) -> None:
    """Everything that nobody uses goes all the time, and no run fails or gives anything else."""
    project = make(CONFIG, SCRIPT)
    command = [sys.executable, "-m", "expops"]
    collect = subprocess.Popen(
        [*command[:1], "-c", _COLLECT, str(project.root)], env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        for number in range(12):
            done = project("run", "--json", "--set", f"fit.factor={number % 3}")
            assert done.code == 0, done.err
            marks = {item["path"]: item["outputs"] for item in done.json["actions"] if item["path"] == "fit"}
            assert marks["fit"]["scaled"]["bytes"] > 40_000
    finally:
        collect.terminate()
        told = collect.communicate()[1]
    assert "Traceback" not in told
    assert project("cache", "verify").code == 0


_COLLECT = """
import sys
from expops.cli.main import run_command_line
while True:
    code = run_command_line(["cache", "gc", sys.argv[1], "--max-size", "0", "--grace", "5s", "--json"])
    assert code == 0
"""


def test_pickles_stay_unread_under_data_only(filled: Project) -> None:
    config = filled.root / "configs/project_config.yaml"
    config.write_text(config.read_text().replace("experiment:\n", "experiment:\n  cache: {codecs: data-only}\n"))
    done = filled("cache", "export", "last", "fit.model", "x.pkl")
    assert done.code == 2
    assert "can't be" in done.err
    assert not (filled.root / "x.pkl").exists()
