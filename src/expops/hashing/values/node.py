"""What a value is taken apart into before it is hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

from .buffers import BufferDigests

CodeOf: TypeAlias = Callable[[object], str | None]
Labels: TypeAlias = Sequence[str] | Callable[[int], str] | None


class Node(NamedTuple):
    """A value taken apart: a tag that names its kind and counts its children, and the children.

    ``labels`` say how each child is reached from the value, for messages: one by one, or by its index (so that
    they cost nothing where no message is needed), or ``None`` when the value's type tells.
    """

    tag: bytes
    children: Sequence[object]
    ordered: bool = True
    labels: Labels = None


class Context(NamedTuple):
    """What the rules of one fingerprint share."""

    digests: BufferDigests
    code_of: CodeOf | None


class Refused(Exception):
    """A value has no identity; the message doesn't yet say where it was found."""


Rule: TypeAlias = Callable[..., Node | bytes]


def node(kind: str, children: Sequence[object], labels: Labels = None) -> Node:
    """An ordered node of ``kind``, a short word that no other rule uses."""
    return Node(b"(%b %d:" % (kind.encode(), len(children)), children, True, labels)


def module_of(kind: type) -> str:
    """The name of a class's module; ``""`` for classes written in C that describe their instances' there."""
    module: object = kind.__module__
    return module if isinstance(module, str) else ""


def unordered(kind: str, children: Sequence[object]) -> Node:
    """A node whose children have no order of their own."""
    return Node(b"(%b %d:" % (kind.encode(), len(children)), children, False)


def shown(key: object) -> str:
    """``key`` as a message shows it; some have no ``repr``, among them integers of thousands of digits."""
    try:
        text = repr(key)
    except Exception:  # noqa: BLE001  anyone's __repr__ may raise anything, and a message is not worth failing for
        return "..."
    return text if len(text) <= 60 else text[:57] + "..."


def paired(children: Sequence[object], index: int) -> str:
    """How child ``index`` of a mapping is reached, whose children are keys and values in turn."""
    key = shown(children[index - index % 2])
    return f"[{key}]" if index % 2 else f" key {key}"


def attributes(state: Mapping[str, object]) -> Node:
    """Named values, by name: the order in which attributes were assigned is no part of an object's value."""
    children: list[object] = []
    for name in sorted(state):
        children += (name, state[name])
    return node("attributes", children, lambda index: f".{children[index - 1]}" if index % 2 else "")


def items(pairs: Iterable[tuple[object, object]]) -> Node:
    """Keys and values in their order, of a mapping that may be no exact dict."""
    children = list(chain.from_iterable(pairs))
    return node("items", children, lambda index: paired(children, index))
