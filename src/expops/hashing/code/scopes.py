"""Scopes: which names a block of code binds, and where a name that it loads is found."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final, TypeVar

from .context import Target, import_targets
from .trees import children, walk

COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


_Node = TypeVar("_Node", bound=ast.AST)


class Scope:
    """The names bound in one block: a function, class, lambda, comprehension, or a top-level statement."""

    __slots__ = ("bound", "definitions", "globals", "imports", "node", "nonlocals", "parent", "private")

    def __init__(self, node: ast.AST, parent: Scope | None) -> None:
        self.node = node
        self.parent = parent
        around = parent.private if parent else ""
        self.private: str = node.name if isinstance(node, ast.ClassDef) else around
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.imports: dict[str, list[Target]] = {}
        self.definitions: dict[str, list[ast.AST]] = {}

    @property
    def is_class(self) -> bool:
        """Whether nested functions skip this scope."""
        return isinstance(self.node, ast.ClassDef)

    def mangled(self, name: str) -> str:
        """``name`` as the compiler writes it inside a class."""
        if not self.private or not name.startswith("__") or name.endswith("__"):
            return name
        stripped = self.private.lstrip("_")
        return f"_{stripped}{name}" if stripped else name

    def add_block(self, nodes: list[ast.stmt]) -> Scope:
        """Record what the statements of the block itself bind."""
        for node in nodes:
            _collect(node, self)
        self.bound -= self.globals
        self.bound -= self.nonlocals
        return self


def of_function(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, parent: Scope | None) -> Scope:
    """The scope inside a function."""
    return _shared(node, parent, _of_function)


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Scope:
    scope = Scope(node, None)
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    scope.bound.update(argument.arg for argument in named)
    if isinstance(node, ast.Lambda):
        _collect(node.body, scope)
        return scope
    scope.bound.update(_type_parameters(node))
    return scope.add_block(node.body)


def of_class(node: ast.ClassDef, parent: Scope | None) -> Scope:
    """The scope inside a class body."""
    parameters = _type_parameters(node)
    if parameters:
        around = Scope(node.type_params[0], parent)  # type: ignore[attr-defined,unused-ignore]
        around.bound.update(parameters)
        parent = around
    return _shared(node, parent, lambda node: Scope(node, None).add_block(node.body))


def of_comprehension(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, parent: Scope | None) -> Scope:
    """The scope inside a comprehension; a walrus in it binds outside."""
    scope = Scope(node, parent)
    for generator in node.generators:
        scope.bound.update(name.id for name in walk(generator.target) if isinstance(name, ast.Name))
    return scope


def _shared(node: _Node, parent: Scope | None, make: Callable[[_Node], Scope]) -> Scope:
    """The scope inside ``node``; what it binds is collected once, whoever asks."""
    known: Scope | None = node.__dict__.get("_inside")
    if known is None:
        known = node.__dict__["_inside"] = make(node)
    scope = Scope(node, parent)
    scope.bound, scope.globals, scope.nonlocals = known.bound, known.globals, known.nonlocals
    scope.imports, scope.definitions = known.imports, known.definitions
    return scope


def of_statement(node: ast.stmt) -> Scope:
    """The names that a top-level statement binds."""
    return Scope(node, None).add_block([node])


def qualified(scope: Scope | None, name: str) -> str:
    """The qualified name of what is defined as ``name`` in ``scope``."""
    parts = [name]
    while scope is not None:
        if isinstance(scope.node, ast.ClassDef):
            parts.append(scope.node.name)
        elif isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts.append(f"{scope.node.name}.<locals>")
        scope = scope.parent
    return ".".join(reversed(parts))


def _type_parameters(node: ast.AST) -> list[str]:
    return [parameter.name for parameter in getattr(node, "type_params", ())]


def _collect(node: ast.AST, scope: Scope) -> None:
    if isinstance(node, DEFINITIONS):
        scope.bound.add(node.name)
        scope.definitions.setdefault(node.name, []).append(node)
        for outside in evaluated_outside(node):
            _collect(outside, scope)
    elif isinstance(node, ast.Lambda):
        for outside in evaluated_outside(node):
            _collect(outside, scope)
    elif isinstance(node, COMPREHENSIONS):
        _collect_walrus(node, scope)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for name, target in import_targets(node).items():
            scope.bound.add(name)
            scope.imports.setdefault(name, []).append(target)
    elif isinstance(node, ast.Global):
        scope.globals.update(node.names)
    elif isinstance(node, ast.Nonlocal):
        scope.nonlocals.update(node.names)
    else:
        scope.bound.update(_own_names(node))
        for child in children(node):
            _collect(child, scope)


def _own_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return [node.name] if node.name else []
    if isinstance(node, ast.MatchMapping):
        return [node.rest] if node.rest else []
    return []


def _collect_walrus(node: ast.AST, scope: Scope) -> None:
    for inner in walk(node):
        if isinstance(inner, ast.NamedExpr):
            scope.bound.add(inner.target.id)


def evaluated_outside(node: ast.AST) -> list[ast.AST]:
    """The parts of a definition that run where it stands: decorators, defaults, bases, keywords."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    if not isinstance(node, FUNCTIONS):
        return []
    defaults: list[ast.AST] = [*node.args.defaults, *(default for default in node.args.kw_defaults if default)]
    return defaults if isinstance(node, ast.Lambda) else [*node.decorator_list, *defaults]
