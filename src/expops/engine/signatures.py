"""Arguments of a call by name, the same however they were passed; and what is worth checking for mutation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

IMMUTABLE = (str, bytes, int, float, complex, bool, type(None), type, range)


class Binder:
    """Binds calls of one function. Raises ``TypeError``, as the call itself would, for arguments that don't fit."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._signature = _signature(function)
        self._defaults = _defaults(function)
        parameters = self._signature.parameters.values()
        plain = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
        self._names = [parameter.name for parameter in parameters] if plain else None

    def fits(self, function: Callable[..., Any]) -> bool:
        """Whether a function of the same code has the same defaults."""
        defaults, named = self._defaults
        positional, keyword = _defaults(function)
        return positional is defaults and keyword is named

    def bind(self, args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
        """Every argument by parameter name, defaults included; ``*args`` and ``**kwargs`` as tuple and dict."""
        names = self._names
        if names is not None and not kwargs and len(args) == len(names):
            return dict(zip(names, args, strict=True))
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError:
        # Written in C, and silent about what it takes.
        return inspect.signature(lambda *args, **kwargs: None)


def _defaults(function: Callable[..., Any]) -> tuple[Any, Any]:
    return getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None)


def mutable(arguments: dict[str, object]) -> dict[str, object]:
    """Those arguments that a function could alter."""
    return {name: value for name, value in arguments.items() if type(value) not in IMMUTABLE}
