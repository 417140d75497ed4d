"""A project's model as files in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy

from sandbox import Sandbox

from . import noise
from .model import VARIABLES, Project
from .render import Rendered

STRANGER = "SANDBOX_STRANGER"


def write(sandbox: Sandbox, project: Project, rendered: Rendered, *, all_anew: bool = False) -> None:
    """Make the folder, and the environment, what the model says; what is the same already is left alone."""
    wanted = {path: text.encode() for path, text in noise.files(project, rendered).items()}
    for path, value in project.files.items():
        if value is not None and not path.endswith(".npy"):
            wanted[path] = str(value).encode()
    for folder, names in project.folders.items():
        (sandbox.root / folder).mkdir(parents=True, exist_ok=True)
        wanted |= {f"{folder}/u{name}": b"" for name in names}
    if project.bystander:
        wanted["notes/stranger.txt"] = wanted["data/stranger.txt"] = str(project.bystander).encode()
    for path, data in wanted.items():
        _put(sandbox.root / path, data, all_anew)
    for path, value in project.files.items():
        if path.endswith(".npy"):
            _put_array(sandbox.root / path, value or 0)
    for top in ("data", "src"):
        for found in (sandbox.root / top).rglob("*"):
            path = found.relative_to(sandbox.root).as_posix()
            if found.is_file() and path not in wanted and not path.endswith(".npy"):
                found.unlink()
    _configure(sandbox, project)
    _environment(project)


def _put(path: Path, data: bytes, anew: bool) -> None:
    if anew or not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _put_array(path: Path, value: int) -> None:
    if not path.exists() or numpy.load(path).sum() != value:
        path.parent.mkdir(parents=True, exist_ok=True)
        numpy.save(path, numpy.array([value]))


def _configure(sandbox: Sandbox, project: Project) -> None:
    processes = []
    edges = []
    for process in project.processes.values():
        given = {} if process.given is None else {"parameters": {"q": process.given}}
        processes.append({"name": process.name, **given})
        edges += [f"{above} {process.name}" for above in sorted({*process.takes, *process.above})]
    if project.flipped:
        processes.reverse()
        edges.reverse()
    parameters = {"g": project.shared, "nobody": project.unused}
    sandbox.configure(processes, "\n".join(edges), project.seed, parameters)


def _environment(project: Project) -> None:
    for name, value in {**project.variables, STRANGER: project.bystander or None}.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = str(value)


def forget_environment() -> None:
    """Unset what projects set."""
    for name in (*VARIABLES, STRANGER):
        os.environ.pop(name, None)


def shown(sandbox: Sandbox) -> str:
    """All files of the project that a reader of a failure wants to see."""
    parts = []
    for path in sorted([*(sandbox.root / "src").rglob("*.py"), *(sandbox.root / "configs").iterdir()]):
        parts.append(f"----- {path.relative_to(sandbox.root)}\n{path.read_text()}")
    for path in sorted((sandbox.root / "data").rglob("*")):
        if path.is_file():
            text = path.read_text() if path.suffix != ".npy" else str(numpy.load(path).sum())
            parts.append(f"----- {path.relative_to(sandbox.root)}: {text}")
    variables = [f"{name}={os.environ.get(name)}" for name in VARIABLES]
    return "\n".join([*parts, "----- " + " ".join(variables)])
