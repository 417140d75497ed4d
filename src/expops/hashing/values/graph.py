"""Encodings of values of any depth and with cycles.

Cycles are told apart by what can be reached on every path through them, as colour refinement does for graphs:
so that here, too, it makes no difference whether equal parts are one object or several. A value without cycles
gets the encoding that :mod:`.fingerprint` computes faster for shallow ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from ...errors import CannotFingerprint
from ..digest import digest_bytes
from .atoms import seal
from .expand import expand, label
from .node import Context, Node, Refused
from .recursive import Encoder, TooDeep

_UNKNOWN: Final = b"@"
# Most parts of a large value are shallow, and the recursive way is ten times faster for them.
_SHALLOW: Final = 8
# So many labels take about half a minute.
_MANY_LABELS: Final = 2_000_000


class _Graph:
    """All parts of a value: ``nodes`` (their encoding, where they have no parts) and whom they lead to."""

    def __init__(self, root: object, context: Context, name: str) -> None:
        self.values: list[object] = [root]
        self.nodes: list[Node | bytes] = []
        self.targets: list[list[int]] = []
        self._from: list[tuple[int, int]] = [(-1, 0)]
        self._name = name
        self._encoder = Encoder(context)
        self._discover(context)

    def _discover(self, context: Context) -> None:
        numbers = {id(self.values[0]): 0}
        waiting = deque([0])
        while waiting:
            number = waiting.popleft()
            parts = self._expand(number, context)
            self.nodes.append(parts)
            self.targets.append([])
            if isinstance(parts, bytes):
                continue
            for index, child in enumerate(parts.children):
                target = numbers.get(id(child))
                if target is None:
                    target = numbers[id(child)] = len(self.values)
                    self.values.append(child)
                    self._from.append((number, index))
                    waiting.append(target)
                self.targets[number].append(target)

    def _expand(self, number: int, context: Context) -> Node | bytes:
        value = self.values[number]
        with suppress(TooDeep, Refused, RecursionError):
            return self._encoder.encode(value, _SHALLOW)
        try:
            return expand(value, context)
        except Refused as refusal:
            raise CannotFingerprint(f"{self.path(number)}: {refusal}") from refusal.__cause__

    def node(self, number: int) -> Node:
        """Part ``number``, which has parts of its own."""
        parts = self.nodes[number]
        assert isinstance(parts, Node)
        return parts

    def path(self, number: int) -> str:
        """How part ``number`` is reached from the whole value, as text."""
        labels: list[str] = []
        while number:
            number, index = self._from[number]
            parts = self.nodes[number]
            if isinstance(parts, Node):
                labels.append(label(self.values[number], parts, index))
        return self._name + "".join(reversed(labels))


def components(targets: Sequence[Sequence[int]]) -> list[list[int]]:
    """Strongly connected components of a graph, each after those that it leads to (Tarjan, without recursion)."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    done: set[int] = set()
    pending: list[int] = []
    found: list[list[int]] = []
    work = [(0, 0)]
    while work:
        vertex, position = work.pop()
        if position == 0:
            order[vertex] = low[vertex] = len(order)
            pending.append(vertex)
        elif (child := targets[vertex][position - 1]) not in done:
            low[vertex] = min(low[vertex], low[child])
        for index in range(position, len(targets[vertex])):
            child = targets[vertex][index]
            if child not in order:
                work += ((vertex, index + 1), (child, 0))
                break
            if child not in done:
                low[vertex] = min(low[vertex], order[child])
        else:
            if low[vertex] == order[vertex]:
                members = [pending.pop()]
                while members[-1] != vertex:
                    members.append(pending.pop())
                done.update(members)
                found.append(members)
    return found


def _join(parts: Node, encodings: list[bytes]) -> bytes:
    return parts.tag + b"".join(encodings if parts.ordered else sorted(encodings))


def _refine(members: list[int], graph: _Graph, encodings: dict[int, bytes]) -> None:
    """Encodings for the members of a cycle: refined until no more of them can be told apart."""
    labels = dict.fromkeys(members, _UNKNOWN)
    classes = 0
    effort = 0
    while len(set(labels.values())) > classes:
        classes = len(set(labels.values()))
        effort += len(members)
        if effort > _MANY_LABELS:
            what = f"{len(members)} objects that refer to each other in a circle"
            raise CannotFingerprint(f"{graph.path(members[-1])}: {what} take too long to tell apart; keep fewer")
        refined: dict[int, bytes] = {}
        for number in members:
            near = [labels[target] if target in labels else encodings[target] for target in graph.targets[number]]
            refined[number] = digest_bytes(_join(graph.node(number), near)).encode()
        labels = refined
    # With the labels of all others, since one label tells of its near neighbours only.
    everyone = digest_bytes(b"".join(sorted(set(labels.values())))).encode()
    for number, own in labels.items():
        encodings[number] = b"@" + own + everyone


def encode(value: object, context: Context, name: str) -> bytes:
    """The encoding of ``value``. Raises :class:`CannotFingerprint` with the path to the part at fault."""
    graph = _Graph(value, context, name)
    encodings: dict[int, bytes] = {}
    for members in components(graph.targets):
        number = members[0]
        parts = graph.nodes[number]
        if isinstance(parts, bytes):
            encodings[number] = parts
        elif len(members) == 1 and number not in graph.targets[number]:
            encodings[number] = seal(_join(parts, [encodings[target] for target in graph.targets[number]]))
        else:
            _refine(members, graph, encodings)
    return encodings[0]
