"""A run in which all is cached: wall time of the whole command beside ``python -c pass``."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .measure import command, medians, table

SCRIPT = """
import pandas as pd
import sklearn.linear_model
from expops import process


@process()
def node(offset, **upstream):
    total = sum(value for name, value in upstream.items())
    return {f"v{offset}": total % 1000 + offset}
"""


def write_project(folder: Path, count: int, shape: str) -> None:
    """A chain or a fan-out of ``count`` processes, all of one function of a script with heavy imports."""
    (folder / "configs").mkdir(parents=True)
    (folder / "src").mkdir()
    (folder / "src" / "model.py").write_text(SCRIPT)
    names = [f"p{index}" for index in range(count)]
    if shape == "chain":
        edges = [f"{left} {right}" for left, right in itertools.pairwise(names)]
    else:
        edges = [" ".join(names)]
    lines = ["metadata: {name: bench}", "scripts: {main: src/model.py}", "experiment:", "  pipeline:"]
    lines += ["    process_adjlist: |", *(f"      {edge}" for edge in edges), "    processes:"]
    for index, name in enumerate(names):
        lines += [f"      - name: {name}", "        code: main.node", f"        parameters: {{offset: {index}}}"]
    (folder / "configs" / "project_config.yaml").write_text("\n".join(lines) + "\n")


def run(sizes: tuple[int, ...] = (10, 100, 1000), repeats: int = 11) -> str:
    """The table of no-op runs."""
    expops = str(Path(sys.executable).with_name("expops"))
    rows = []
    for shape in ("chain", "fan-out"):
        for count in sizes:
            folder = Path(tempfile.mkdtemp(prefix="expops-bench-"))
            project = folder / "project"
            write_project(project, count, shape)
            command(expops, "run", "--json", str(project))()
            # The second run finds files that have settled and remembers what it derived.
            shown = subprocess.run([expops, "run", "--json", str(project)], capture_output=True, check=True).stdout
            assert all(action["outcome"] == "hit" for action in json.loads(shown)["actions"])
            times = medians(
                {
                    "python": command(sys.executable, "-c", "pass"),
                    "expops": command(expops, "run", str(project)),
                },
                repeats,
            )
            ratio = times["expops"] / times["python"]
            rows.append(
                (
                    shape,
                    str(count),
                    f"{times['expops'] * 1e3:.0f} ms",
                    f"{times['python'] * 1e3:.1f} ms",
                    f"{ratio:.1f}",
                )
            )
            shutil.rmtree(folder)
    return table("No-op run, whole command", ("shape", "processes", "expops run", "python -c pass", "ratio"), rows)
