"""Values that nobody can change once they are bound, told by their expression."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Final

from .context import Context, chain_of

_MAKERS: Final = frozenset(
    {
        *("int", "float", "complex", "str", "bytes", "bool", "len", "frozenset", "tuple", "min", "max", "abs", "round"),
        *("logging.getLogger", "re.compile", "os.getenv", "os.environ.get", "decimal.Decimal", "fractions.Fraction"),
        *("pathlib.Path", "pathlib.PurePath", "os.path.join", "os.path.dirname", "os.path.abspath", "os.getcwd"),
        *("collections.namedtuple", "typing.NamedTuple", "typing.TypedDict"),
        *("typing.TypeVar", "typing.ParamSpec", "typing.NewType", "datetime.datetime", "datetime.date"),
        *("datetime.timedelta", "time.time", "operator.itemgetter", "operator.attrgetter", "uuid.UUID"),
    }
)
_COMPOUND: Final = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Tuple, ast.JoinedStr)


def is_immutable(node: ast.AST, context: Context, known: Collection[str]) -> bool:
    """Whether an expression gives an immutable value; ``known`` are names that hold one."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id in known
    if isinstance(node, ast.Attribute):
        return is_immutable(node.value, context, known)
    if isinstance(node, ast.Call):
        chain = chain_of(node.func)
        if chain is not None and context.dotted(chain) in _MAKERS:
            return True
        return isinstance(node.func, ast.Attribute) and is_immutable(node.func.value, context, known)
    if isinstance(node, _COMPOUND):
        parts = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        return all(is_immutable(part, context, known) for part in parts)
    return isinstance(node, ast.FormattedValue)
