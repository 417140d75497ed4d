"""A recorded run of ``examples/digits``, made again in an empty folder by a virtual environment made for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from recorded import expops

ROOT = Path(__file__).parents[2]
LIBRARIES = ("numpy", "scikit-learn", "matplotlib")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_digits_have_the_same_fingerprints_in_a_fresh_environment(tmp_path: Path) -> None:
    project = tmp_path / "digits"
    shutil.copytree(ROOT / "examples" / "digits", project, ignore=shutil.ignore_patterns(".expops", "__pycache__"))
    assert expops("run", cwd=project).returncode == 0
    record = tmp_path / "run.json"
    assert expops("export", "last", "-o", str(record), cwd=project).returncode == 0
    shutil.rmtree(project)

    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    packages = json.loads(record.read_text("utf-8"))["environment"]["packages"]
    constraints = tmp_path / "constraints.txt"
    lines = [f"{item['name']}=={item['version']}\n" for item in packages if item["name"] != "expops"]
    constraints.write_text("".join(lines))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--constraint", str(constraints)]
    ran = subprocess.run([*pip, str(ROOT), *LIBRARIES], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr

    empty = tmp_path / "empty"
    empty.mkdir()
    again = subprocess.run(
        [str(python), "-I", "-m", "expops", "reproduce", str(record), "--json"],
        cwd=empty,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    document = json.loads(again.stdout)
    assert {
        item["path"]: item["verdict"] for item in document["actions"] if item["kind"] == "process"
    } == dict.fromkeys(("load", "split", "features", "train_logistic", "train_forest", "evaluate"), "same")
    assert document["causes"] == []
