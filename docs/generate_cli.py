"""Writes ``docs/cli.md`` from the help of the commands: ``python docs/generate_cli.py``."""

from __future__ import annotations

import os
from pathlib import Path

from expops.cli.main import COMMANDS, help_text, load_command

TARGET = Path(__file__).with_name("cli.md")
_WIDTH = "100"
_INTRODUCTION = """\
# Command line

<!-- Written by docs/generate_cli.py from the commands' own help; a test fails when it is out of date. -->

`python -m expops` is the same as `expops`. Every command but `create` works on a project: a folder with
`configs/project_config.yaml`, given as an argument or with `-p`, or else found from the current folder upward.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | a process failed, or a store stopped working on the way |
| 2 | bad usage or configuration; nothing has run |
| 3 | a check found a difference |
| 130 | interrupted (Ctrl-C or SIGTERM); the run is recorded as such |

With `--json`, standard output is one JSON document and everything else goes to standard error. Numbers that JSON
lacks are the strings `"NaN"`, `"Infinity"` and `"-Infinity"`. Where nothing could start, the document is
`{"error": {"type", "message", "problems": [{"file", "line", "key", "message"}]}}`.
"""


def render() -> str:
    """The whole page."""
    os.environ["COLUMNS"] = _WIDTH
    parts = [_INTRODUCTION, _section("expops", help_text())]
    parts += [_section(f"expops {name}", load_command(name).parser().format_help()) for name in COMMANDS]
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
