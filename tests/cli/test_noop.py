"""Promise 6: when all is cached, user code and its libraries are not imported, and no output is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sandbox import Sandbox

# What must not be on the way of a run that finds everything cached.
HEAVY = {
    "pandas", "sklearn", "numpy", "rich", "yaml", "ast", "inspect", "dataclasses", "pathlib", "pickle", "subprocess",
    "multiprocessing", "logging", "tempfile", "importlib.metadata", "socket",
}  # fmt: skip


def test_a_cached_run_imports_neither_user_code_nor_heavy_modules(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        """
        import numpy as np
        import pandas as pd
        import sklearn.linear_model
        from expops import process

        @process()
        def node(n, **above):
            return {f"frame{n}": pd.DataFrame({"x": np.arange(n)})}
        """,
    )
    names = [f"p{index}" for index in range(20)]
    processes = [{"name": name, "code": "main.node", "parameters": {"n": index}} for index, name in enumerate(names)]
    sandbox.configure(processes, " ".join(names))
    command = [sys.executable, "-X", "importtime", "-m", "expops", "run", str(sandbox.root)]
    subprocess.run(command, check=True, capture_output=True)
    # Byte code of the interpreter's own is of no interest here, so what is derived once may be derived now.
    subprocess.run(command, check=True, capture_output=True)
    third = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "all 20 processes are cached" in third.stdout
    imported = {line.rsplit("|", 1)[1].strip() for line in third.stderr.splitlines() if line.startswith("import time:")}
    assert "expops.engine.plan" in imported
    assert not imported & (HEAVY | {"model"})


def test_a_cached_run_reads_no_blob(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        """
        from expops import process

        @process()
        def big():
            return {"data": bytes(200_000)}

        @process()
        def use(data):
            return {"more": data * 2}
        """,
    )
    sandbox.configure(["big", "use"], "big use")
    sandbox.run()
    for blob in (sandbox.root / ".expops" / "blobs").glob("??/*"):
        blob.unlink()
    assert {action.outcome for action in sandbox.run().actions} == {"hit"}
