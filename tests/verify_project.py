"""Projects on which ``expops`` is run as a real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import expops


class Done(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code in (0, 1, 3), self.err
        return json.loads(self.out)

    def actions(self) -> dict[str, Any]:
        """The verdicts by path."""
        return {item["path"]: item for item in self.json["actions"]}


class Project:
    """A project folder; calling it runs ``expops`` there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def configure(self, processes: Sequence[Mapping[str, Any]], scripts: Mapping[str, str], edges: str = "") -> None:
        pipeline = {"process_adjlist": edges, "processes": list(processes)}
        self.write(
            "configs/project_config.yaml", json.dumps({"scripts": scripts, "experiment": {"pipeline": pipeline}})
        )

    def __call__(self, *args: str, **environment: str) -> Done:
        source = str(Path(expops.__file__).parents[1])
        ran = subprocess.run(
            [sys.executable, "-m", "expops", *args],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": source, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(ran.returncode, ran.stdout, ran.stderr)


def small(root: Path, script: str, *names: str, **settings: Any) -> Project:
    """A project of one script, whose processes need nothing of each other."""
    project = Project(root)
    project.write("src/main.py", script)
    project.configure([{"name": name, **settings} for name in names], {"main": "src/main.py"})
    return project
