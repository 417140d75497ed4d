"""What a numeric profile fixes makes no difference any more."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from verify_project import Project, small

# OpenBLAS adds up products of vectors this long in parts, one for each thread.
SCRIPT = """
    import numpy
    from expops import process, step

    @step
    def product():
        return numpy.random.rand(1_000_000) @ numpy.random.rand(1_000_000)

    @process()
    def multiply():
        return {"product": product()}
"""


def _profile(project: Project, profile: str) -> None:
    path = project.root / "configs" / "project_config.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"reproducibility": {"profile": profile}}))


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="platform: one core adds in one order")
def test_threads_make_a_difference_until_a_profile_fixes_them(tmp_path: Path) -> None:
    project = small(tmp_path, SCRIPT, "multiply")
    for profile, verdict in (("fast", "unstable"), ("stable", "bitwise"), ("portable", "bitwise")):
        _profile(project, profile)
        assert project("run").code == 0
        done = project("verify", "--json", "--turns", "1", "--vary", "threads")
        assert done.actions()["multiply/product"]["verdict"] == verdict
