"""From what a name holds to the function underneath."""

from __future__ import annotations

import functools
from types import FunctionType, MethodType

_DEEPEST = 100  # an object that answers to every attribute would go on for ever


def layers(obj: object) -> list[object]:
    """``obj`` and what it wraps, outermost first: ``__wrapped__``, partials, bound and static methods."""
    found = [obj]
    seen = {id(obj)}
    current = _inner(obj)
    while current is not None and id(current) not in seen and len(found) < _DEEPEST:
        seen.add(id(current))
        found.append(current)
        current = _inner(current)
    return found


def _inner(obj: object) -> object | None:
    if isinstance(obj, functools.partial):
        return obj.func
    if isinstance(obj, MethodType | staticmethod | classmethod):
        return obj.__func__
    if isinstance(obj, type):
        return None  # a class may carry a __wrapped__ that concerns its instances
    wrapped = getattr(obj, "__wrapped__", None)
    return wrapped if callable(wrapped) else None


def underlying(obj: object) -> FunctionType | type | None:
    """The plain function or class at the bottom; ``None`` for other objects."""
    last = layers(obj)[-1]
    return last if isinstance(last, FunctionType | type) else None
