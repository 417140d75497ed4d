"""What could change a result, changes it: after any of these edits a cached run gives what a run without a cache gives.

Each row is a small project and one change. Before the change, a second run executes nothing.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from stale_code import CODE
from stale_reads import READS, database_file, gzip_file
from stale_rows import HEAD, Row, k
from stale_values import SOURCES

from expops.hashing.values import fingerprint
from sandbox import Sandbox, outcomes, outputs, reasons


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
        gzip_file(sandbox)
        database_file(sandbox)
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
