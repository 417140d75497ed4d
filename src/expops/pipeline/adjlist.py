"""The adjacency list: NetworkX text, in which the first name of a line is upstream of the others."""

from __future__ import annotations

from collections.abc import Iterator

from .rules import Report
from .yaml_nodes import INVALID, Node


def read_rows(node: Node | None, report: Report) -> list[tuple[int, list[str]]]:
    """Each row of names with its line; a list of lists of names, an earlier form, means the same."""
    if node is None or node.value is None or node.value is INVALID:
        return []
    if isinstance(node.value, str):
        return list(_text_rows(node, report))
    if isinstance(node.value, list):
        return list(_list_rows(node.value, report))
    report.mistyped(node, "text, one 'upstream downstream ...' a line")
    return []


def _text_rows(node: Node, report: Report) -> Iterator[tuple[int, list[str]]]:
    assert isinstance(node.value, str)
    if node.joined:
        report.at(node, "YAML joins these lines into one; write 'process_adjlist: |' and the lines below it")
        return
    step = 1 if node.literal else 0
    for number, text in enumerate(node.value.split("\n")):
        if names := text.partition("#")[0].split():
            yield node.text_line + number * step, names


def _list_rows(rows: list[Node], report: Report) -> Iterator[tuple[int, list[str]]]:
    for row in rows:
        names = row.value if isinstance(row.value, list) else None
        if not names or not all(isinstance(name.value, str) for name in names):
            report.mistyped(row, "a list of process names, such as [upstream, downstream]")
            continue
        yield row.line, [str(name.value) for name in names]
