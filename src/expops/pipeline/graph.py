"""The DAG of processes: who is upstream of whom, and in which generations they can run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Graph:
    """Processes and their edges. Every order that it gives out is that of ``names``.

    Raises ``ValueError`` for an edge to a name that is not among ``names``.
    """

    __slots__ = ("_down", "_up", "names")

    def __init__(self, names: Sequence[str], edges: Iterable[tuple[str, str]]) -> None:
        self.names = tuple(names)
        rank = {name: number for number, name in enumerate(self.names)}
        up: dict[str, list[str]] = {name: [] for name in self.names}
        down: dict[str, list[str]] = {name: [] for name in self.names}
        for source, target in dict.fromkeys(edges):
            if source not in rank or target not in rank:
                raise ValueError(f"edge {source} -> {target}: no such process")
            up[target].append(source)
            down[source].append(target)
        self._up = {name: tuple(sorted(near, key=rank.__getitem__)) for name, near in up.items()}
        self._down = {name: tuple(sorted(near, key=rank.__getitem__)) for name, near in down.items()}

    def upstream(self, name: str) -> tuple[str, ...]:
        """The processes whose outputs ``name`` can take."""
        return self._up[name]

    def downstream(self, name: str) -> tuple[str, ...]:
        """The processes that can take outputs of ``name``."""
        return self._down[name]

    def edges(self) -> list[tuple[str, str]]:
        """Every edge, once."""
        return [(name, target) for name in self.names for target in self._down[name]]

    def generations(self) -> list[tuple[str, ...]]:
        """Processes by generation: each has all that is upstream of it in earlier ones.

        Raises ``ValueError`` for a graph with a cycle.
        """
        waiting = {name: len(self._up[name]) for name in self.names}
        level = {name: 0 for name, count in waiting.items() if count == 0}
        ready = list(level)
        for name in ready:
            for target in self._down[name]:
                waiting[target] -= 1
                if waiting[target] == 0:
                    level[target] = level[name] + 1
                    ready.append(target)
        if len(level) < len(self.names):
            raise ValueError(f"cycle: {' -> '.join(find_cycle(self.names, self.edges()) or ())}")
        layers: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
        for name in self.names:
            layers[level[name]].append(name)
        return [tuple(layer) for layer in layers]

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """All that ``names`` need, directly or not; one of ``names`` is in it only if another needs it."""
        found: set[str] = set()
        queue = list(names)
        while queue:
            near = set(self._up[queue.pop()]) - found
            found |= near
            queue.extend(near)
        return found

    def restricted(self, names: Iterable[str]) -> Graph:
        """The graph of ``names`` alone, with the edges among them."""
        kept = set(names)
        edges = [edge for edge in self.edges() if kept.issuperset(edge)]
        return Graph([name for name in self.names if name in kept], edges)


def find_cycle(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[str] | None:
    """A cycle as a list that ends with the name it began with, or ``None`` if there is none."""
    down: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        down[source].append(target)
    finished: set[str] = set()
    for start in names:
        if start in finished:
            continue
        # Depth first, with a stack of its own: a chain may be longer than Python's.
        path = {start: iter(down[start])}
        while path:
            name, targets = next(reversed(path.items()))
            following = next((one for one in targets if one not in finished), None)
            if following is None:
                path.popitem()
                finished.add(name)
            elif following in path:
                trail = list(path)
                return [*trail[trail.index(following) :], following]
            else:
                path[following] = iter(down[following])
    return None
