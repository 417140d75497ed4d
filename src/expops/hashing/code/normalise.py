"""Canonical bytes of a syntax tree: the same for the same meaning, on every Python version.

Left out: positions, comments, ``pass`` and constants that stand alone, docstrings and annotations (unless asked
for), decorators of expops itself, fields that are empty.
"""

from __future__ import annotations

import ast
import struct
from typing import Final

from .context import Context

DOCS: Final = 1
ANNOTATIONS: Final = 2

_SKIPPED: Final = frozenset({"ctx", "kind", "type_comment", "type_ignores", "simple"})
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


_SPECIAL: Final = frozenset({*_FUNCTIONS, ast.ClassDef, ast.AnnAssign, ast.JoinedStr})
_AS_IT_IS: Final[dict[str, object]] = {}
_Head = tuple[bytes, tuple[tuple[str, bytes, bool], ...]]
_HEADS: Final[dict[type[ast.AST], _Head]] = {}


def _head(kind: type[ast.AST]) -> _Head:
    """How a node of that kind begins, and its fields that count: name, bytes before it, whether it is a block."""
    fields = [field for field in kind._fields if field not in _SKIPPED]
    labels = [(field, b" %b=" % field.encode(), field in ("body", "orelse", "finalbody")) for field in fields]
    found = _HEADS[kind] = (b"(%b" % kind.__name__.encode(), tuple(labels))
    return found


def prune(tree: ast.Module) -> ast.Module:
    """Take out, in place, what never runs: bodies of ``if TYPE_CHECKING``."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and any(map(_is_type_checking, block)):
                setattr(node, field, _without_type_checking(block))
        pending += _blocks(node)
    return tree


def _blocks(node: ast.AST) -> list[ast.AST]:
    """What below a statement may hold statements."""
    fields = ("body", "orelse", "finalbody", "handlers", "cases")
    found = [part for field in fields if isinstance(part := getattr(node, field, None), list)]
    return [item for part in found for item in part]


def _without_type_checking(block: list[ast.stmt]) -> list[ast.stmt]:
    kept: list[ast.stmt] = []
    for statement in block:
        if isinstance(statement, ast.If) and _is_type_checking(statement):
            kept += _without_type_checking(statement.orelse)
        else:
            kept.append(statement)
    return kept


def _is_type_checking(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    test = node.test
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    return name == "TYPE_CHECKING"


def normal_forms(node: ast.AST, context: Context) -> list[bytes]:
    """Canonical bytes of ``node``: plain, with docstrings, with annotations, with both."""
    writer = _Writer(context)
    forms = [writer.form(node)]
    for variant in (DOCS, ANNOTATIONS, DOCS | ANNOTATIONS):
        matters = variant & writer.dropped
        forms.append(forms[matters] if matters < variant else _Writer(context, variant).form(node))
    return forms


class _Writer:
    """Writes nodes as ``(Type field value ...)`` with length-prefixed text, so that no two trees share bytes."""

    def __init__(self, context: Context, variant: int = 0) -> None:
        self.out: list[bytes] = []
        self.dropped = 0
        self._context = context
        self._docs = bool(variant & DOCS)
        self._annotations = bool(variant & ANNOTATIONS)
        self._scope: type[ast.AST] = ast.Module

    def form(self, node: ast.AST) -> bytes:
        self.node(node)
        return b"".join(self.out)

    def node(self, node: ast.AST) -> None:
        if type(node) not in _SPECIAL:
            self._fields(node, _AS_IT_IS)
        elif isinstance(node, _FUNCTIONS):
            self._function(node)
        elif isinstance(node, ast.ClassDef):
            self._scoped(node, {"decorator_list": self._context.foreign_decorators(node)})
        elif isinstance(node, ast.AnnAssign) and not self._means_something():
            self._variable(node)
        elif isinstance(node, ast.JoinedStr):
            self._joined(node)
        else:
            self._fields(node, _AS_IT_IS)

    def _means_something(self) -> bool:
        # Annotations of local variables are neither evaluated nor stored.
        return self._scope is ast.ClassDef or (self._scope is ast.Module and self._annotations)

    def _scoped(self, node: ast.AST, instead: dict[str, object]) -> None:
        outer, self._scope = self._scope, type(node)
        self._fields(node, instead)
        self._scope = outer

    def _fields(self, node: ast.AST, instead: dict[str, object]) -> None:
        kind = type(node)
        head, fields = _HEADS.get(kind) or _head(kind)
        self.out.append(head)
        for field, label, is_block in fields:
            value = instead[field] if field in instead else getattr(node, field, None)
            if (value is None or (type(value) is list and not value)) and kind is not ast.Constant:
                continue
            self.out.append(label)
            if is_block and isinstance(value, list):
                value = self._block(value, node)
            self._value(value)
        self.out.append(b")")

    def _block(self, block: list[ast.stmt], owner: ast.AST) -> list[ast.stmt]:
        has_doc = isinstance(owner, (*_FUNCTIONS, ast.ClassDef, ast.Module)) and _doc(block)
        if has_doc and not self._docs:
            self.dropped |= DOCS
        doc = block[:1] if has_doc and self._docs else []
        return doc + [statement for statement in block[len(doc) :] if not _does_nothing(statement)]

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        instead: dict[str, object] = {"decorator_list": self._context.foreign_decorators(node)}
        if not (self._annotations or self._context.keeps_annotations(node)):
            self.dropped |= ANNOTATIONS
            instead["returns"] = None
            instead["args"] = _bare(node.args)
        self._scoped(node, instead)

    def _variable(self, node: ast.AnnAssign) -> None:
        self.dropped |= ANNOTATIONS
        if node.value is None:
            self.out.append(b"(declared ")
            self.node(node.target)
            self.out.append(b")")
        else:
            self._fields(ast.Assign(targets=[node.target], value=node.value), {})

    def _joined(self, node: ast.JoinedStr) -> None:
        merged: list[object] = []
        text = ""
        for part in node.values:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                text += part.value
                continue
            merged += [text, part] if text else [part]
            text = ""
        self.out.append(b"(JoinedStr ")
        self._value([*merged, text] if text else merged)
        self.out.append(b")")

    def _value(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self.node(value)
        elif isinstance(value, list | tuple):
            self.out.append(b"[%d:" % len(value))
            for item in value:
                self._value(item)
            self.out.append(b"]")
        else:
            self.out.append(_plain(value))


def _does_nothing(statement: ast.stmt) -> bool:
    is_constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_constant or isinstance(statement, ast.Pass)


def _doc(block: list[ast.stmt]) -> bool:
    first = block[0] if block else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _bare(arguments: ast.arguments) -> ast.arguments:
    def strip(argument: ast.arg) -> ast.arg:
        return ast.arg(arg=argument.arg)

    return ast.arguments(
        posonlyargs=[strip(a) for a in arguments.posonlyargs],
        args=[strip(a) for a in arguments.args],
        vararg=strip(arguments.vararg) if arguments.vararg else None,
        kwonlyargs=[strip(a) for a in arguments.kwonlyargs],
        kw_defaults=arguments.kw_defaults,
        kwarg=strip(arguments.kwarg) if arguments.kwarg else None,
        defaults=arguments.defaults,
    )


def _plain(value: object) -> bytes:
    if isinstance(value, str):
        body = value.encode("utf-8", "surrogatepass")
        return b"s%d:%b" % (len(body), body)
    if isinstance(value, bytes):
        return b"y%d:%b" % (len(value), value)
    if isinstance(value, bool) or value is None or value is Ellipsis:
        return b"<%b>" % repr(value).encode()
    if isinstance(value, int):
        return b"i%x;" % value
    if isinstance(value, float):
        return b"f" + struct.pack("<d", value)
    if isinstance(value, complex):
        return b"c" + struct.pack("<dd", value.real, value.imag)
    raise TypeError(f"no constant of Python source: {type(value).__name__}")
