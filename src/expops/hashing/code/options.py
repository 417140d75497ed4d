"""Options of expops's own decorators, read from source: ``@step(version="2", ignore=["verbose"])``.

An option that can change what callers of a function get counts for all that reach it, as a reference
``o:option|qualified name|value``. One that is no literal counts as code: the digest of its expression, with all that
the expression refers to. ``cache`` changes nobody's result, so it never counts.
"""

from __future__ import annotations

import ast
from typing import Final

from ..digest import digest_bytes
from .context import Context, callee, chain_of
from .model import Option
from .normalise import normal_forms

VERSION: Final = "version"
IGNORE: Final = "ignore"
SEED_BY: Final = "seed_by"
BY_NUMBER: Final = "#"  # the seed of a step whose decorator doesn't say more: what is no step has none of its own
COMPUTED: Final = "="  # in front of the digest of an option that is no literal

_COUNTED: Final = {"step": (VERSION, IGNORE, SEED_BY), "process": (VERSION,)}


def options_of(decorator: ast.expr) -> tuple[Option, ...]:
    """The options that a decorator is called with; positional ones and ``**`` have no name."""
    if not isinstance(decorator, ast.Call):
        return ()
    positional = [Option("", node.lineno, False, None) for node in decorator.args]
    return (*positional, *(_option(keyword) for keyword in decorator.keywords))


def _option(keyword: ast.keyword) -> Option:
    name = keyword.arg or ""
    try:
        value = ast.literal_eval(keyword.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return Option(name, keyword.value.lineno, False, None)
    if isinstance(value, list | tuple | set | frozenset):
        # Facts are kept as JSON. What is no list of names is refused, so its text will do.
        parts = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return Option(name, keyword.value.lineno, True, [p if isinstance(p, str) else repr(p) for p in parts])
    if value is None or isinstance(value, bool | int | str):
        return Option(name, keyword.value.lineno, True, value)
    return Option(name, keyword.value.lineno, True, {"is": repr(value)})


def counted(decorator: ast.expr, qualname: str, context: Context) -> tuple[list[str], list[ast.expr]]:
    """References for the options that count, and the expressions among them whose own references count too."""
    chain = chain_of(callee(decorator)) or [""]
    names = _COUNTED.get(chain[-1], ())
    by_number = [f"o:{SEED_BY}|{qualname}|{BY_NUMBER}"] if SEED_BY in names else []
    if not isinstance(decorator, ast.Call):
        return by_number, []
    found: list[str] = []
    computed = [(f"{number}", node) for number, node in enumerate(decorator.args)]
    for keyword, option in zip(decorator.keywords, map(_option, decorator.keywords), strict=True):
        if option.name and option.name not in names:
            continue
        if option.literal and option.name:
            text = text_of(option.name, option.value)
            found += [f"o:{option.name}|{qualname}|{text}"] if text else []
        else:
            computed.append((option.name or "**", keyword.value))
    for name, node in computed:
        digest = digest_bytes(normal_forms(node, context)[0])
        found.append(f"o:{name}|{qualname}|{COMPUTED}{digest}")
    if not computed and not any(text.startswith(f"o:{SEED_BY}|") for text in found):
        found += by_number
    return found, [node for _, node in computed]


def text_of(name: str, value: object) -> str:
    """The value of an option as keys have it: equal for options that mean the same, and ``""`` for none."""
    if value is None:
        return ""
    if name == IGNORE and isinstance(value, list | tuple | set | frozenset):
        return ", ".join(sorted({str(item) for item in value}))
    return str(value)
