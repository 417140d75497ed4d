"""Numeric profiles in frameworks: what holds in a worker, and that what differs without them is the same."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import pytest
from test_training import TRAINING, project_of

from sandbox import Sandbox, outcomes, outputs
from verify_project import small

LOOK = """
    import json
    from expops import process

    @process()
    def first():
        import torch
        import tensorflow
        told = {
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "threads": torch.get_num_threads(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "tensorflow": tensorflow.config.experimental.is_op_determinism_enabled()
            if hasattr(tensorflow.config.experimental, "is_op_determinism_enabled") else None,
        }
        print(json.dumps(told))
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(3)
        return {"first": 1}

    @process()
    def second(first):
        import torch
        print(json.dumps([torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()]))
        return {}
"""
# Adds from several threads at once, in an order of chance; long enough that they do meet, also where cores are busy.
ADDING = """
    import torch
    from expops import process, step

    @step
    def added(count):
        places = torch.randint(0, 50, (count,))
        values = torch.randn(count) * 10 ** torch.randint(0, 6, (count,))
        return torch.zeros(50).index_put_((places,), values, accumulate=True).numpy()

    @process()
    def histogram():
        return {"histogram": added(20_000_000)}
"""


def _profile(root: Path, profile: str) -> None:
    path = root / "configs" / "project_config.yaml"
    document = json.loads(path.read_text())
    document.setdefault("reproducibility", {})["profile"] = profile
    path.write_text(json.dumps(document))


def _look(root: Path, profile: str) -> tuple[dict[str, Any], list[Any]]:
    sandbox = Sandbox(root)
    sandbox.write("src/model.py", LOOK)
    sandbox.configure(["first", "second"], "first second")
    _profile(root, profile)
    assert set(outcomes(sandbox.run(jobs=1)).values()) == {"executed"}
    return json.loads(sandbox.seen.text("first")), json.loads(sandbox.seen.text("second"))


@pytest.mark.parametrize(("profile", "threads"), [("stable", 4), ("portable", 1)])
def test_settings_hold_and_are_put_right_for_the_next_process(tmp_path: Path, profile: str, threads: int) -> None:
    first, second = _look(tmp_path, profile)
    assert (first["deterministic"], first["threads"]) == (True, threads)
    assert first["tensorflow"] is not False
    assert second == [True, threads]
    if platform.machine() == "x86_64":
        assert (first["capability"] == "DEFAULT") == (profile == "portable")


@pytest.mark.parametrize("profile", ["stable", "portable"])
@pytest.mark.parametrize("framework", TRAINING)
def test_a_training_runs_and_is_the_same_twice(tmp_path: Path, framework: str, profile: str) -> None:
    sandbox = project_of(tmp_path, framework)
    _profile(tmp_path, profile)
    first, again = (sandbox.run(jobs=1, mode=mode) for mode in ("readwrite", "off"))
    assert set(outcomes(first).values()) == {"executed"}
    assert outputs(first) == outputs(again)


@pytest.mark.timeout(600)
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="platform: one core adds in one order")
def test_verify_finds_what_the_profile_mends(tmp_path: Path) -> None:
    project = small(tmp_path, ADDING, "histogram")
    assert project("run").code == 0
    done = project("verify", "--json", "--turns", "1", "--vary", "threads,hash-seed")
    assert done.code == 3
    (told,) = done.actions()["histogram"]["differences"]
    assert (told["variations"], told["starts_in"]) == (["threads"], ["histogram/added"])
    assert told["values"][0]["elements"][0]["path"].startswith("['histogram'][")
    _profile(tmp_path, "stable")
    assert project("run").code == 0
    done = project("verify", "--json", "--turns", "1", "--vary", "threads,hash-seed")
    assert (done.code, done.actions()["histogram"]["verdict"]) == (0, "bitwise")
