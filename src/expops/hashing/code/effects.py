"""Effects of top-level statements: which of them do more than bind a name.

Whether a call has an effect often depends on code elsewhere, so that the answer has three parts: certain effects,
calls that the reader of all files must judge, and containers of this file that the statement fills.

A call is ``e:chain`` (result discarded), ``v:chain`` (result used), ``d:chain`` (as decorator), ``b:chain`` (a base)
or ``m:chain`` (a metaclass), followed by ``|name`` for each global that its arguments hand over.
"""

from __future__ import annotations

import ast
from typing import Final

from . import scopes
from .context import Context, callee, chain_of
from .trees import children, walk

_FILLING: Final = frozenset(
    {"append", "add", "extend", "insert", "update", "setdefault", "appendleft", "discard", "remove", "pop", "sort"}
)
_CONTAINERS: Final = frozenset(
    {"dict", "list", "set", "collections.defaultdict", "collections.OrderedDict", "collections.Counter"}
    | {"collections.deque"}
)
_LITERALS: Final = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_IMPURE_BUILTINS: Final = frozenset({"exec", "eval", "setattr", "delattr", "globals", "vars", "locals", "__import__"})


def is_fresh_container(value: ast.expr, context: Context) -> bool:
    """Whether ``value`` makes a new container that nothing else holds."""
    if isinstance(value, ast.Call):
        chain = chain_of(value.func)
        return chain is not None and context.dotted(chain) in _CONTAINERS
    return isinstance(value, _LITERALS)


def root_name(node: ast.AST) -> tuple[str, int]:
    """The name at the root of ``a.b[c].d`` and how many attributes and subscripts are taken; ``""`` if none."""
    depth = 0
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
        depth += 1
    return (node.id, depth) if isinstance(node, ast.Name) else ("", depth)


class Effects:
    """What a top-level statement does besides binding names."""

    __slots__ = ("_context", "_fresh", "_local", "calls", "certain", "fills")

    def __init__(self, context: Context, fresh: frozenset[str]) -> None:
        self._context = context
        self._fresh = fresh
        self._local: set[str] = set()
        self.certain = False
        self.calls: dict[str, None] = {}
        self.fills: set[str] = set()

    def statement(self, node: ast.stmt) -> Effects:
        """Add the effects of ``node``."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._definition(node)
        elif isinstance(node, ast.ClassDef):
            self._class(node)
        elif isinstance(node, ast.Expr):
            self._expression_statement(node.value)
        elif isinstance(node, ast.Raise):
            self.certain = True
        else:
            self._walk(node)
        return self

    def _walk(self, node: ast.AST) -> None:
        for child in children(node):
            if isinstance(child, ast.stmt):
                self.statement(child)
            elif isinstance(child, ast.expr):
                self._expression(child)
            else:
                self._walk(child)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._decorators(node)
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self._expression(default)

    def _decorators(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for decorator in self._context.foreign_decorators(node):
            if not self._context.is_plain(decorator):
                self._called(callee(decorator), "d", decorator)
            if isinstance(decorator, ast.Call):
                for argument in [*decorator.args, *(keyword.value for keyword in decorator.keywords)]:
                    self._expression(argument)

    def _class(self, node: ast.ClassDef) -> None:
        self._decorators(node)
        kinds = [("b", base) for base in node.bases]
        kinds += [("m" if keyword.arg == "metaclass" else "", keyword.value) for keyword in node.keywords]
        for kind, base in kinds:
            while isinstance(base, ast.Subscript):  # Generic[T]
                base = base.value
            chain = chain_of(base) if kind else None
            if chain:
                self.calls[f"{kind}:{'.'.join(chain)}"] = None
            else:
                self._expression(base)
        outer, self._local = self._local, self._local | scopes.of_class(node, None).bound
        for statement in node.body:
            self.statement(statement)
        self._local = outer

    def _expression_statement(self, value: ast.expr) -> None:
        if not isinstance(value, ast.Call):
            self._expression(value)
            return
        name, depth = root_name(value.func)
        if name in self._fresh and depth == 1 and isinstance(value.func, ast.Attribute) and value.func.attr in _FILLING:
            self.fills.add(name)
        else:
            self._called(value.func, "e", value)
        for argument in [*value.args, *(keyword.value for keyword in value.keywords)]:
            self._expression(argument)

    def _expression(self, node: ast.expr) -> None:
        if isinstance(node, ast.Call):
            self._called(node.func, "v", node)
        elif isinstance(node, ast.Lambda):
            return
        elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            self._store(node)
        self._walk(node)

    def _store(self, target: ast.Attribute | ast.Subscript) -> None:
        name, depth = root_name(target)
        if name in self._fresh and depth == 1:
            self.fills.add(name)
        elif name not in self._local:
            self.certain = True

    def _called(self, function: ast.expr, kind: str, call: ast.expr) -> None:
        chain = chain_of(function)
        if not chain:
            name, _ = root_name(function)
            if not name:
                # A method of some expression's result; its own call, if any, is judged by itself.
                self.certain = self.certain or kind != "v"
                return
            chain = [name, "[]"]
        if chain[0] not in self._local:
            handed = sorted(set(self._handed_over(call)))
            self.calls["|".join([f"{kind}:{'.'.join(chain)}", *handed])] = None

    def _handed_over(self, call: ast.expr) -> list[str]:
        if not isinstance(call, ast.Call):
            return []
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        names = [node.id for argument in arguments for node in walk(argument) if isinstance(node, ast.Name)]
        return [name for name in names if name in self._context.names and name not in self._local]


def is_impure(node: ast.AST, context: Context) -> bool:
    """Whether calling a function (or making an instance of a class) may change something global, by its own code.

    Functions inside it that are wrappers (``functools.wraps``) run later, so theirs does not count.
    """
    return _Impurity(context).found(node)


class _Impurity:
    def __init__(self, context: Context) -> None:
        self._context = context

    def found(self, node: ast.AST) -> bool:
        local = _all_bound(node)
        if isinstance(node, ast.ClassDef):
            local -= {"cls"}  # what is set there is shared by all instances
            if any(isinstance(s, ast.Assign) and is_fresh_container(s.value, self._context) for s in node.body):
                return True
        pending = [node]
        while pending:
            current = pending.pop()
            if self._impure(current, local):
                return True
            pending += [child for child in children(current) if not self._context.is_wrapper(child)]
        return False

    def _impure(self, node: ast.AST, local: set[str]) -> bool:
        if isinstance(node, ast.Global):
            return True
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            return root_name(node)[0] not in local
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            return node.id in _IMPURE_BUILTINS and node.id not in local
        return False


def alters_arguments(node: ast.AST, context: Context) -> bool:
    """Whether calling a function (or making an instance of a class) may change what it is given, by its own code.

    What it makes itself, such as a new list or the instance, does not count.
    """
    own = _made_within(node, context)
    pending = [node]
    while pending:
        current = pending.pop()
        altered: ast.AST = current
        if isinstance(current, ast.Expr) and isinstance(current.value, ast.Call):
            altered = current.value.func
        changes = altered is not current or not isinstance(getattr(current, "ctx", None), ast.Load)
        if changes and isinstance(altered, ast.Attribute | ast.Subscript) and root_name(altered)[0] not in own:
            return True
        pending += [child for child in children(current) if not context.is_wrapper(child)]
    return False


def _made_within(node: ast.AST, context: Context) -> set[str]:
    """Names that stand for an instance under construction, or for a container that was made on the spot."""
    found: set[str] = set()
    others: set[str] = set()
    for inner in walk(node):
        if isinstance(inner, ast.ClassDef):
            found.update(first for method in inner.body if (first := _instance_name(method)))
        elif isinstance(inner, ast.Assign):
            fresh = is_fresh_container(inner.value, context)
            names = {target.id for target in inner.targets if isinstance(target, ast.Name)}
            (found if fresh else others).update(names)
    return found - others


def _instance_name(node: ast.stmt) -> str:
    if not isinstance(node, ast.FunctionDef) or node.name in ("__new__", "__init_subclass__", "__class_getitem__"):
        return ""
    plain = not any(getattr(d, "id", "") in ("classmethod", "staticmethod") for d in node.decorator_list)
    first = [*node.args.posonlyargs, *node.args.args][:1]
    return first[0].arg if plain and first else ""


def _all_bound(node: ast.AST) -> set[str]:
    bound: set[str] = set()
    for inner in walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            bound |= scopes.of_function(inner, None).bound
        elif isinstance(inner, scopes.COMPREHENSIONS):
            bound |= scopes.of_comprehension(inner, None).bound
    return bound
