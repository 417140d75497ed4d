"""What a value is taken apart into before it is hashed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from .buffers import BufferDigests

CodeOf: TypeAlias = Callable[[object], str | None]


class Node(NamedTuple):
    """A value taken apart: a tag that names its kind and counts its children, and the children.

    ``labels`` say how each child is reached from the value, for messages; ``None`` when its type tells.
    """

    tag: bytes
    children: Sequence[object]
    ordered: bool = True
    labels: Sequence[str] | None = None


class Context(NamedTuple):
    """What the rules of one fingerprint share."""

    digests: BufferDigests
    code_of: CodeOf | None


class Refused(Exception):
    """A value has no identity; the message doesn't yet say where it was found."""


Rule: TypeAlias = Callable[..., Node | bytes]


def node(kind: str, children: Sequence[object], labels: Sequence[str] | None = None) -> Node:
    """An ordered node of ``kind``, a short word that no other rule uses."""
    return Node(b"(%b %d:" % (kind.encode(), len(children)), children, True, labels)


def module_of(kind: type) -> str:
    """The name of a class's module; ``""`` for classes written in C that describe their instances' there."""
    module: object = kind.__module__
    return module if isinstance(module, str) else ""


def unordered(kind: str, children: Sequence[object]) -> Node:
    """A node whose children have no order of their own."""
    return Node(b"(%b %d:" % (kind.encode(), len(children)), children, False)


def attributes(state: Mapping[str, object]) -> Node:
    """Named values, by name: the order in which attributes were assigned is no part of an object's value."""
    children: list[object] = []
    labels: list[str] = []
    for name in sorted(state):
        children += (name, state[name])
        labels += ("", f".{name}")
    return node("attributes", children, labels)
