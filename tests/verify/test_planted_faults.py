"""``expops verify`` on a project in which every process has a fault of another kind."""

from __future__ import annotations

from typing import Any

import pytest
from faults import CLEAN, EDGES, FAULTS, FILES, SCRIPTS, Fault

from verify_project import Done, Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """What is said of all processes together."""
    project = Project(tmp_path_factory.mktemp("corpus") / "project")
    for name, text in FILES.items():
        project.write(name, text)
    for name in ("c", "a", "b"):
        project.write(f"data/{name}.txt", name)
    scripts = {name.removeprefix("src/").removesuffix(".py"): name for name in FILES}
    names = [*CLEAN, *(fault.process for fault in FAULTS)]
    # The fault of one process shows in another that runs after it: recorded in the other order.
    names.append(names.pop(names.index("set_precision")))
    home = {name: SCRIPTS.get(name, "clean" if name in CLEAN[:3] else "faults") for name in names}
    project.configure([{"name": name, "code": f"{home[name]}.{name}"} for name in names], scripts, EDGES)
    ran = project("run", "--jobs", "1")
    assert ran.code == 0, ran.err
    return project("verify", "--json", "--turns", "1")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.process for fault in FAULTS])
def test_step_element_and_variation_are_named(corpus: Done, fault: Fault) -> None:
    actions = corpus.actions()
    told = found(actions, fault)
    assert told, actions[fault.process]
    if fault.kind:
        seen = [(value["kind"], item["path"]) for value in told["values"] for item in value["elements"]]
        assert any(kind == fault.kind and path.startswith(fault.element) for kind, path in seen), seen
    if fault.start in actions:
        assert actions[fault.start]["verdict"] == "unstable"


def found(actions: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """The difference that was expected, at the process or, for an argument, at the step."""
    path = fault.start if fault.kind == "argument" else fault.process
    for told in actions[path]["differences"]:
        if told["variations"] == [fault.variation] and fault.start in told["starts_in"]:
            return dict(told)
    return {}


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.process for fault in FAULTS])
def test_no_other_variation_is_blamed(corpus: Done, fault: Fault) -> None:
    actions = corpus.actions()
    blamed = {
        tuple(told["variations"])
        for path, action in actions.items()
        if path.partition("/")[0] == fault.process
        for told in action["differences"]
    }
    # A year ends in another hour elsewhere, at another time of day.
    assert blamed - {("time-zone",)} == {(fault.variation,)} - {("time-zone",)}


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_process_passes(corpus: Done, name: str) -> None:
    actions = {path: item for path, item in corpus.actions().items() if path.partition("/")[0] == name}
    assert {item["verdict"] for item in actions.values()} == {"bitwise"}
    for item in actions.values():
        # The one that comes first in its worker has had no others before it, and says so.
        varied = {"hash-seed", "clock", "entropy", "cached", *(() if "others" in item["untested"] else ("others",))}
        assert varied <= set(item["survived"])


def test_what_a_difference_spreads_to_is_told_from_where_it_starts(corpus: Done) -> None:
    later = corpus.actions()["clock/later"]
    assert later["verdict"] == "bitwise"
    assert "spread from clock/stamp" in later["untested"]["clock"]
    assert "clock" not in later["survived"]


def test_the_culprit_among_other_processes_is_named(corpus: Done) -> None:
    (told,) = corpus.actions()["library_state"]["differences"]
    assert told["detail"] == "after set_precision"


def test_distances_are_told(corpus: Done) -> None:
    (value,) = corpus.actions()["forest/predicted"]["differences"][0]["values"]
    assert 1 <= value["largest_ulps"] < 1000
    assert value["count"] >= len(value["elements"])


def test_a_process_that_comes_first_has_not_survived_others(corpus: Done) -> None:
    actions = corpus.actions()
    assert "others" in actions["set_precision"]["untested"]
    assert "others" in actions["load"]["survived"]


def test_a_difference_has_an_exit_code_of_its_own(corpus: Done) -> None:
    assert corpus.code == 3
