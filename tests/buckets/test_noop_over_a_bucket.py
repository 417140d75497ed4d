"""Over a bucket, a run in which all is at hand needs neither the bucket nor its client."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import expops

MODEL = """
from expops import process


@process()
def load():
    return {"items": list(range(20000))}


@process()
def total(items):
    return {"total": sum(items)}
"""
CONFIG = """
metadata: {{name: shared}}
scripts: {{main: src/model.py}}
experiment:
  cache: file://{bucket}
  pipeline:
    process_adjlist: load total
    processes: [{{name: load}}, {{name: total}}]
"""
LOADED = """
import sys
from expops.cli.main import run_command_line
code = run_command_line(["run", "--jobs", "1"])
print("CLIENT", "obstore" in sys.modules, "concurrent.futures" in sys.modules)
sys.exit(code)
"""


def test_the_client_is_not_imported(tmp_path: Path) -> None:
    bucket, root = tmp_path / "bucket", tmp_path / "project"
    for name, text in (
        ("configs/project_config.yaml", CONFIG.format(bucket=bucket)),
        ("src/model.py", MODEL),
    ):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(Path(expops.__file__).parents[1])}

    def run() -> str:
        command = [sys.executable, "-c", LOADED]
        done = subprocess.run(
            command, cwd=root, env=environment, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "CLIENT True" in run()
    shutil.rmtree(bucket)
    told = run()
    assert "all 2 processes are cached" in told
    assert "CLIENT False False" in told
    assert not bucket.exists()
