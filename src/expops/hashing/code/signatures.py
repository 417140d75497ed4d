"""Facts about functions for those who plan: parameters, decorators, keys of the returned dict."""

from __future__ import annotations

import ast

from .context import Context, callee, chain_of
from .model import FunctionFacts, Parameter
from .options import options_of
from .trees import children

_NEVER_DICT = (
    *(ast.Constant, ast.List, ast.Tuple, ast.Set, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.JoinedStr),
    *(ast.Lambda, ast.Compare),
)


def facts_of(node: ast.FunctionDef | ast.AsyncFunctionDef, context: Context, package: str) -> FunctionFacts:
    """Read one function; ``package`` is the dotted package that relative imports start from."""
    keys, is_dict, always = _returned(node)
    decorators = tuple(_absolute(context.decorator(decorator), package) for decorator in node.decorator_list)
    ours = [decorator for decorator in node.decorator_list if context.is_ours(decorator)]
    processes = [one for one in ours if context.decorator(one).rpartition(".")[2] == "process"]
    options = tuple(option for one in processes for option in options_of(one))
    return FunctionFacts(node.name, node.lineno, _parameters(node.args), decorators, keys, is_dict, options, always)


def _absolute(dotted: str, package: str) -> str:
    name = dotted.lstrip(".")
    level = len(dotted) - len(name)
    if not level:
        return dotted
    parts = package.split(".") if package else []
    return ".".join([*parts[: len(parts) - level + 1], name])


def _parameters(arguments: ast.arguments) -> tuple[Parameter, ...]:
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    found = [Parameter(a.arg, "positional", index >= required) for index, a in enumerate(positional)]
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, "varargs", False))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(Parameter(argument.arg, "keyword", default is not None))
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, "varkw", False))
    return tuple(found)


def _returned(
    node: ast.FunctionDef | ast.AsyncFunctionDef,
) -> tuple[tuple[str, ...] | None, bool | None, tuple[str, ...]]:
    """The keys of all dicts that it returns, whether it returns dicts, and the keys that are in each of them."""
    values: list[ast.expr | None] = []
    pending: list[ast.AST] = list(node.body)
    while pending:
        current = pending.pop()
        if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(current, ast.Yield | ast.YieldFrom):
            return None, False, ()
        if isinstance(current, ast.Return):
            values.append(current.value)
        pending += reversed(children(current))
    if all(value is None or isinstance(value, _NEVER_DICT) for value in values):
        return None, False, ()
    found = [_keys(value) for value in values]
    all_dicts = all(value is not None and _is_dict(value) for value in values)
    if any(keys is None for keys in found):
        return None, True if all_dicts else None, ()
    keys = tuple(dict.fromkeys(key for keys in found for key in keys or ()))
    return keys, True, tuple(key for key in keys if all(key in (others or ()) for others in found))


def _is_dict(value: ast.expr) -> bool:
    is_call = isinstance(value, ast.Call) and chain_of(callee(value)) == ["dict"]
    return is_call or isinstance(value, ast.Dict | ast.DictComp)


def _keys(value: ast.expr | None) -> list[str] | None:
    if isinstance(value, ast.Dict):
        keys = [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        return keys if len(keys) == len(value.keys) else None
    if isinstance(value, ast.Call) and chain_of(value.func) == ["dict"] and not value.args:
        names = [keyword.arg for keyword in value.keywords if keyword.arg]
        return names if len(names) == len(value.keywords) else None
    return None
