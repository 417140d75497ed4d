"""A step depends on all that functions and classes reach which it is handed, or closes over."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import Sandbox, outcomes, outputs

LIBRARY = """
    from pathlib import Path

    COUNT = int((Path(__file__).parent.parent / "data" / "count.txt").read_text())
    TABLE = {"k": 0}

    def count(x):
        return x + COUNT + TABLE["k"]

    class Counter:
        def __call__(self, x):
            return count(x)

    class Holder:
        def __init__(self, function):
            self.function = function
"""

MODEL = """
    import lib
    from expops import process, step

    @step
    def call(f):
        return f(1)

    @step
    def call_first(fs):
        return fs[0](1)

    @step
    def call_held(holder):
        return holder.function(1)

    @process()
    def p(k=0):
        @step
        def call_enclosed():
            return enclosed(1)

        enclosed = lib.count
        lib.TABLE["k"] = k
        return {"x": HANDED}
"""


@pytest.mark.parametrize(
    "handed",
    [
        "call(lib.count)",
        "call(lib.Counter())",
        "call_first([lib.count])",
        "call_held(lib.Holder(lib.count))",
        "call_enclosed()",
        "call(lambda x: lib.count(x))",
    ],
)
def test_what_handed_code_depends_on(tmp_path: Path, handed: str) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    sandbox.write("data/count.txt", "1")
    sandbox.write("src/lib.py", LIBRARY)
    sandbox.write("src/model.py", MODEL.replace("HANDED", handed))
    first = sandbox.run()
    assert outcomes(sandbox.run()) == {"p": "hit"}
    sandbox.write("data/count.txt", "2")
    read_at_import = sandbox.run()
    assert set(outcomes(read_at_import).values()) == {"executed"}
    assert outputs(read_at_import) == outputs(sandbox.run(mode="off")) != outputs(first)
    altered_variable = sandbox.run(settings=["p.k=5"])
    assert set(outcomes(altered_variable).values()) == {"executed"}
    assert outputs(altered_variable) == outputs(sandbox.run(mode="off", settings=["p.k=5"]))
