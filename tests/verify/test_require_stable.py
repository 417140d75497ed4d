"""`experiment.cache.require_stable`: what verify found unstable is neither taken from the cache nor kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from expops.cache.stability import UNSTABLE, Finding, load_unstable, note
from expops.kv.memory import MemoryKV
from verify_project import Project

SCRIPT = """
from expops import process, step


@step
def first(names):
    return next(iter(set(names)))


@step
def count(names):
    return len(names)


@process()
def pick():
    names = [str(number) for number in range(40)]
    return {"picked": first(names), "count": count(names)}


@process()
def clean():
    return {"one": 1}
"""


def _project(root: Path) -> Project:
    project = Project(root)
    project.write("src/main.py", SCRIPT)
    project.configure([{"name": "pick"}, {"name": "clean"}], {"main": "src/main.py"})
    return project


def _require(project: Project) -> None:
    path = project.root / "configs" / "project_config.yaml"
    document = json.loads(path.read_text())
    document["experiment"]["cache"] = {"require_stable": True}
    path.write_text(json.dumps(document))


def _ran(project: Project) -> dict[str, tuple[str, str]]:
    actions: list[dict[str, Any]] = project("run", "--json").json["actions"]
    return {item["path"]: (item["outcome"], item["reason"]) for item in actions}


def test_what_was_found_unstable_executes_each_time(tmp_path: Path) -> None:
    project = _project(tmp_path)
    _ran(project)
    assert project("verify", "--vary", "hash-seed").code == 3
    assert {outcome for outcome, _ in _ran(project).values()} == {"hit"}  # it was not required
    _require(project)
    for _ in range(2):
        ran = _ran(project)
        assert {path: outcome for path, (outcome, _) in ran.items()} == {
            "pick": "executed",
            "pick/first": "executed",
            "pick/count": "hit",
            "clean": "hit",
        }
        for path in ("pick", "pick/first"):
            assert ran[path][1].startswith("`expops verify` found it unstable on ")
            assert ran[path][1].endswith("(it depends on hash-seed)")
    assert "found it unstable" in project("status").out


def test_mended_code_is_cached_again(tmp_path: Path) -> None:
    project = _project(tmp_path)
    _require(project)
    _ran(project)
    assert project("verify", "--vary", "hash-seed").code == 3
    project.write("src/main.py", SCRIPT.replace("next(iter(set(names)))", "min(names)"))
    assert _ran(project)["pick"][0] == "executed"
    assert {outcome for outcome, _ in _ran(project).values()} == {"hit"}
    assert project("verify", "--vary", "hash-seed").code == 0


NAMES = st.frozensets(st.sampled_from(["clock", "threads", "home"]))


@given(NAMES, st.lists(st.tuples(NAMES, st.booleans()), max_size=4))
def test_unstable_is_who_has_not_survived_since_what_it_failed(
    failed: frozenset[str], later: list[tuple[frozenset[str], bool]]
) -> None:
    kv = MemoryKV()
    note(kv, [Finding("a", "p", UNSTABLE, tuple(failed), ())], quick=not failed)
    cleared = False
    for survived, quick in later:
        note(kv, [Finding("a", "p", "bitwise", (), () if quick else tuple(survived))], quick=quick)
        cleared |= not quick and failed <= survived
    assert ("a" in load_unstable(kv)) == (not cleared)


def test_a_damaged_note_counts_for_nothing() -> None:
    kv = MemoryKV()
    kv.put("verified/a", b"{")
    kv.put("verified/b", b"[]")
    assert load_unstable(kv) == {}
    note(kv, [Finding("a", "p", UNSTABLE, ("clock",), ())], quick=False)
    assert list(load_unstable(kv)) == ["a"]
