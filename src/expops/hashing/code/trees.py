"""Walks over syntax trees, which are gone over many times: what a node holds is looked up once."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MARKS = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below ``node`` in their order, without those that only say load or store, plus or minus.

    The tree must not change any more: the list is kept with the node.
    """
    found: list[ast.AST] | None = node.__dict__.get("_below")
    if found is None:
        found = []
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST) and not isinstance(item, _MARKS)]
            elif isinstance(value, ast.AST) and not isinstance(value, _MARKS):
                found.append(value)
        node.__dict__["_below"] = found
    return found


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """``node`` and all nodes below it, in no order."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending += children(current)
