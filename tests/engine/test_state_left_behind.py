"""What a process does to module variables and to libraries' settings: seen by its steps, and gone afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import Sandbox, outcomes, outputs


@pytest.mark.parametrize(
    ("make", "alter"),
    [
        ("np.zeros(4)", "TABLE[0]"),
        ("pd.DataFrame({'a': [0.0, 0.0]})", "TABLE.iloc[0, 0]"),
        ("pd.Series([0.0, 0.0])", "TABLE.iloc[0]"),
    ],
)
def test_an_array_or_frame_of_the_module_altered_in_place_is_seen(tmp_path: Path, make: str, alter: str) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure([{"name": "p", "parameters": {"k": 1}}])
    sandbox.write(
        "src/model.py",
        f"""
        import numpy as np
        import pandas as pd
        from expops import process, step

        TABLE = {make}

        @step
        def total():
            return float(np.asarray(TABLE).sum())

        @process()
        def p(k):
            {alter} = k
            return {{"sum": total()}}
        """,
    )
    first = sandbox.run()
    second = sandbox.run(settings=["p.k=2"])
    assert outcomes(second)["p/total"] == "executed"
    assert outputs(first) != outputs(second)
    assert outcomes(sandbox.run(settings=["p.k=1"])) == {"p": "hit"}


def test_a_process_that_fails_leaves_no_settings_behind(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["bad", "good"])
    sandbox.write(
        "src/model.py",
        """
        import logging
        import numpy as np
        from expops import process

        @process()
        def bad(fails=True):
            np.seterr(divide="raise")
            np.set_printoptions(precision=2)
            logging.getLogger("project").setLevel("ERROR")
            if fails:
                raise ValueError("on purpose")
            return {}

        @process()
        def good():
            with np.errstate():
                level = logging.getLogger("project").level
            return {"text": str(np.array([1 / 3])), "divide": np.geterr()["divide"], "level": level}
        """,
    )
    together = sandbox.run(jobs=1)
    assert outcomes(together) == {"bad": "failed", "good": "executed"}
    alone = sandbox.run(jobs=1, targets=["good"], forced=["good"])
    assert outputs(together)["good"] == outputs(alone)["good"]
