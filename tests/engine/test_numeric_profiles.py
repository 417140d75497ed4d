"""Numeric profiles: which results they are part of, and what holds in workers."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox, outcomes, reasons

MODEL = """
    import json
    from expops import process, step

    @step()
    def total(values):
        return sum(values)

    @process()
    def plain():
        return {"values": [1, 2, 3]}

    @process()
    def learn(values):
        import numpy
        return {"model": numpy.array(values) / 2, "total": total(values)}

    @process()
    def judge(model):
        return {"score": float(model.sum())}

    @process()
    def aside(values):
        return {"sum": total(values)}
"""


def _profile(sandbox: Sandbox, profile: str) -> None:
    path = sandbox.root / "configs" / "project_config.yaml"
    document = json.loads(path.read_text())
    document["reproducibility"]["profile"] = profile
    path.write_text(json.dumps(document))


@pytest.fixture
def project(tmp_path: Path) -> Sandbox:
    sandbox = Sandbox(tmp_path)
    sandbox.write("src/model.py", MODEL)
    sandbox.configure(["plain", "learn", "judge", "aside"], "plain learn aside\nlearn judge")
    return sandbox


def test_it_counts_where_a_library_is_reached_or_comes_with_an_input(project: Sandbox) -> None:
    project.run()
    _profile(project, "stable")
    again = project.run()
    assert outcomes(again) == {
        "plain": "hit",
        "learn": "executed",
        "learn/total": "executed",
        "judge": "executed",
        "aside": "hit",
    }
    assert reasons(again)["learn"] == "numeric profile fast → stable"
    assert reasons(again)["judge"] == "numeric profile fast → stable"
    assert reasons(again)["learn/total"] == "numeric profile fast → stable"


def test_going_back_finds_the_results_of_before(project: Sandbox) -> None:
    project.run()
    for profile in ("stable", "portable"):
        _profile(project, profile)
        project.run()
    for profile in ("fast", "stable", "portable"):
        _profile(project, profile)
        assert {verdict for verdict, _ in project.plan().values()} == {"hit"}


LOOK = """
    import json
    import numpy
    import threadpoolctl
    from expops import process

    @process()
    def look():
        from numpy._core import _multiarray_umath
        (blas,) = [pool for pool in threadpoolctl.threadpool_info() if pool["internal_api"] == "openblas"]
        used = [name for name in _multiarray_umath.__cpu_dispatch__ if _multiarray_umath.__cpu_features__.get(name)]
        print(json.dumps({"threads": blas["num_threads"], "architecture": blas["architecture"], "used": used}))
        return {}
"""


def _seen(root: Path, profile: str) -> dict[str, Any]:
    sandbox = Sandbox(root)
    sandbox.write("src/model.py", LOOK)
    sandbox.configure(["look"])
    _profile(sandbox, profile)
    assert outcomes(sandbox.run(jobs=1)) == {"look": "executed"}
    found: dict[str, Any] = json.loads(sandbox.seen.text("look"))
    return found


def test_workers_have_the_threads_of_the_profile(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert _seen(tmp_path / "stable", "stable")["threads"] == min(4, cores)  # OpenBLAS takes no more than there are
    assert _seen(tmp_path / "portable", "portable")["threads"] == 1


@pytest.mark.skipif(platform.machine() != "x86_64", reason="platform: names of instruction sets are those of x86-64")
def test_portable_workers_use_no_instructions_that_not_all_machines_have(tmp_path: Path) -> None:
    seen = _seen(tmp_path, "portable")
    assert seen["used"] == []
    assert seen["architecture"] == "Nehalem"
