"""A row of the tables in this folder: a small project, and one change that must change its result."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sandbox import Sandbox

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
