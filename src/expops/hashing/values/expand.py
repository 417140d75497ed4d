"""Takes one value apart: into its encoding if it has no parts, else into a node of children."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from itertools import chain
from typing import Final

from .atoms import ATOMS, PACK_FROM, packed
from .node import Context, Node, Rule, module_of, paired
from .objects import reduced
from .standard import RULES as STANDARD


def _list(value: list[object]) -> Node | bytes:
    size = len(value)
    if size >= PACK_FROM and (body := packed(b"l", value)) is not None:
        return body
    return Node(b"l%d:" % size, value)


def _tuple(value: tuple[object, ...]) -> Node | bytes:
    size = len(value)
    if size >= PACK_FROM and (body := packed(b"t", value)) is not None:
        return body
    return Node(b"t%d:" % size, value)


def _dict(value: dict[object, object]) -> Node:
    return Node(b"d%d:" % len(value), list(chain.from_iterable(value.items())))


def _set(value: set[object]) -> Node:
    return Node(b"e%d:" % len(value), list(value), False)


def _frozenset(value: frozenset[object]) -> Node:
    return Node(b"z%d:" % len(value), list(value), False)


def _itself(value: Node) -> Node:
    return value


_NATIVE: Final[dict[type, Callable[..., Node | bytes]]] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
    Node: _itself,
}

_LIBRARIES: Final = {
    "matplotlib": ".figures",
    "numpy": ".arrays",
    "pandas": ".frames",
    "pyarrow": ".arrow",
    "scipy": ".sparse",
    "sklearn": ".estimators",
    "torch": ".tensors",
}


def _library_rules(name: str) -> dict[type, Rule]:
    """The rules for a library's types. Called when a value of the library is met, so it is loaded already."""
    module = _LIBRARIES.get(name)
    return {} if module is None else import_module(module, __package__).RULES


def _find_rule(kind: type) -> Rule:
    """The rule of the nearest class that has one."""
    for base in kind.__mro__:
        module = module_of(base)
        rule = STANDARD.get(f"{module}.{base.__qualname__}")
        if rule is None:
            rule = _library_rules(module.partition(".")[0]).get(base)
        if rule is not None:
            return rule
    return reduced


# Bounded, since classes made at run time come and go.
_rule_of: Final[Callable[[type], Rule]] = lru_cache(maxsize=4096)(_find_rule)


def expand(value: object, context: Context) -> Node | bytes:
    """The encoding of ``value`` if it has no parts, else its node.

    Raises :class:`Refused` for a value without identity.
    """
    kind = type(value)
    atom = ATOMS.get(kind)
    if atom is not None:
        return atom(value)
    native = _NATIVE.get(kind)
    if native is not None:
        return native(value)
    return _rule_of(kind)(value, context)


def label(value: object, parts: Node, index: int) -> str:
    """How child ``index`` of ``value`` is reached, as text to append to the path of ``value``."""
    labels = parts.labels
    if labels is not None:
        return labels(index) if callable(labels) else labels[index]
    if isinstance(value, dict):
        return paired(parts.children, index)
    if isinstance(value, set | frozenset):
        return "{...}"
    return f"[{index}]" if isinstance(value, list | tuple) and not isinstance(value, Node) else ""
