"""A small project, and the command line run on it as a real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import expops

CONFIG = """\
scripts: {main: src/main.py}
experiment:
  pipeline:
    process_adjlist: |
      load fit aside
      fit report
    processes:
      - name: load
      - name: fit
        parameters: {factor: 2, fail: false}
      - name: aside
      - name: report
"""

SCRIPT = """\
import os
import sys

from expops import log_metric, process, step


@process()
def load():
    print("three rows")
    print("and a half line", end="")
    print("careful", file=sys.stderr)
    return {"rows": [1, 2, 3]}


@step()
def scale(rows, factor, fail):
    if fail:
        raise ValueError("weights are NaN")
    return [row * factor for row in rows]


@process()
def fit(rows, factor, fail):
    scaled = scale(rows, factor, fail)
    for value in scaled:
        log_metric("value", value)
    log_metric("undefined", float("nan"))
    log_metric("endless", float("-inf"))
    return {"scaled": scaled}


@process()
def aside(rows):
    return {"size": len(rows)}


@process()
def report(scaled):
    with open("report.txt", "w") as file:
        file.write(str(scaled))
    return {"total": sum(scaled)}
"""


class Done:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        """Its standard output, which must be one strict JSON document."""

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is not strict JSON")

        return json.loads(self.out, parse_constant=refuse)


class Project:
    """A project folder; calling it runs ``expops`` with the project as its current folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def __call__(self, *args: str, cwd: Path | None = None, stdin: str = "", **environment: str) -> Done:
        ran = subprocess.run(
            self.command(*args),
            cwd=cwd or self.root,
            env=self.environment(**environment),
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        return Done(ran.returncode, ran.stdout, ran.stderr)

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "expops", *args]

    def environment(self, **more: str) -> dict[str, str]:
        source = str(Path(expops.__file__).parents[1])
        return {**os.environ, "PYTHONPATH": source, "PYTHONIOENCODING": "utf-8", **more}


def make_project(root: Path, config: str = CONFIG, script: str = SCRIPT) -> Project:
    project = Project(root)
    project.write("configs/project_config.yaml", config)
    project.write("src/main.py", script)
    return project


class History:
    """A project with four runs: all new, all cached, another factor, and one that failed."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.first = project("run")
        self.second = project("run")
        self.third = project("run", "--set", "fit.factor=3", "--json")
        self.failed = project("run", "--set", "fit.fail=true", "--json")
