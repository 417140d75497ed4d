"""``expops status --watch``, followed while files are edited."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from cli_project import Project

from expops.cli.watch import stamps

PATIENCE = 60.0  # seconds until what must come is taken for missing


class Watching:
    """A ``status --watch`` under way; blocks are what it has printed, each from its time on."""

    def __init__(self, project: Project, *args: str) -> None:
        self.ours, theirs = os.pipe()
        self.process = subprocess.Popen(
            project.command("status", "--watch", *args),
            cwd=project.root,
            env=project.environment(),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.STDOUT,
        )
        os.close(theirs)
        self.text = ""
        self.seen = 0
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        while data := os.read(self.ours, 65536):
            with self.news:
                self.text += data.decode()
                self.news.notify_all()

    def until(self, words: str) -> None:
        """Wait until it prints that, after all that was waited for before."""
        with self.news:
            assert self.news.wait_for(lambda: words in self.text[self.seen :], PATIENCE), self.text
            self.seen = self.text.index(words, self.seen) + len(words)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        self.reader.join()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        os.close(self.ours)


@pytest.fixture
def ready(project: Project) -> Project:
    project.write("data/rows.txt", "1 2 3")
    project.write("data/parts/a.txt", "")
    source = '[int(w) for w in open("data/rows.txt").read().split() + ["0"] * len(os.listdir("data/parts"))]'
    project.edit("src/main.py", "[1, 2, 3]", source)
    assert project("run", "-q").code == 0
    return project


@pytest.fixture
def watching(ready: Project) -> Iterator[Watching]:
    made = Watching(ready)
    yield made
    made.close()


def test_it_follows_edits_of_all_kinds(ready: Project, watching: Watching) -> None:
    watching.until("nothing to do: all 4 processes are cached")
    ready.write("data/rows.txt", "1 2 4")
    watching.until("file data/rows.txt changed")
    ready.write("data/rows.txt", "1 2 3")
    watching.until("nothing to do")
    ready.write("data/parts/b.txt", "")
    watching.until("folder data/parts has other files")
    (ready.root / "data/parts/b.txt").unlink()
    watching.until("nothing to do")
    ready.edit("configs/project_config.yaml", "factor: 2", "factor: 3")
    watching.until("parameter factor 2 → 3")
    ready.edit("src/main.py", "row * factor", "factor * row")
    watching.until("code of helper 'scale' in src/main.py changed; parameter factor 2 → 3")
    assert ready("run", "-q").code == 0
    watching.until("nothing to do")
    assert watching.end() == 0
    assert "Traceback" not in watching.text


def test_what_cannot_be_planned_is_told_and_may_be_mended(ready: Project, watching: Watching) -> None:
    watching.until("nothing to do")
    ready.edit("src/main.py", "def report(scaled):", "def report(scaled:")
    watching.until("src/main.py:")
    ready.edit("src/main.py", "def report(scaled:", "def report(scaled):")
    watching.until("nothing to do")
    ready.edit("configs/project_config.yaml", "factor: 2", "factr: 2")
    watching.until("did you mean 'factor'?")
    ready.edit("configs/project_config.yaml", "factr: 2", "factor: 2")
    watching.until("nothing to do")
    (ready.root / "configs/project_config.yaml").rename(ready.root / "elsewhere")
    watching.until("no configs/project_config.yaml")
    (ready.root / "elsewhere").rename(ready.root / "configs/project_config.yaml")
    watching.until("nothing to do")


def test_a_project_that_is_wrong_from_the_start_can_be_mended(ready: Project) -> None:
    ready.write("src/helper.py", "def (")
    ready.edit("src/main.py", "import sys\n", "import sys\nfrom helper import x\n")
    watching = Watching(ready)
    try:
        watching.until("src/helper.py:1")
        ready.write("src/helper.py", "x = 1\n")
        watching.until("4 processes")
    finally:
        watching.close()


def test_a_module_that_appears_is_seen(ready: Project) -> None:
    ready.edit("src/main.py", "import sys\n", "import sys\nimport helper\n")
    ready.edit("src/main.py", '    print("three rows")', "    print(helper.x)")
    watching = Watching(ready)
    try:
        watching.until("load     runs")
        before = watching.text
        ready.write("src/helper.py", "x = 1\n")
        watching.until("src/helper.py")
        assert watching.text != before
    finally:
        watching.close()


def test_a_touched_file_is_no_news(ready: Project, watching: Watching) -> None:
    watching.until("nothing to do")
    os.utime(ready.root / "src/main.py")
    ready.write("data/rows.txt", "9")
    watching.until("file data/rows.txt changed")
    assert watching.text.count("nothing to do") == 1


def test_on_a_terminal_one_screen_is_drawn_again(ready: Project) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        ready.command("status", "--watch"),
        cwd=ready.root,
        env={**ready.environment(), "TERM": "xterm", "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    drawn = b""
    while b"Ctrl-C ends" not in drawn:
        drawn += os.read(ours, 65536)
    ready.write("data/rows.txt", "7")
    while b"rows.txt changed" not in drawn:
        drawn += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    os.close(ours)
    assert drawn.count(b"\x1b[H\x1b[2J") == 2


def test_it_goes_with_no_json_and_needs_a_project(ready: Project, tmp_path: Path) -> None:
    both = ready("status", "--watch", "--json")
    assert both.code == 2
    assert "--watch goes on and --json prints one document" in both.err
    assert ready("status", "--watch", cwd=tmp_path).code == 2


def test_stamps_tell_of_every_kind_of_change(tmp_path: Path) -> None:
    file = tmp_path / "file"
    found = [stamps([str(file)])]
    file.write_text("one")
    found.append(stamps([str(file)]))
    file.write_text("longer")
    found.append(stamps([str(file)]))
    (tmp_path / "other").write_text("longer")
    (tmp_path / "other").rename(file)
    found.append(stamps([str(file)]))
    assert all(one != two for one, two in pairwise(found))
