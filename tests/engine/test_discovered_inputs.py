"""What an execution was seen to read decides whether its result is taken again."""

from __future__ import annotations

import os
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from expops.cache.discovery import Places
from expops.cache.files import FileDigests
from expops.cache.observe import Observer
from sandbox import Sandbox, outcomes, outputs, reasons


@pytest.fixture
def project(tmp_path: Path) -> Sandbox:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["read", "other"])
    sandbox.write("data/table.csv", "1\n2\n")
    sandbox.write(
        "src/model.py",
        """
        import os
        from expops import process, step

        @step
        def load(name):
            with open(os.path.join("data", name)) as file:
                return [int(line) for line in file]

        @process()
        def read():
            return {"total": sum(load("table.csv")), "mode": os.environ.get("SANDBOX_MODE", "plain")}

        @process()
        def other():
            return {"names": sorted(os.listdir("data")), "extra": os.path.exists("data/extra.csv")}
        """,
    )
    return sandbox


def test_an_edited_file_reruns_its_readers_only(project: Sandbox) -> None:
    project.run()
    assert outcomes(project.run()) == {"read": "hit", "other": "hit"}
    project.write("data/table.csv", "1\n5\n")
    second = project.run()
    assert outcomes(second) == {"read/load": "executed", "read": "executed", "other": "hit"}
    assert reasons(second)["read"] == reasons(second)["read/load"] == "file data/table.csv changed"
    project.write("data/table.csv", "1\n2\n")
    assert outcomes(project.run()) == {"read": "hit", "other": "hit"}


def test_a_touched_file_is_the_same_file(project: Sandbox) -> None:
    project.run()
    os.utime(project.root / "data" / "table.csv", (1, 1))
    assert outcomes(project.run()) == {"read": "hit", "other": "hit"}


def test_a_file_of_the_same_size_and_time_is_not_taken_for_the_same(project: Sandbox) -> None:
    project.run()
    path = project.root / "data" / "table.csv"
    before = path.stat()
    path.write_text("1\n7\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert outcomes(project.run())["read"] == "executed"


def test_a_new_file_reruns_who_listed_the_folder(project: Sandbox) -> None:
    project.run()
    project.write("data/extra.csv", "3\n")
    second = project.run()
    assert outcomes(second) == {"read": "hit", "other": "executed"}
    assert reasons(second)["other"] == "folder data has other files; file data/extra.csv appeared"


def test_an_environment_variable_that_project_code_reads(project: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_MODE", raising=False)
    first = project.run()
    monkeypatch.setenv("SANDBOX_MODE", "fast")
    second = project.run()
    assert outcomes(second) == {"read/load": "hit", "read": "executed", "other": "hit"}
    assert reasons(second)["read"] == "environment variable SANDBOX_MODE changed"
    monkeypatch.delenv("SANDBOX_MODE")
    third = project.run()
    assert outcomes(third)["read"] == "hit"
    assert outputs(third) == outputs(first) != outputs(second)


def test_the_same_project_elsewhere_finds_the_results(project: Sandbox, tmp_path: Path) -> None:
    project.run()
    project.root.rename(tmp_path / "moved")
    assert outcomes(Sandbox(tmp_path / "moved").run()) == {"read": "hit", "other": "hit"}


def test_reading_at_import_counts_for_all_that_reach_the_module(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["one", "two"])
    sandbox.write("data/rate.txt", "3")
    sandbox.write(
        "src/model.py",
        """
        from pathlib import Path
        from expops import process

        RATE = int((Path(__file__).parent.parent / "data" / "rate.txt").read_text())

        @process()
        def one():
            return {"one": RATE}

        @process()
        def two():
            return {"two": RATE * 2}
        """,
    )
    sandbox.run(jobs=1)
    assert outcomes(sandbox.run(jobs=1)) == {"one": "hit", "two": "hit"}
    sandbox.write("data/rate.txt", "4")
    assert outcomes(sandbox.run(jobs=1)) == {"one": "executed", "two": "executed"}


def test_files_written_by_the_action_are_no_inputs(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["work"])
    sandbox.write(
        "src/model.py",
        """
        import os
        from expops import process, step

        @step
        def produce(n):
            with open("part.txt", "w") as file:
                file.write("x" * n)
            return n

        @step
        def consume():
            with open("part.txt") as file:
                return len(file.read())

        @process()
        def work(n=2, scale=1):
            produce(n)
            return {"length": consume() * scale, "files": sorted(os.listdir("."))}
        """,
    )
    first = sandbox.run()
    assert outcomes(sandbox.run()) == {"work": "hit"}
    # A step hit puts its file back, so the next step finds it, and hits too.
    second = sandbox.run(settings=["work.scale=2"])
    assert outcomes(second) == {"work/produce": "hit", "work/consume": "hit", "work": "executed"}
    third = sandbox.run(settings=["work.n=3"])
    assert outcomes(third) == {"work/produce": "executed", "work/consume": "executed", "work": "executed"}
    assert reasons(third)["work/consume"] == "file work/part.txt changed"
    shown = sandbox.root / ".expops" / "artifacts" / "work" / "part.txt"
    assert shown.read_text() == "xxx"
    assert outputs(first) != outputs(third)


def test_a_librarys_cache_in_the_home_folder_is_no_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """matplotlib reads its list of fonts from there while it is imported; on another machine it is another file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    (tmp_path / "caches" / "library").mkdir(parents=True)
    (tmp_path / "caches" / "library" / "fonts.json").write_text("{}")
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "pretty.py").write_text(
        "import os\n"
        "with open(os.path.join(os.environ['XDG_CACHE_HOME'], 'library', 'fonts.json')) as file:\n"
        "    FONTS = file.read()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    sandbox.write(
        "src/model.py", "import pretty\nfrom expops import process\n\n@process()\ndef p():\n    return {'x': 1}\n"
    )
    first = sandbox.run()
    assert outcomes(first) == {"p": "executed"}
    (tmp_path / "caches" / "library" / "fonts.json").write_text('{"a": 1}')
    assert outcomes(sandbox.run()) == {"p": "hit"}


@pytest.mark.parametrize("opened", ["open('note.txt', 'a')", "os.fdopen(os.open('note.txt', FLAGS), 'w')"])
def test_appending_depends_on_whether_the_file_is_there(tmp_path: Path, opened: str) -> None:
    """Where another process called the step, there was no file yet: its result can't be taken where there is one."""
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p", "q"])
    sandbox.write(
        "src/model.py",
        f"""
        import os
        from expops import process, step

        FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND

        @step
        def note(x):
            with {opened} as file:
                file.write(str(x))

        @process()
        def p():
            note(1)
            return {{}}

        @process()
        def q():
            note(2)
            note(1)
            return {{}}
        """,
    )
    for mode in ("readwrite", "off", "readwrite"):
        sandbox.run(mode=mode)
        shown = sandbox.root / ".expops" / "artifacts"
        assert (shown / "p" / "note.txt").read_text() == "1"
        assert (shown / "q" / "note.txt").read_text() == "21"
    assert outcomes(sandbox.run()) == {"p": "hit", "q": "hit"}


@pytest.mark.parametrize("project", ["/dev/shm/project", "/home/project"])
def test_files_in_shared_memory_are_files(project: str) -> None:
    """Some keep data sets, or the whole project, in /dev/shm; the rest of /dev holds no inputs."""
    observer = Observer(Places(project, None), FileDigests())
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file, observer.action() as observed:
        for name in (file.name, "/dev/shm/project/none", "/dev/null", "/dev/fd/0"):
            observer.opened(name, os.O_RDONLY)
        time.sleep(0.05)  # times of files are those of the last tick of a clock
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as scratch:
            observer.opened(scratch.name, os.O_RDONLY)
    missing = {"project/none"} if project == "/dev/shm/project" else set()
    assert observed.file.keys() == {file.name, *missing}


def test_a_file_that_a_process_makes_is_no_input_of_steps_that_memoise(tmp_path: Path) -> None:
    """Such a step depends on what the process has read so far, which may be in what it remembers."""
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    sandbox.write(
        "src/model.py",
        """
        import functools
        from expops import process, step

        @functools.cache
        def double(x):
            return x * 2

        @step
        def work(x):
            return double(x)

        @process()
        def p():
            with open("note.txt", "a") as file:
                file.write("1")
            return {"x": [work(1), work(1)]}
        """,
    )
    assert outcomes(sandbox.run()) == {"p/work": "executed", "p/work#2": "hit", "p": "executed"}


def test_a_file_that_was_to_be_altered_is_an_input_where_it_is_missing(tmp_path: Path) -> None:
    """Opening it for reading and writing doesn't make it."""
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    sandbox.write(
        "src/model.py",
        """
        from pathlib import Path
        from expops import process

        COUNT = Path(__file__).parent.parent / "count.txt"

        @process()
        def p():
            try:
                with open(COUNT, "r+") as file:
                    return {"x": file.read()}
            except FileNotFoundError:
                return {"x": "none"}
        """,
    )
    sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit"}
    sandbox.write("count.txt", "1")
    result = sandbox.run()
    assert outcomes(result) == {"p": "executed"}
    assert outputs(result) == outputs(sandbox.run(mode="off"))


def test_calls_in_one_run_share_a_result_that_reads_other_files_than_before(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    sandbox.write("data/which.txt", "a")
    sandbox.write("data/a.txt", "1")
    sandbox.write("data/b.txt", "2")
    sandbox.write(
        "src/model.py",
        """
        from expops import process, step

        @step
        def read():
            with open("data/which.txt") as file:
                which = file.read()
            with open(f"data/{which}.txt") as file:
                return file.read()

        @process()
        def p():
            return {"x": [read(), read()]}
        """,
    )
    expected = {"p/read": "executed", "p/read#2": "hit", "p": "executed"}
    assert outcomes(sandbox.run()) == expected
    sandbox.write("data/which.txt", "b")
    assert outcomes(sandbox.run()) == expected


def test_what_expops_itself_looks_up_as_a_module_is_loaded_is_no_input(tmp_path: Path) -> None:
    """To tell an enumeration of the project it reads the file, while it watches the module that imports it."""
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    source = """
        import enum

        class Color(enum.IntEnum):
            RED = 8
    """
    sandbox.write("src/lib.py", source)
    sandbox.write(
        "src/model.py",
        """
        import lib
        from expops import process, step

        @step
        def red(x):
            return x + lib.Color.RED

        @process()
        def p():
            return {"x": red(1)}
        """,
    )
    sandbox.run()
    sandbox.write("src/lib.py", "# Colors.\n" + textwrap.dedent(source))
    sandbox.write("notes.txt", "new")
    assert outcomes(sandbox.run()) == {"p": "hit"}
