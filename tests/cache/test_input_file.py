"""``expops.InputFile``: identity by name and content, a path to everyone else."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import expops
from expops import InputFile
from expops.hashing.values import fingerprint
from sandbox import Sandbox, outcomes, reasons


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable()))
def test_it_is_a_path_that_survives_pickling(path: str) -> None:
    file = InputFile(path)
    again = pickle.loads(pickle.dumps(file))
    assert os.fspath(file) == str(file) == os.fspath(again) == path
    assert file == again
    assert hash(file) == hash(again)
    assert eval(repr(file)) == file
    assert file != path


def test_it_counts_by_name_and_content(tmp_path: Path) -> None:
    for folder, name, text in [("a", "x.csv", "1"), ("b", "x.csv", "1"), ("b", "y.csv", "1"), ("c", "x.csv", "2")]:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    a, b, other_name, other_text, none = (
        fingerprint(InputFile(tmp_path / path)) for path in ("a/x.csv", "b/x.csv", "b/y.csv", "c/x.csv", "d/x.csv")
    )
    assert a == b
    assert len({a, other_name, other_text, none}) == 4


def test_a_folder_counts_with_all_below_it(tmp_path: Path) -> None:
    (tmp_path / "f/sub").mkdir(parents=True)
    (tmp_path / "f/sub/x").write_text("1")
    marks = [fingerprint(InputFile(tmp_path / "f"))]
    (tmp_path / "f/sub/x").write_text("2")
    marks.append(fingerprint(InputFile(tmp_path / "f")))
    (tmp_path / "f/sub/x").rename(tmp_path / "f/sub/y")
    marks.append(fingerprint(InputFile(tmp_path / "f")))
    assert len(set(marks)) == 3


def test_bytes_are_refused() -> None:
    with pytest.raises(TypeError, match="a path as text"):
        InputFile(b"x")  # type: ignore[arg-type]


def test_in_a_script_it_counts_wherever_it_lies(tmp_path: Path) -> None:
    cache = expops.Cache(tmp_path / "cache", project=str(tmp_path))
    step = cache.step(_length)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.bin").write_bytes(b"12")
    assert step(InputFile(tmp_path / "one/x.bin")) == 2
    # Its key is the same, and what was discovered is the file that it had read.
    assert step(InputFile(tmp_path / "two/x.bin")) == 2
    assert (cache.executed, cache.hits) == (1, 1)
    (tmp_path / "two/x.bin").write_bytes(b"123")
    assert step(InputFile(tmp_path / "two/x.bin")) == 3
    cache.close()


def _length(path: InputFile) -> int:
    return Path(path).stat().st_size


def test_as_an_output_it_takes_its_content_along(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["choose", "use"], "choose use")
    sandbox.write("data/x.csv", "1")
    sandbox.write(
        "src/model.py",
        """
        from expops import InputFile, process

        @process()
        def choose():
            return {"table": InputFile("data/x.csv")}

        @process()
        def use(table):
            return {"name": repr(table)}
        """,
    )
    sandbox.run()
    assert outcomes(sandbox.run()) == {"choose": "hit", "use": "hit"}
    sandbox.write("data/x.csv", "2")
    again = sandbox.run()
    assert outcomes(again) == {"choose": "executed", "use": "executed"}
    assert reasons(again)["choose"] == "file data/x.csv changed"


def test_a_step_that_alters_it_is_not_cached(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    sandbox.write("data/x.csv", "1")
    sandbox.write(
        "src/model.py",
        """
        from expops import InputFile, process, step

        @step
        def grow(table):
            with open(table, "a") as file:
                file.write("1")

        @process()
        def p():
            grow(InputFile("data/x.csv"))
            return {}
        """,
    )
    sandbox.run()
    assert any("altered its argument 'table'" in warning for warning in sandbox.seen.warnings)
