"""What a set of nodes leads to, summed up; shared by all roots that lead to the same nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from ..canonical import digest_of
from .graph import Graph, Node
from .model import MODULE
from .versions import counted, joined

_VARIANTS: Final = {"docs": 1, "annotations": 2}
_HINTS: Final = 2
_STREAM: Final = "@seed_by"


class Closure(NamedTuple):
    """Everything reached. ``variant`` says which of four digests of code counts, ``counted`` what of ``libraries``."""

    digest: str
    variant: int
    symbols: dict[str, str]
    libraries: dict[str, str]
    counted: dict[str, str]
    widened: dict[str, str]
    files: tuple[str, ...]
    streams: dict[str, str]
    modules: tuple[str, ...]


class Closures:
    """Sums up. Equal sets are kept once: in a tangled project most nodes reach the same ones.

    ``policy`` says how much of libraries' versions counts.
    """

    def __init__(self, graph: Graph, policy: str) -> None:
        self._graph = graph
        self._policy = policy
        self._reached: dict[tuple[Node, bool], frozenset[Node]] = {}
        self._sets: dict[frozenset[Node], frozenset[Node]] = {}
        self._sums: dict[frozenset[Node], Closure] = {}
        self._known: dict[tuple[Node, ...], Closure] = {}

    def of(self, start: list[Node]) -> Closure:
        """The closure of ``start``, itself included."""
        key = tuple(start)
        found = self._known.get(key)
        if found is None:
            reached = self._reach_all(start, False)
            variant = sum({flag: _VARIANTS[flag] for node in reached if (flag := node.flag) in _VARIANTS}.values())
            if variant & _HINTS:
                reached = self._reach_all(start, True)
            if reached not in self._sums:
                self._sums[reached] = self._sum(reached, variant)
            found = self._known[key] = self._sums[reached]
        return found

    def _sum(self, reached: frozenset[Node], variant: int) -> Closure:
        if any(node.flag == "source" for node in reached):
            sources = {node.file for node in reached if node.file.endswith(".py")}
            reached |= {self._graph.source_text(file) for file in sources}
        digests: dict[str, set[str]] = {}
        versions: dict[str, set[str]] = {}
        reasons: dict[str, set[str]] = {}
        options: dict[str, set[str]] = {}
        for node in reached:
            if node.digests is not None:
                # Two nodes may share an identity: a definition, and the same name looked for where it isn't.
                digests.setdefault(node.identity, set()).add(node.digests[variant])
            elif node.option is not None:
                # The same name may be defined twice, in the branches of an `if`.
                options.setdefault(node.identity, set()).add(node.option)
            elif node.library is not None:
                versions.setdefault(node.library[0], set()).add(node.library[1])
            elif node.widened is not None:
                reasons.setdefault(node.file, set()).add(node.widened)
        given = {identity: " or ".join(sorted(options[identity])) for identity in sorted(options)}
        streams = {identity: text for identity, text in given.items() if identity.endswith(_STREAM)}
        symbols = {identity: _one(found) for identity, found in digests.items()}
        symbols.update((identity, text) for identity, text in given.items() if identity not in streams)
        symbols = dict(sorted(symbols.items()))
        libraries = {name: joined(versions[name]) for name in sorted(versions)}
        counts = counted(libraries, self._policy)
        widened = {file: "; ".join(sorted(reasons[file])) for file in sorted(reasons)}
        files = tuple(sorted({identity.rpartition("::")[0] for identity in symbols}))
        modules = tuple(sorted({node.file for node in reached if node.name == MODULE}))
        digest = digest_of([symbols, counts, widened])
        return Closure(digest, variant, symbols, libraries, counts, widened, files, streams, modules)

    def _reach_all(self, start: Iterable[Node], hints: bool) -> frozenset[Node]:
        return self._kept(frozenset[Node]().union(*(self._reach(node, hints) for node in start)))

    def _kept(self, nodes: frozenset[Node]) -> frozenset[Node]:
        return self._sets.setdefault(nodes, nodes)

    def _reach(self, start: Node, hints: bool) -> frozenset[Node]:
        known = self._reached.get((start, hints))
        if known is not None:
            return known
        seen = {start}
        pending = [start]
        while pending:
            node = pending.pop()
            known = self._reached.get((node, hints))
            if known is not None:
                seen |= known
            elif hints or node.flag != "hints":
                fresh = [following for following in node.following() if following not in seen]
                seen.update(fresh)
                pending += fresh
        self._reached[start, hints] = self._kept(frozenset(seen))
        return self._reached[start, hints]


def _one(digests: set[str]) -> str:
    return next(iter(digests)) if len(digests) == 1 else digest_of(sorted(digests))
