"""A project whose results are accepted after edits of its code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from expops.engine.accept import Acceptor, Taken
from expops.wiring import close, load_project, planner
from sandbox import Sandbox, outcomes

SOURCE = """\
    import os
    import random
    from expops import process, step

    def clean(x):
        return x + 1

    class Model:
        @staticmethod
        @step
        def method(x):
            return clean(x)

    @step
    def top(x):
        return clean(x) + random.random()

    @process
    def load(n):
        return {"rows": list(range(n))}

    @process
    def fit(rows, lr):
        @step
        def inner(x):
            return clean(x) * lr

        return {"m": [[top(x), inner(x), Model.method(x)] for x in rows]}

    @process
    def report(m):
        return {"size": len(m)}
"""
EDIT = ("return x + 1", "return 1 + x")
WHY = "code of helper 'clean' in src/model.py changed"
FIT = ("fit", "top", "inner", "method")


def make(folder: Path, source: str = SOURCE) -> Sandbox:
    project = Sandbox(folder)
    project.write("src/model.py", source)
    configure(project)
    return project


def configure(project: Sandbox, fit: str = "fit", lr: int = 2, n: int = 2, **more: object) -> None:
    processes = [{"name": "load", "parameters": {"n": n}}, {"name": fit, "parameters": {"lr": lr}, **more}, "report"]
    project.configure(processes, edges=f"load {fit}\n{fit} report")


def edit(project: Sandbox, *changes: tuple[str, str]) -> None:
    path = project.root / "src" / "model.py"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def acceptor(project: Sandbox, use: Callable[[Acceptor], object], seed: int | None = None) -> None:
    loaded = load_project(str(project.root), seed=seed)
    try:
        use(Acceptor(loaded.project, planner(loaded), loaded.ledger, loaded.seed))
    finally:
        close(loaded)


def accept(project: Sandbox, path: str, origin: str = "", seed: int | None = None) -> list[Taken]:
    taken: list[Taken] = []

    def use(made: Acceptor) -> None:
        name = origin or path
        taken.extend(made.step(path, name) if "/" in path else [made.process(path, name)])

    acceptor(project, use, seed)
    return taken


def undo(project: Sandbox, path: str) -> None:
    acceptor(project, lambda made: made.undo(path))


def fit_of(project: Sandbox) -> dict[str, str]:
    return {path: outcome for path, outcome in outcomes(project.run()).items() if path.partition("/")[0] == "fit"}


READING = """\
    import os
    from expops import process, step

    def clean(text):
        return text.strip()

    @step
    def read(name):
        with open(name) as file:
            return clean(file.read()) + os.environ.get("SUFFIX", "")

    @process
    def p(lr):
        return {"text": read("data/a.txt"), "lr": lr}

    @process
    def q(text):
        return {"length": len(text)}
"""


def reading(tmp_path: Path) -> Sandbox:
    project = Sandbox(tmp_path)
    project.write("src/model.py", READING)
    project.write("data/a.txt", "a")
    project.configure([{"name": "p", "parameters": {"lr": 1}}, "q"], edges="p q")
    return project
