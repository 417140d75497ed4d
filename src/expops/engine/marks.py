"""Marks of values that stay alive: what tells, within one OS process, whether somebody has altered one.

Plain data is told by content. Of other things the structure counts, down to what has none: functions, objects of
libraries. Those are told by identity, numbered, since an address is given anew once its owner is gone.
"""

from __future__ import annotations

import itertools
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from threading import local
from typing import Any, Final

ATOMS: Final = (type(None), bool, int, float, complex, str, bytes)
CONTAINERS: Final = (list, tuple, set, frozenset, dict)
SMALL: Final = 1000  # parts; larger values are told apart by identity, as often as a step is called
_OPEN: Final = (*CONTAINERS, OrderedDict, defaultdict, deque)
_ABSENT: Final = object()


class Identities:
    """Numbers objects, each its own, also after another has taken its address."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Callable[[], object], int]] = {}
        self._next = itertools.count()

    def of(self, value: object) -> int:
        """The number of ``value``, which is kept alive only if nothing can tell when it is gone."""
        known = self._known.get(id(value))
        if known is None or known[0]() is not value:
            known = self._known[id(value)] = (_reference(value), next(self._next))
        return known[1]


def _reference(value: object) -> Callable[[], object]:
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value


def structure(value: object, identities: Identities, is_own: Callable[[type], bool]) -> str | None:
    """What ``value`` is made of, as text; ``None`` if that is more than a thousand parts.

    ``is_own`` tells the classes whose instances are looked into.
    """
    tokens: list[str] = []
    seen: set[int] = set()
    pending = [value]
    while pending:
        item = pending.pop()
        if len(tokens) + len(pending) > SMALL:
            return None
        kind = type(item)
        if kind in ATOMS:
            tokens.append(f"{kind.__name__} {item!r}")
            continue
        code = f" {identities.of(item.__code__)}" if isinstance(item, types.FunctionType) else ""
        tokens.append(f"{kind.__name__} {identities.of(item)}{code}")
        if id(item) not in seen:
            seen.add(id(item))
            inner = list(itertools.islice(_parts(item, is_own), SMALL + 1))
            tokens[-1] += f" {len(inner)}"
            pending += inner
    return "\n".join(tokens)


def _parts(item: Any, is_own: Callable[[type], bool]) -> Iterable[object]:
    kind = type(item)
    if kind in _OPEN:
        return itertools.chain(item, item.values()) if isinstance(item, dict) else item
    if kind is types.MappingProxyType:  # the registry of a functools.singledispatch
        return itertools.chain(item, item.values())
    if kind is ContextVar:
        return (item.get(None),)
    if kind is types.FunctionType or kind in (local, types.SimpleNamespace) or is_own(kind):
        return attributes(item).values()
    return ()


def attributes(item: object) -> dict[str, object]:
    """What an object has as its own, in ``__dict__`` and in slots."""
    found = dict(getattr(item, "__dict__", ()))
    for base in type(item).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            value = getattr(item, name, _ABSENT)
            if value is not _ABSENT and name not in ("__dict__", "__weakref__"):
                found[name] = value
    return found


def class_attributes(cls: type) -> dict[str, object]:
    """What a class has as its own, besides what the interpreter puts there; functions under any name."""
    return {
        name: value
        for name, value in vars(cls).items()
        if name[:2] != "__" or isinstance(value, types.FunctionType | classmethod | staticmethod | property)
    }


def is_small(value: object) -> bool:
    """Whether it is plain data of at most a thousand parts."""
    pending, parts = [value], 0
    while pending:
        item = pending.pop()
        parts += 1
        if parts > SMALL:
            return False
        if type(item) is dict:
            pending += [*item, *item.values()][: SMALL + 1]
        elif type(item) in CONTAINERS:
            pending += list(item)[: SMALL + 1]  # type: ignore[call-overload]
        elif type(item) not in ATOMS:
            return False
    return True
