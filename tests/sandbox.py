"""A small project to run in tests: write files, run, look at what happened."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from expops.engine.run import Runner, RunResult
from expops.wiring import close, load_project, planner, run_options


class Recording:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.output: list[tuple[str, str, str]] = []
        self.warnings: list[str] = []
        self.started_processes: list[str] = []
        self.waits: list[tuple[str, str]] = []

    def planned(self, run: Any, plan: Any) -> None: ...
    def waiting(self, path: str, holder: str) -> None:
        self.waits.append((path, holder))

    def started(self, process: str, reason: str) -> None:
        self.started_processes.append(process)

    def step_ended(self, path: str, outcome: str) -> None: ...
    def printed(self, process: str, stream: str, text: str) -> None:
        self.output.append((process, stream, text))

    def warned(self, message: str) -> None:
        self.warnings.append(message)

    def ended(self, record: Any) -> None: ...
    def tick(self) -> None: ...

    def text(self, process: str, stream: str = "stdout") -> str:
        return "".join(text for name, kind, text in self.output if (name, kind) == (process, stream))


class Sandbox:
    """A project in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seen = Recording()
        (root / "configs").mkdir(parents=True, exist_ok=True)
        (root / "src").mkdir(exist_ok=True)

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text), encoding="utf-8")

    def configure(
        self,
        processes: Sequence[str | Mapping[str, Any]],
        edges: str = "",
        seed: int | None = 42,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        document = {
            "metadata": {"name": "sandbox"},
            "scripts": {"main": "src/model.py"},
            "reproducibility": {"random_seed": seed},
            "experiment": {
                "parameters": dict(parameters or {}),
                "pipeline": {
                    "process_adjlist": edges,
                    "processes": [{"name": item} if isinstance(item, str) else dict(item) for item in processes],
                },
            },
        }
        # JSON is YAML.
        self.write("configs/project_config.yaml", json.dumps(document, indent=1))

    def run(
        self,
        *,
        jobs: int = 0,
        mode: str = "readwrite",
        settings: Sequence[str] = (),
        seed: int | None = None,
        forced: Sequence[str] = (),
        targets: Sequence[str] = (),
        audit: bool = False,
    ) -> RunResult:
        self.seen = Recording()
        home = os.getcwd()
        loaded = load_project(str(self.root), mode=mode, settings=settings, seed=seed)
        try:
            options = run_options(loaded, jobs=jobs, forced=forced, targets=targets, settings=settings, audit=audit)
            return Runner(loaded.project, options, self.seen).run()
        finally:
            close(loaded)
            assert os.getcwd() == home

    def plan(self, *, settings: Sequence[str] = (), seed: int | None = None) -> dict[str, tuple[str, str]]:
        loaded = load_project(str(self.root), settings=settings, seed=seed)
        try:
            names = [process.name for process in loaded.project.config.processes]
            plan = planner(loaded).plan_all(names)
            return {name: (item.verdict, item.reason) for name, item in plan.items()}
        finally:
            close(loaded)


def outcomes(result: RunResult) -> dict[str, str]:
    return {action.path: action.outcome for action in result.actions}


def reasons(result: RunResult) -> dict[str, str]:
    return {action.path: action.reason for action in result.actions}


def outputs(result: RunResult) -> dict[str, dict[str, str]]:
    """Fingerprints by process and output."""
    return {
        action.path: {name: mark for name, (mark, _) in action.outputs.items()}
        for action in result.actions
        if action.kind == "process"
    }
