"""Finds the part of a value that pickle refuses, so that the message can name it."""

from __future__ import annotations

import pickle
from collections import deque
from typing import Final

from ..hashing.values.buffers import BufferDigests
from ..hashing.values.expand import expand, label
from ..hashing.values.node import Context, Node, Refused
from ..hashing.values.refusals import describe

# In a larger container, finding the part would cost more than it tells.
_MANY_PARTS: Final = 10_000


def _is_picklable(value: object) -> bool:
    # A node is no part of the value itself; its children are.
    tried = list(value.children) if isinstance(value, Node) else value
    try:
        pickle.dumps(tried, protocol=5, buffer_callback=lambda buffer: None)
    except Exception:  # noqa: BLE001  any error is the answer
        return False
    return True


def _parts(value: object, context: Context) -> Node | None:
    """The parts of ``value``, unless it is one of those that pickle doesn't look into."""
    if callable(value) and hasattr(value, "__qualname__"):
        return None
    try:
        parts = expand(value, context)
    except Refused:
        return None
    return parts if isinstance(parts, Node) and len(parts.children) <= _MANY_PARTS else None


def find(value: object, name: str) -> tuple[str, object]:
    """Path and value of a part that pickle refuses though it accepts all that it is made of, as near as can be."""
    context = Context(BufferDigests(), None)
    seen = {id(value)}
    alive = [value]
    waiting: deque[tuple[str, object]] = deque([(name, value)])
    while waiting:
        path, part = waiting.popleft()
        parts = _parts(part, context)
        at_fault = True
        for index, child in enumerate(parts.children if parts else ()):
            if id(child) in seen:
                at_fault = False
            elif not _is_picklable(child):
                at_fault = False
                seen.add(id(child))
                alive.append(child)
                waiting.append((path + label(part, parts, index), child))  # type: ignore[arg-type]
        if at_fault:
            return path, part
    return name, value


def explain(value: object, error: BaseException, name: str = "value") -> str:
    """Why ``value`` can't be stored, where in it the reason lies, and the mend."""
    if isinstance(error, RecursionError):
        return f"{name}: nested too deeply to be stored; flatten it, or return its parts"
    path, culprit = find(value, name)
    what, mend = describe(culprit)
    known = f" ({error})" if what.startswith("an instance of") else ""
    return f"{path}: {what} can't be stored{known}; {mend}"
