"""Checking nodes against rules: the words in which a schema is written.

:func:`check` reports what is wrong and returns what is right, so that one bad value does not hide the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from ..errors import Problem
from .nearest import nearest
from .yaml_nodes import INVALID, Node


class Scalar(NamedTuple):
    """One value; ``expected`` is what ``accepts`` takes, in words."""

    expected: str
    accepts: Callable[[object], bool]


class Section(NamedTuple):
    """A mapping with known keys; ``unsupported`` are known ones that can't be used, each with what to do."""

    fields: Mapping[str, Rule]
    unsupported: Mapping[str, str] = {}
    spellings: tuple[str, ...] = ()


class Names(NamedTuple):
    """A mapping from names of the author's choice."""

    value: Rule


class Items(NamedTuple):
    """A list."""

    item: Rule


class Anything(NamedTuple):
    """Any plain data; or, with ``mapping``, any mapping."""

    mapping: bool = False


class Custom(NamedTuple):
    """Something that its own reader checks, such as an adjacency list."""


Rule: TypeAlias = "Scalar | Section | Names | Items | Anything | Custom"

TEXT: Final = Scalar("text", lambda value: isinstance(value, str))
NAME: Final = Scalar("a name", lambda value: isinstance(value, str) and bool(value))
BOOLEAN: Final = Scalar("true or false", lambda value: isinstance(value, bool))
DISTANCE: Final = Scalar("a number from 0 up", lambda value: _is_number(value) and 0 <= value < math.inf)  # type: ignore[operator]
# A version such as 1.0 reads as a number; its text counts.
VERSION: Final = Scalar("text", lambda value: isinstance(value, str | int | float) and not isinstance(value, bool))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def choice(*names: str) -> Scalar:
    """A rule for one of ``names``."""
    return Scalar(f"one of {', '.join(names)}", lambda value: value in names)


def whole(low: int, high: int | None = None, *, empty: bool = False) -> Scalar:
    """A rule for a whole number in a range, both ends included; with ``empty``, also for null."""

    def accepts(value: object) -> bool:
        if value is None:
            return empty
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return value >= low and (high is None or value <= high)

    words = f"a whole number from {low}" + (f" to {high}" if high is not None else " up")
    return Scalar(words + (" or null" if empty else ""), accepts)


class Report:
    """Collects problems of one file."""

    def __init__(self, file: str, places: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._places = places

    def at(self, node: Node, message: str) -> None:
        """A problem with ``node``."""
        self.line(node.line, node.path, message)

    def line(self, line: int, key: str, message: str) -> None:
        """A problem on a line; 0 is the file as a whole."""
        self.problems.append(Problem(self._file, line, key, message))

    def mistyped(self, node: Node, expected: str, mend: str = "") -> None:
        """A problem of type."""
        if node.value is not INVALID:
            self.at(node, f"expected {expected}, found {node.kind()}{mend}")

    def unknown(self, node: Node, key: str, section: Section) -> None:
        """A key that its section does not have: where it belongs, or the nearest that the section has."""
        known = [*section.fields, *section.spellings]
        if key in section.unsupported:
            self.at(node, section.unsupported[key])
        elif key in self._places and self._places[key] != _above(node):
            self.at(node, f"unknown key here; '{key}' belongs under {self._places[key]}")
        else:
            near = nearest(key, known)
            told = f"did you mean '{near}'?" if near else f"known here: {', '.join(section.fields) or 'none'}"
            self.at(node, f"unknown key; {told}")


def _above(node: Node) -> str:
    return node.parent.path if node.parent is not None else ""


def check(node: Node, rule: Rule, report: Report) -> Node | None:
    """What of ``node`` follows ``rule``; ``None`` if nothing does. A container without content is empty."""
    if node.value is INVALID:
        return None
    if isinstance(rule, Scalar):
        if rule.accepts(node.value):
            return node
        text = rule.accepts("text") and node.raw and not isinstance(node.value, str)
        report.mistyped(node, rule.expected, f"; quote it: '{node.raw}'" if text else "")
        return None
    if isinstance(rule, Custom) or (isinstance(rule, Anything) and not rule.mapping):
        return node
    if isinstance(rule, Items):
        return _items(node, rule, report)
    return _mapping(node, rule, report)


def _copy(node: Node, value: list[Node] | dict[str, Node]) -> Node:
    copy = Node(value, node.line, node.parent, node.key)
    copy.text_line = node.text_line
    return copy


def _items(node: Node, rule: Items, report: Report) -> Node | None:
    if node.value is None:
        return _copy(node, [])
    if not isinstance(node.value, list):
        report.mistyped(node, "a list")
        return None
    checked = [check(child, rule.item, report) for child in node.value]
    return _copy(node, [child for child in checked if child is not None])


def _mapping(node: Node, rule: Section | Names | Anything, report: Report) -> Node | None:
    if node.value is None:
        return _copy(node, {})
    if not isinstance(node.value, dict):
        expected = f"a mapping of {', '.join(rule.fields)}" if isinstance(rule, Section) else "a mapping"
        report.mistyped(node, expected)
        return None
    if isinstance(rule, Anything):
        return node
    valid: dict[str, Node] = {}
    for key, child in node.value.items():
        inner = rule.value if isinstance(rule, Names) else rule.fields.get(key)
        if inner is None and isinstance(rule, Section):
            report.unknown(child, key, rule)
        elif inner is not None:
            checked = check(child, inner, report)
            if checked is not None:
                valid[key] = checked
    return _copy(node, valid)
