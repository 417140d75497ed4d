"""Accepting: today's code counts as the code that made the last result, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from accept_project import EDIT, FIT, SOURCE, WHY, accept, configure, edit, fit_of, make, reading, undo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expops.engine.accept import Refused, covers
from sandbox import Sandbox, outcomes, outputs, reasons


def test_a_process_is_cached_again_and_says_why(tmp_path: Path) -> None:
    project = make(tmp_path)
    first = project.run()
    edit(project, EDIT)
    (taken,) = accept(project, "fit")
    assert (taken.path, taken.origin, taken.reasons, taken.run) == ("fit", "fit", [WHY], first.run.run_id)
    assert taken.now != taken.before
    plan = project.plan()
    assert plan["fit"][0] == "hit"
    assert plan["fit"][1].startswith("accepted on ")
    assert plan["fit"][1].endswith(f": {WHY} since the run that made it")
    second = project.run()
    assert set(outcomes(second).values()) == {"hit"}
    assert reasons(second)["fit"] == plan["fit"][1]
    assert reasons(second)["report"] == "nothing changed"
    assert outputs(second) == outputs(first)


@pytest.mark.parametrize("step", FIT[1:])
def test_all_calls_of_a_step_are_cached_again(tmp_path: Path, step: str) -> None:
    project = make(tmp_path)
    first = project.run()
    edit(project, EDIT)
    assert sorted(taken.path for taken in accept(project, f"fit/{step}")) == [f"fit/{step}", f"fit/{step}#2"]
    second = project.run()
    found = outcomes(second)
    for name in FIT[1:]:
        expected = "hit" if name == step else "executed"
        assert (found[f"fit/{name}"], found[f"fit/{name}#2"]) == (expected, expected)
    assert found["fit"] == "executed"
    assert reasons(second)[f"fit/{step}#2"].endswith(f": {WHY} since the run that made it")
    assert outputs(second) == outputs(first)


def test_code_that_came_in_with_an_argument_is_an_input(tmp_path: Path) -> None:
    project = make(
        tmp_path, SOURCE.replace("    @staticmethod\n        ", "    ").replace("method(x)", "method(self, x)")
    )
    edit(project, ("Model.method(self, x)", "Model().method(x)"))
    project.run()
    edit(project, EDIT)
    accept(project, "fit/method")
    result = project.run()
    assert (outcomes(result)["fit/method"], reasons(result)["fit/method"]) == ("executed", "input self changed")


def test_one_call_of_a_step(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT)
    accept(project, "fit/top#2")
    found = outcomes(project.run())
    assert (found["fit/top"], found["fit/top#2"]) == ("executed", "hit")


def test_it_holds_for_the_accepted_code_alone(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT)
    for path in ("fit", "fit/top"):
        accept(project, path)
    edit(project, ("return 1 + x", "return 2 + x"))
    found = fit_of(project)
    assert set(found.values()) == {"executed"}


@pytest.mark.parametrize(
    "change",
    [
        lambda project: configure(project, lr=3),
        lambda project: configure(project, n=3),
        lambda project: configure(project, version="2"),
        lambda project: (
            edit(project, ("return list(range(n))", "return [5, 6]"))
            if "return list" in (project.root / "src/model.py").read_text()
            else edit(project, ("list(range(n))", "[5, 6]"))
        ),
    ],
    ids=["parameter", "upstream parameter", "version", "upstream code"],
)
def test_it_holds_for_the_accepted_inputs_alone(tmp_path: Path, change: Callable[[Sandbox], None]) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT)
    accept(project, "fit")
    change(project)
    assert outcomes(project.run())["fit"] == "executed"


def test_a_result_of_the_old_code_for_other_inputs_is_not_accepted_with_it(tmp_path: Path) -> None:
    project = make(tmp_path)
    configure(project, lr=3)
    project.run()
    configure(project, lr=2)
    project.run()
    edit(project, EDIT)
    accept(project, "fit")
    accept(project, "fit/inner")
    configure(project, lr=3)
    found = fit_of(project)
    assert (found["fit"], found["fit/inner"]) == ("executed", "executed")


@pytest.mark.parametrize("forced", ["fit", "fit/top"])
def test_force_undoes_it(tmp_path: Path, forced: str) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT)
    accept(project, forced)
    project.run(forced=[forced])
    again = project.run(targets=["fit"])
    assert reasons(again)["fit"] == "nothing changed"
    with pytest.raises(Refused, match="nothing is accepted"):
        undo(project, forced)


def test_force_undoes_it_also_where_new_code_reads_more(tmp_path: Path) -> None:
    """The accepted result discovered nothing; one that reads a file must not fall back to it when the file changes."""
    project = make(tmp_path)
    (tmp_path / "data").mkdir()
    project.write("data/more.txt", "1")
    project.run()
    edit(project, ('@process\ndef report(m):\n    return {"size": len(m)}', REPORT))
    accept(project, "report")
    project.run(forced=["report"])
    project.write("data/more.txt", "22")
    result = project.run()
    assert (outcomes(result)["report"], reasons(result)["report"]) == ("executed", "file data/more.txt changed")


REPORT = """@process
def report(m):
    with open("data/more.txt", "rb") as file:
        return {"size": len(m) + len(file.read()) - 1}"""


def test_undo(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT)
    accept(project, "fit")
    undo(project, "fit")
    result = project.run()
    assert (outcomes(result)["fit"], reasons(result)["fit"]) == ("executed", WHY)


def test_undo_of_a_step_takes_back_what_rests_on_it(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, ("clean(x) + random.random()", "clean(x) + 1000"))
    accept(project, "fit/top")
    accepted = project.run()
    assert outcomes(accepted)["fit/top"] == "hit"
    undo(project, "fit/top")
    result = project.run()
    assert (outcomes(result)["fit"], outcomes(result)["fit/top"]) == ("executed", "executed")
    assert outputs(result)["fit"] != outputs(accepted)["fit"]


def test_accepted_twice_names_all_changes(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT)
    accept(project, "fit")
    edit(project, ("* lr", "* lr * 1"))
    (taken,) = accept(project, "fit")
    assert taken.reasons == [WHY, "code of 'fit' in src/model.py changed"]
    undo(project, "fit")
    assert project.plan()["fit"] == ("miss", f"code of 'fit' in src/model.py changed; {WHY}")


def test_code_that_comes_back_finds_its_own_result(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT)
    accept(project, "fit")
    project.run()
    edit(project, EDIT[::-1])
    assert project.plan()["fit"] == ("hit", "nothing changed")


def test_a_renamed_process_keeps_its_result_though_its_seeds_are_others(tmp_path: Path) -> None:
    project = make(tmp_path)
    first = project.run()
    edit(project, ("def fit(", "def learn("))
    configure(project, "learn")
    (taken,) = accept(project, "learn", "fit")
    assert taken.reasons[0] == "renamed from 'fit'"
    second = project.run()
    assert set(outcomes(second).values()) == {"hit"}
    assert outputs(second)["learn"] == outputs(first)["fit"]
    assert outcomes(project.run(seed=7))["learn"] == "executed"


def test_a_renamed_step(tmp_path: Path) -> None:
    project = make(tmp_path)
    first = project.run()
    edit(project, ("def top(", "def best("), ("top(x)", "best(x)"), ("def inner(", "def own("), ("inner(x)", "own(x)"))
    assert [taken.path for taken in accept(project, "fit/best", "fit/top")] == ["fit/best", "fit/best#2"]
    accept(project, "fit/own", "fit/inner")
    second = project.run()
    found = outcomes(second)
    assert [found[f"fit/{name}"] for name in ("best", "best#2", "own", "own#2")] == ["hit"] * 4
    assert outputs(second)["fit"] == outputs(first)["fit"]


def test_a_step_with_seed_by_is_renamed_too(tmp_path: Path) -> None:
    project = make(tmp_path, SOURCE.replace("@step\n    def top", '@step(seed_by="x")\n    def top'))
    project.run()
    edit(project, ("def top(", "def best("), ("top(x)", "best(x)"))
    accept(project, "fit/best", "fit/top")
    found = outcomes(project.run())
    assert (found["fit/best"], found["fit/best#2"]) == ("hit", "hit")


def test_what_today_s_code_has_given_itself_is_kept(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.run()
    edit(project, EDIT)
    genuine = project.run()
    edit(project, EDIT[::-1])
    project.run(forced=["fit"])
    edit(project, EDIT)
    with pytest.raises(Refused, match="nothing to accept"):
        accept(project, "fit/top")
    assert outputs(project.run()) == outputs(genuine)


def test_a_file_that_changes_later_ends_it(tmp_path: Path) -> None:
    project = reading(tmp_path)
    project.run()
    edit(project, ("text.strip()", "text.strip().strip()"))
    accept(project, "p/read")
    accept(project, "p")
    project.write("data/a.txt", "other")
    result = project.run()
    assert (outcomes(result)["p"], outcomes(result)["p/read"]) == ("executed", "executed")


BODIES = ("x + 1", "1 + x", "x - -1", "x + 2", "x * 2")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(
        st.tuples(st.sampled_from(BODIES), st.integers(1, 2), st.sampled_from(["run", "accept", "undo"])),
        min_size=2,
        max_size=7,
    )
)
def test_a_result_is_taken_only_for_code_that_made_it_or_was_accepted(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int, str]]
) -> None:
    """A model: each (body, parameter) maps to the value that is right for it, its own or the accepted one."""
    project = Sandbox(tmp_path_factory.mktemp("moves"))
    right: dict[tuple[str, int], int] = {}
    accepted: set[tuple[str, int]] = set()
    last: tuple[str, int] | None = None
    for body, x, move in moves:
        project.write(
            "src/model.py", f"from expops import process\n\n@process\ndef p(x):\n    return {{'y': {body}}}\n"
        )
        project.configure([{"name": "p", "parameters": {"x": x}}])
        here = (body, x)
        if move == "run":
            (record,) = project.run().actions
            own = int(eval(body, {"x": x}))
            assert (record.outcome == "hit") == (here in right)
            value = right.setdefault(here, own)
            assert record.outputs["y"][0] == _mark(value)
            last = here
        elif move == "accept":
            allowed = last is not None and last[1] == x and here not in right and last in right
            if allowed:
                accept(project, "p")
                right[here] = right[last]  # type: ignore[index]
                accepted.add(here)
                last = here
            else:
                with pytest.raises(Refused):
                    accept(project, "p")
        elif accepted:
            undo(project, "p")
            for item in accepted:
                del right[item]
            if last in accepted:
                break  # what is last then is the affair of a test of its own
            accepted.clear()


def _mark(value: int) -> str:
    from expops.hashing.values import fingerprint

    return fingerprint(value)


@pytest.mark.parametrize(
    ("asked", "path", "expected"),
    [
        ("fit", "fit", True),
        ("fit", "fit/top", False),
        ("fit/top", "fit/top#2", True),
        ("fit/top#2", "fit/top", False),
        ("fit/top#2", "fit/top#2", True),
        ("fit/outer/top", "fit/outer#3/top#2", True),
        ("fit/top", "fit/topper", False),
    ],
)
def test_which_calls_a_path_names(asked: str, path: str, expected: bool) -> None:
    assert covers(asked, path) is expected
