"""The live view, on a terminal of our own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from cli_project import Project

CONFIG = """\
scripts: {{main: src/main.py}}
experiment:
  pipeline:
    process_adjlist: |
{edges}
    processes:
{processes}
"""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")


def chain(make: Callable[[str, str], Project], count: int, body: str = "time.sleep(0.15)") -> Project:
    names = [f"process_{number}" for number in range(count)]
    edges = "\n".join(f"      {first} {second}" for first, second in pairwise(names))
    config = CONFIG.format(edges=edges, processes="\n".join(f"      - name: {name}" for name in names))
    script = "import sys\nimport time\n\nfrom expops import process, step\n\n\n@step()\ndef part():\n    return 1\n"
    for number, name in enumerate(names):
        taken = f"x{number}" if number else ""
        script += f"\n\n@process()\ndef {name}({taken}):\n    part()\n    print('hello of {name}')\n    {body}\n"
        script += f"    return {{'x{number + 1}': 1}}\n"
    return make(config, script)


def on_terminal(project: Project, *args: str, rows: int = 24, columns: int = 80, **more: str) -> tuple[int, str]:
    """Exit code, and all that was drawn."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    # Variables that would speak for the size and colours of the terminal.
    silent = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    environment = {name: value for name, value in project.environment().items() if name not in silent}
    command = subprocess.Popen(
        project.command("run", *args),
        cwd=project.root,
        env={**environment, "TERM": "xterm-256color", **more},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not piece:
            break
        drawn += piece
    os.close(ours)
    return command.wait(), drawn.decode()


def plain(drawn: str) -> list[str]:
    return CONTROL.sub("", drawn).replace("\r", "\n").split("\n")


def test_the_view_shows_states_and_leaves_a_summary(make: Callable[[str, str], Project]) -> None:
    code, drawn = on_terminal(chain(make, 3))
    assert code == 0
    lines = plain(drawn)
    assert any(line.startswith("▶ process_1") for line in lines)
    assert any(line.startswith("✓ process_0") for line in lines)
    assert any(re.match(r"· process_2 +waiting +waits for process_1", line) for line in lines)
    assert any("done with step part" in line for line in lines)
    assert "[process_1] hello of process_1" in lines
    assert COLOUR.search(drawn)
    assert any(line.startswith("done: 3 processes executed") for line in lines[-6:])
    # Taken away at the end: the cursor went up over it, and the summary stands in its place.
    assert drawn.rindex("\x1b[1A") < drawn.index("executed")


def test_a_cached_run_draws_nothing(make: Callable[[str, str], Project]) -> None:
    project = chain(make, 2, body="pass")
    project("run", "-q")
    code, drawn = on_terminal(project)
    assert code == 0
    assert "\x1b[1A" not in drawn
    assert "▶" not in drawn
    assert "all 2 processes are cached" in drawn


def test_more_processes_than_lines_are_folded_and_nothing_is_wider_than_the_screen(
    make: Callable[[str, str], Project],
) -> None:
    code, drawn = on_terminal(chain(make, 12, body="time.sleep(0.03)"), rows=8, columns=34)
    assert code == 0
    lines = plain(drawn)
    assert any("… and " in line for line in lines)
    view = [line for line in lines if line[:1] in ("▶", "✓", "·", "=", "✗") or "… and" in line]
    assert view
    assert all(len(line) <= 34 for line in view)


def test_without_colour(make: Callable[[str, str], Project]) -> None:
    code, drawn = on_terminal(chain(make, 1), NO_COLOR="1")
    assert code == 0
    assert "▶ process_0" in CONTROL.sub("", drawn)
    assert not COLOUR.search(drawn)


def test_a_terminal_that_cannot_draw_and_a_run_in_this_process_get_plain_lines(
    make: Callable[[str, str], Project],
) -> None:
    project = chain(make, 1, body="pass")
    for arguments, more in (((), {"TERM": "dumb"}), (("--jobs", "0", "--cache", "off"), {})):
        code, drawn = on_terminal(project, *arguments, **more)
        assert code == 0
        assert "\x1b[1A" not in drawn
        assert "start   process_0: " in drawn


def test_failures_and_warnings_stand_above_the_summary(make: Callable[[str, str], Project], tmp_path: Path) -> None:
    project = chain(make, 2, body="raise ValueError('no such luck')")
    code, drawn = on_terminal(project, "--force", "process_0/nope")
    assert code == 1
    text = CONTROL.sub("", drawn).replace("\r", "")
    assert "warning: --force process_0/nope: no step of that name was called" in text
    assert text.index("ValueError: no such luck") < text.index("failed: 1 process failed, 1 skipped")
    assert "1 warning above" in text
