"""Arbitrary objects, by what pickle would write of them: their class and their state."""

from __future__ import annotations

import copyreg
import itertools
from typing import Any, Final

from .node import Context, Node, Refused, attributes, items, node
from .refusals import describe, is_live_iterator

_NOTHING: Final = frozenset[str]()
_new_object: Final = copyreg.__newobj__  # type: ignore[attr-defined]
_new_object_ex: Final = copyreg.__newobj_ex__  # type: ignore[attr-defined]


def refuse(value: object, cause: BaseException | None = None) -> Refused:
    """The error for a value without identity, to be raised."""
    what, mend = describe(value)
    known = "" if cause is None or not what.startswith("an instance of") else f" ({cause})"
    return Refused(f"{what} has no identity{known}; {mend}")


def _reduce(value: object) -> Any:
    if is_live_iterator(type(value)):
        raise refuse(value)
    reducer = copyreg.dispatch_table.get(type(value))
    try:
        return value.__reduce_ex__(4) if reducer is None else reducer(value)
    except Exception as error:  # whatever a class's own __reduce__ raises, it has no identity
        raise refuse(value, error) from error


def _state(state: object, without: frozenset[str]) -> object:
    """Instance state: attributes by name where it is made of them, else as it is."""
    if type(state) is tuple and len(state) == 2 and isinstance(state[0], dict | None) and type(state[1]) is dict:
        return node("state", [_state(part, without) for part in state], ["", ""])
    if type(state) is dict and all(type(name) is str for name in state):
        return attributes({name: part for name, part in state.items() if name not in without})
    return state


def reduced(value: object, context: Context, without: frozenset[str] = _NOTHING) -> Node:
    """The node of any object that pickle can take apart, less the attributes in ``without``."""
    parts = _reduce(value)
    if isinstance(parts, str):
        named = [type(value), getattr(value, "__module__", None), parts]
        wrapped = getattr(value, "__wrapped__", None)
        # A decorated function, such as a step, is kept by name, and is its code all the same.
        return node("global", [*named, wrapped] if callable(wrapped) else named)
    function, arguments, state, listed, pairs, setter = itertools.islice(itertools.chain(parts, [None] * 4), 6)
    made: list[object]
    if function is _new_object:
        made = [arguments[0], tuple(arguments[1:]), None]
    elif function is _new_object_ex:
        made = [arguments[0], tuple(arguments[1]), arguments[2]]
    else:
        made = [type(value), function, tuple(arguments)]
    elements = None if listed is None else list(listed)
    entries = None if pairs is None else items(pairs)
    return node("object", [*made, _state(state, without), elements, entries, setter], [""] * 7)
