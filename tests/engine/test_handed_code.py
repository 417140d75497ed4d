"""A step depends on all that functions and classes reach which it is handed, or closes over."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
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


def test_what_handed_code_reads_unseen(tmp_path: Path) -> None:
    """A library that opens files in C is reached by the function alone, which names the file."""
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    sandbox.write("src/lib.py", "import pyarrow.parquet as pq\n\ndef load():\n    return pq.read_table('data/x')\n")
    sandbox.write(
        "src/model.py",
        """
        import lib
        from expops import process, step

        @step
        def call(f):
            return f()["x"].to_pylist()

        @process()
        def p():
            return {"x": call(lib.load)}
        """,
    )
    found = []
    (sandbox.root / "data").mkdir()
    for value in (1, 2):
        pq.write_table(pa.table({"x": [value]}), sandbox.root / "data" / "x")
        result = sandbox.run()
        assert outcomes(result) == {"p/call": "executed", "p": "executed"}
        assert outputs(result) == outputs(sandbox.run(mode="off"))
        found.append(outputs(result))
    assert found[0] != found[1]


def test_the_seed_of_steps_that_are_handed_over(tmp_path: Path) -> None:
    """What a step draws that is handed to another one depends on its `seed_by`."""
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    source = """
        import random
        from expops import process, step

        @step
        def draw(x):
            return random.random()

        @step
        def call(f):
            return f(7)

        @process()
        def p():
            return {"x": call(draw)}
    """
    sandbox.write("src/model.py", source)
    first = sandbox.run()
    sandbox.write("src/model.py", source.replace("@step", "@step(seed_by='x')", 1))
    result = sandbox.run()
    assert outcomes(result) == {"p/call/draw": "executed", "p/call": "executed", "p": "executed"}
    assert outputs(result) == outputs(sandbox.run(mode="off")) != outputs(first)


@pytest.mark.parametrize(
    "handed", ["call(other)", "call([other][0])", "call_first([other])", "call_enclosed()", "call(nested)"]
)
def test_steps_that_are_handed_over_count_by_their_code(tmp_path: Path, handed: str) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["p"])
    source = """
        from expops import process, step

        @step
        def other(x):
            return x + 1

        @step
        def call(f):
            return f(7)

        @step
        def call_first(fs):
            return fs[0](7)

        @process()
        def p(k=0):
            kept = [other]
            w = k % 2

            @step
            def nested(x):
                return x + 1 + w

            @step
            def call_enclosed():
                return kept[0](7)

            return {"x": HANDED}
    """.replace("HANDED", handed)
    sandbox.write("src/model.py", source)
    first = sandbox.run()
    sandbox.write("src/model.py", source.replace("x + 1", "x + 2"))
    changed = sandbox.run()
    assert set(outcomes(changed).values()) == {"executed"}
    assert outputs(changed) == outputs(sandbox.run(mode="off")) != outputs(first)
    enclosed = sandbox.run(settings=["p.k=1"])
    assert outputs(enclosed) == outputs(sandbox.run(mode="off", settings=["p.k=1"]))
    executed = [path for path, outcome in outcomes(enclosed).items() if outcome == "executed"]
    assert len(executed) == (3 if handed == "call(nested)" else 1)
