"""A project run by a real ``python -m expops run``, whose code tells what it does without that being an input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import expops

# Folders that are made are no files that are read. A folder is there, or not, whoever is killed.
NOTES = """
import os
import time


def note(what, label):
    os.mkdir(f"@FOLDER@/{time.time_ns()} {what} {label} {os.getpid()}")
"""

CONFIG = """
scripts: {main: src/model.py}
experiment:
  pipeline:
    process_adjlist: |
      load left right
      left join
      right join
    processes: [{name: load}, {name: left}, {name: right}, {name: join}]
"""

MODEL = """
import random
import time

from expops import log_metric, process, step

from notes import note


@step
def draw(label, count):
    note("began", label)
    time.sleep(0.02)
    log_metric("drawn", count)
    return [random.random() for _ in range(count)]


@step
def widen(label, items):
    note("began", label)
    print("widening", label)
    time.sleep(0.02)
    return repr(items).encode() * 500


@step
def write(label, name, data):
    note("began", label)
    with open(name, "wb") as file:
        file.write(data)
        time.sleep(0.01)
        file.write(data[:100])
    return len(data)


def all_steps(process, items):
    note("body", process)
    items = items + draw(process + ".draw", 3)
    note("returned", process + ".draw")
    data = widen(process + ".widen", items)
    note("returned", process + ".widen")
    size = write(process + ".write", process + ".bin", data)
    note("returned", process + ".write")
    more = draw(process + ".more", 2)
    note("returned", process + ".more")
    with open("own.txt", "w") as file:
        file.write(repr(more))
    log_metric("size", size + random.random())
    return items + more, data


@process()
def load():
    items, data = all_steps("load", [])
    return {"items": items, "data": data}


@process()
def left(items):
    items, data = all_steps("left", items)
    return {"left_items": items, "left_data": data}


@process()
def right(data):
    items, data = all_steps("right", [len(data)])
    return {"right_items": items, "right_data": data}


@process()
def join(left_items, right_items, left_data):
    items, data = all_steps("join", left_items + right_items + [len(left_data)])
    return {"joined": items, "joined_data": data}
"""

PROCESSES = ("load", "left", "right", "join")
LABELS = frozenset(f"{process}.{step}" for process in PROCESSES for step in ("draw", "widen", "write", "more"))


class Note(NamedTuple):
    """``what`` is "began" or "returned" (of a step), or "body" (a process began)."""

    time: int
    what: str
    label: str
    pid: int


class Run:
    """An ``expops run`` under way, with what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [self._reader(process.stdout, self.out), self._reader(process.stderr, self.err)]

    def _reader(self, stream: IO[str], lines: list[str]) -> threading.Thread:
        def read() -> None:
            with stream:
                lines.extend(iter(stream.readline, ""))  # extend appends line by line

        thread = threading.Thread(target=read)
        thread.start()
        return thread

    def wait(self) -> int:
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for reader in self._readers:
            reader.join()
        return code

    @property
    def text(self) -> str:
        return "".join([*self.out, *self.err])

    def done(self) -> set[str]:
        """Processes that were told to be done; a last line that was cut off doesn't count."""
        return {line.split()[1] for line in self.out if line.startswith("done ") and line.endswith("\n")}


class RealProject:
    """A project folder, and beside it what its code notes."""

    def __init__(self, root: Path, config: str = CONFIG, model: str = MODEL) -> None:
        self.root = root / "project"
        self.notes_folder = root / "notes"
        self.notes_folder.mkdir(parents=True)
        self.write("configs/project_config.yaml", config)
        self.write("src/model.py", model)
        self.write("src/notes.py", NOTES.replace("@FOLDER@", str(self.notes_folder)))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    @property
    def hidden(self) -> Path:
        return self.root / ".expops"

    def start(self, *args: str, **options: Any) -> Run:
        return Run(
            subprocess.Popen(
                self.command("run", *args),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                **options,
            )
        )

    def command(self, name: str, *args: str) -> list[str]:
        return [sys.executable, "-m", "expops", name, str(self.root), *args]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(Path(expops.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}

    def run(self, *args: str) -> dict[str, Any]:
        """A run to its end, which must be a good one; its JSON."""
        run = self.start("--json", *args)
        code = run.wait()
        assert code == 0, run.text
        document: dict[str, Any] = json.loads("".join(run.out))
        return document

    def notes(self, since: int = 0) -> list[Note]:
        found = []
        for name in os.listdir(self.notes_folder):
            moment, what, label, pid = name.split(" ")
            if int(moment) > since:
                found.append(Note(int(moment), what, label, int(pid)))
        return sorted(found)

    def labels(self, what: str, since: int = 0) -> set[str]:
        return {note.label for note in self.notes(since) if note.what == what}

    def artifacts(self) -> dict[str, bytes]:
        shelf = self.hidden / "artifacts"
        return {str(path.relative_to(shelf)): path.read_bytes() for path in shelf.rglob("*") if path.is_file()}

    def work(self) -> list[str]:
        folder = self.hidden / "work"
        return os.listdir(folder) if folder.exists() else []


def facts(project: RealProject, document: dict[str, Any]) -> dict[str, Any]:
    """What must be the same whatever happened on the way."""
    outputs = {
        action["path"]: {name: output["fingerprint"] for name, output in action["outputs"].items()}
        for action in document["actions"]
        if action["kind"] == "process"
    }
    return {"outputs": outputs, "metrics": document["metrics"], "artifacts": project.artifacts()}


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {action["path"]: action["outcome"] for action in document["actions"]}


def until(true: Callable[[], object], what: str, patience: float = 30.0) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody waited for yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return not os.path.isdir("/proc/self")


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
