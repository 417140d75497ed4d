"""Strict YAML: what is refused, what is read in which way, and bounds that hostile files can't pass."""

from __future__ import annotations

import math

import pytest
import yaml

from expops.pipeline import yaml_nodes
from expops.pipeline.yaml_nodes import MAX_BYTES, MAX_DEPTH, MAX_EXPANDED, parse

HEAD = "scripts: {main: src/main.py}\nexperiment:\n  pipeline: {processes: [{name: train}]}\n  parameters:\n"


def read(text: str) -> object:
    node, problems = parse(text.encode(), "f")
    assert problems == []
    assert node is not None
    return node.plain()


def faults(text: str | bytes) -> list[str]:
    _, problems = parse(text if isinstance(text, bytes) else text.encode(), "f")
    return [f"{problem.line}: {problem.key}: {problem.message}" for problem in problems]


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers: PyYAML has the fast one only where libyaml was there to build it."""
    if request.param == "SafeLoader":
        monkeypatch.delattr(yaml, "CSafeLoader")
    return str(request.param)


@pytest.mark.usefixtures("loader")
class TestBothParsers:
    def test_tags(self) -> None:
        refused = "is refused: a configuration is plain data, and tags can run code; remove it"
        assert faults(
            "a: 1\nb: !!python/object/apply:os.system ['touch /tmp/x']\nc: !mine {x: 1}\nd: !!binary aGk=\n"
        ) == [
            f"2: b: the tag !!python/object/apply:os.system {refused}",
            f"3: c: the tag !mine {refused}",
            f"4: d: the tag !!binary {refused}",
        ]
        assert faults("a: !!set {x, y}") == [f"1: a: the tag !!set {refused}"]
        assert faults("a: !!str {x: y}") == [f"1: a: the tag !!str {refused}"]
        assert read("a: !!str 5\nb: !!int '5'\nc: !!float 5\nd: ! 5\ne: !!map {}\nf: !!seq []") == {
            "a": "5", "b": 5, "c": 5.0, "d": "5", "e": {}, "f": [],
        }  # fmt: skip

    def test_duplicate_keys(self) -> None:
        assert faults("a: 1\nb: 2\na: 3\nc: {x: 1, x: 2}") == [
            "3: a: duplicate key; it stands on line 1 already",
            "4: c.x: duplicate key; it stands on line 4 already",
        ]

    def test_keys_that_are_no_text(self) -> None:
        assert faults("on: 1\n2: x\n? [a]\n: b\n1.5: x\n~: x\n2024-01-01: x") == [
            "1: ?: the key on reads as true in YAML; quote it: 'on'",
            "2: ?: the key 2 reads as the number 2 in YAML; quote it: '2'",
            "3: ?: a key must be text, not a list or mapping",
            "5: ?: the key 1.5 reads as the number 1.5 in YAML; quote it: '1.5'",
            "6: ?: the key ~ reads as nothing in YAML; quote it: '~'",
            "7: ?: 2024-01-01 reads as a date in YAML; quote it: '2024-01-01'",
        ]

    def test_values_that_surprise(self) -> None:
        assert faults("a: 2024-01-01\nb: 12:30\nc: 1e999\nd: 0x_") == [
            "1: a: 2024-01-01 reads as a date in YAML; quote it: '2024-01-01'",
            "2: b: 12:30 reads as a number in base 60 in YAML; quote it: '12:30'",
            "3: c: '1e999' is not a number that can be kept; quote it",
            "4: d: '0x_' is not a number that can be kept; quote it",
        ]

    def test_scalars(self) -> None:
        text = "[1e-3, 1.5e3, -2E+4, .5, 0x1F, 010, 1_000, yes, off, null, ~, 'on', \"1\", abc, 1e, e5, =]"
        assert read(text) == [
            *(0.001, 1500.0, -20000.0, 0.5, 31, 8, 1000, True, False, None, None, "on", "1", "abc", "1e", "e5", "=")
        ]
        assert read("[.inf, -.inf]") == [math.inf, -math.inf]
        nan = read(".nan")
        assert isinstance(nan, float)
        assert math.isnan(nan)

    def test_several_documents(self) -> None:
        told = "a second document begins here; a configuration is one document: remove the '---'"
        assert faults("a: 1\n---\nb: 2\n") == [f"2: : {told}"]
        assert read("---\na: 1\n...\n") == {"a": 1}

    def test_anchors_and_merge_keys(self) -> None:
        text = "base: &base {x: 1, y: 2}\nmore: &more {y: 3, z: 4}\nuse: {<<: [*base, *more], x: 5}\nagain: *base\n"
        assert read(text) == {
            "base": {"x": 1, "y": 2},
            "more": {"y": 3, "z": 4},
            "use": {"x": 5, "y": 2, "z": 4},
            "again": {"x": 1, "y": 2},
        }
        assert read("'<<': 1") == {"<<": 1}
        assert faults("a: {<<: 3}") == ["1: a.<<: << merges mappings, found the number 3"]

    def test_aliases_without_anchor(self) -> None:
        assert faults("a: *b\nc: &c [*c]") == [
            "1: a: the alias *b has no anchor before it",
            "2: c.0: the alias *c stands inside itself",
        ]

    def test_bomb(self) -> None:
        rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
        assert faults("\n".join(rows)) == [f"5: : aliases expand to more than {MAX_EXPANDED} values; write them out"]

    def test_depth(self) -> None:
        assert faults("[" * 100_000) == [f"1: : nested more than {MAX_DEPTH} deep"]
        assert faults("{a: " * 100_000) == [f"1: : nested more than {MAX_DEPTH} deep"]
        assert faults("- " * 100_000) == [f"1: : nested more than {MAX_DEPTH} deep"]
        assert faults("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []

    @pytest.mark.parametrize(
        ("text", "line"),
        [("a: [1, 2\nb: 3", 2), ("a: 'x", 1), ("a: b: c", 1), ("x: 1\n- a", 2), ("a: @x", 1), ("a: 1\n b: 2", 2)],
    )
    def test_syntax(self, text: str, line: int, loader: str) -> None:
        [fault] = faults(text)
        assert "not valid YAML: " in fault
        assert "\n" not in fault
        if loader == "CSafeLoader":
            assert fault.startswith(f"{line}: ")

    def test_tabs(self) -> None:
        told = "not valid YAML: a tab in the indentation; indent with spaces"
        assert faults("a:\n\tb: 1\n") == [f"2: : {told}"]


def test_a_large_file() -> None:
    assert faults("#" * (MAX_BYTES + 1)) == ["0: : larger than 4 MiB; a configuration is a small text"]


def test_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_nodes, "MAX_VALUES", 100)
    assert faults("- a\n" * 99) == []
    assert faults("- a\n" * 100) == ["100: : more than 100 values; keep data in files under 'data'"]


def test_not_utf_8() -> None:
    assert faults(b"a: 1\nb: \xff\n") == ["2: : not UTF-8 text; save the file as UTF-8"]
    assert faults("a: 1".encode("utf-16")) == ["1: : not UTF-8 text; save the file as UTF-8"]
    assert read("\ufeffa: 1") == {"a": 1}


def test_control_characters() -> None:
    assert faults("a: 1\nb: x\0y") == ["2: : the control character U+0000 is not allowed in YAML; remove it"]


def test_nothing_of_a_bomb_is_built() -> None:
    """A bomb within the bound on aliases stays within it when it becomes plain data."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 4)]
    node, problems = parse("\n".join(rows).encode(), "f")
    assert problems == []
    assert node is not None
    assert node.size < yaml_nodes.MAX_EXPANDED


def test_a_tag_runs_nothing(workshop, tmp_path) -> None:
    mark = tmp_path / "ran"
    problems = workshop.problems(HEAD + f"    x: !!python/object/apply:os.system ['touch {mark}']\n")
    assert [problem.split(":")[0] for problem in problems] == ["5"]
    assert not mark.exists()


def test_parameters_keep_their_types(workshop) -> None:
    config = workshop.load(HEAD + "    a: 1e-3\n    b: [1, 1.0, true, null, '1']\n    c: {d: {e: x}}\n")
    assert repr(config.parameters) == "{'a': 0.001, 'b': [1, 1.0, True, None, '1'], 'c': {'d': {'e': 'x'}}}"
