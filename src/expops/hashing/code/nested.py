"""Definitions inside functions: each is code of its own, with what it uses from the functions around it."""

from __future__ import annotations

import ast

from . import scopes
from .context import Context
from .facts import Nested
from .names import References
from .pieces import code_of
from .scopes import Scope
from .trees import children


class _Found:
    __slots__ = ("node", "outer", "qualname")

    def __init__(self, node: ast.AST, qualname: str, outer: Scope | None) -> None:
        self.node = node
        self.qualname = qualname
        self.outer = outer


def nested_of(body: list[ast.stmt], context: Context) -> list[Nested]:
    """Every function, lambda and class in ``body`` that is not at its top level nor a method of a class there."""
    finder = _Finder()
    for statement in body:
        finder.visit(statement, "", None)
    index = {found.node: number for number, found in enumerate(finder.found)}
    result = []
    for found in finder.found:
        references = References(context, found.outer)
        references.visit(found.node)
        definitions: set[int] = set()
        free: list[str] = []
        for name, scope in references.free.items():
            nodes = scope.definitions.get(name, [])
            definitions.update(index[node] for node in nodes if node in index)
            if not nodes and name not in scope.imports:
                free.append(name)
        code = code_of(found.node, context, outer=found.outer)
        lines, span = _place(found.node)
        result.append(Nested(found.qualname, lines, span, code, tuple(sorted(definitions)), tuple(sorted(free))))
    return result


def place_of(node: ast.AST) -> tuple[int, int, int, int]:
    """Where a definition or statement stands, its decorators included: first line, column, last line, column."""
    (earliest, first), (_, column, last, end) = _place(node)
    return (earliest, column if earliest == first else 0, last, end)


def _place(node: ast.AST) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    first = node.lineno  # type: ignore[attr-defined]
    decorators = getattr(node, "decorator_list", [])
    earliest = min([first, *(decorator.lineno for decorator in decorators)])
    end = (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
    return (earliest, first), (first, node.col_offset, *end)  # type: ignore[attr-defined]


class _Finder:
    """Walks with the scopes around each definition; the top-level functions and classes are no finds."""

    def __init__(self) -> None:
        self.found: list[_Found] = []

    def visit(self, node: ast.AST, prefix: str, scope: Scope | None, top: bool = True) -> None:
        if isinstance(node, scopes.DEFINITIONS):
            self._enter(node, prefix + node.name, scope, top)
        elif isinstance(node, ast.Lambda):
            self._enter(node, f"{prefix}<lambda>", scope, False)
        elif isinstance(node, scopes.COMPREHENSIONS):
            inner = scopes.of_comprehension(node, scope)
            for child in children(node):
                self.visit(child, prefix, inner, top=False)
        else:
            # Definitions under a top-level `if` or `try` are symbols like the others.
            for child in children(node):
                self.visit(child, prefix, scope, top)

    def _enter(self, node: ast.AST, qualname: str, scope: Scope | None, top: bool) -> None:
        if not top:
            self.found.append(_Found(node, qualname, scope))
        for outside in scopes.evaluated_outside(node):
            self.visit(outside, qualname.rpartition(".")[0] + "." if "." in qualname else "", scope, False)
        if isinstance(node, ast.ClassDef):
            inner = scopes.of_class(node, scope)
            for child in node.body:
                self.visit(child, f"{qualname}.", inner, top)
        elif isinstance(node, ast.Lambda):
            self.visit(node.body, f"{qualname}.<locals>.", scopes.of_function(node, scope), False)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = scopes.of_function(node, scope)
            for child in node.body:
                self.visit(child, f"{qualname}.<locals>.", inner, False)
