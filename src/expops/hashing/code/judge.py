"""Which top-level statements have effects beyond their own name, now that all files can be read."""

from __future__ import annotations

import builtins
import sys
from typing import Final, TypeAlias

from ..canonical import digest_of
from .facts import CACHE, CLASS, DATA, HOOKS, IMPURE, LITERAL, STEP, Effect
from .graph import MODULE_NAMES, Digests, Graph, Node

# A file and a name in it, with the attributes taken of that; or a dotted name outside the project and "".
_End: TypeAlias = tuple[str, str, list[str]]

_IMPURE_BUILTINS: Final = frozenset(
    {"exec", "eval", "setattr", "delattr", "globals", "vars", "locals", "__import__", "next", "breakpoint"}
)
_READERS: Final = frozenset(
    {"get", "items", "keys", "values", "copy", "format", "join", "split", "strip", "lower", "upper", "replace"}
    | {"startswith", "endswith", "index", "count", "exists", "mean", "sum", "astype", "reshape", "read_text", "[]"}
)
# Third-party packages whose decorators give back what they decorate, compiled, checked or marked.
_WRAPPING: Final = frozenset(
    {"numba", "torch", "jax", "tensorflow", "attr", "attrs", "pydantic", "pytest", "hypothesis", "joblib", "tenacity"}
    | {"toolz", "cytoolz", "beartype", "jaxtyping", "typeguard", "numpy", "flax", "equinox", "chex", "line_profiler"}
    | {"typing_extensions", "deprecated", "cachetools", "more_itertools", "wrapt", "decorator", "sklearn", "optax"}
)
_SUSPICIOUS: Final = ("register", "hook", "overload", "setattr", "subscribe", "atexit", "signal.signal", "setdefault")


def _suspicious(dotted: str) -> bool:
    lower = dotted.lower()
    return any(word in lower for word in _SUSPICIOUS)


class Judge:
    """Decides on effects; when unsure, there is one."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._impure: dict[tuple[str, str], bool] = {}
        self._registering: dict[tuple[str, str], bool] = {}
        graph.import_time = self.import_time

    def import_time(self, path: str) -> tuple[Digests | None, list[Node]]:
        """Digests of the statements of a file that have effects (``None`` without any), and what they lead to."""
        counted: list[Effect] = []
        nodes: list[Node] = []
        for effect in self._graph.files.facts(path).effects:
            if not self._has_effect(path, effect):
                continue
            symbol = self._graph.symbol(path, effect.symbol) if effect.symbol else None
            if symbol:
                nodes.append(symbol)
            else:
                counted.append(effect)
                nodes += self._graph.of_code(path, effect.code)
        if not counted:
            return None, nodes
        digests = [digest_of([effect.code.digests[variant] for effect in counted]) for variant in range(4)]
        return tuple(digests), nodes  # type: ignore[return-value]

    def _has_effect(self, path: str, effect: Effect) -> bool:
        return effect.certain or any(self._call(path, call) for call in effect.calls)

    def _call(self, path: str, call: str) -> bool:
        function, *handed = call.split("|")
        kind, _, dotted = function.partition(":")
        chain = dotted.split(".")
        ends = self._ends(path, chain)
        if ends is None:
            return kind != "b" and (chain[0] in _IMPURE_BUILTINS or not hasattr(builtins, chain[0]))
        return any(self._end(kind, *end) for end in ends) or (
            kind != "b" and any(name for _, name, _ in ends) and any(self._is_data(path, name) for name in handed)
        )

    def _end(self, kind: str, path: str, name: str, rest: list[str]) -> bool:
        if not name:
            return self._library(kind, path)
        symbol = self._graph.files.facts(path).symbols.get(name)
        if symbol is None or symbol.kind in (LITERAL, CACHE) or (symbol.kind == STEP and not rest):
            return symbol is None
        if kind == "b":
            return self._registers_subclasses(path, name)
        if symbol.kind == DATA:
            return not (kind == "v" and rest and rest[-1] in _READERS)
        if rest and symbol.kind != CLASS:
            return True  # an attribute of a function, such as `register` of one made by singledispatch
        return self._changes_globals(path, name)

    @staticmethod
    def _library(kind: str, dotted: str) -> bool:
        top = dotted.partition(".")[0]
        if top == "expops" or kind == "b":
            return False
        if kind == "e" or _suspicious(dotted):
            return True
        return kind == "d" and top not in _WRAPPING and top not in sys.stdlib_module_names

    def _is_data(self, path: str, name: str) -> bool:
        ends = self._ends(path, [name]) or []
        for file, found, _ in ends:
            symbol = self._graph.files.facts(file).symbols.get(found) if found else None
            if symbol is not None and symbol.kind == DATA:
                return True
        return False

    def _ends(self, path: str, chain: list[str], seen: tuple[tuple[str, str], ...] = ()) -> list[_End] | None:
        """Where a chain leads through imports: ``(file, name, attributes left)``, or ``(dotted, "", [])`` outside.

        ``None`` if the file does not bind it.
        """
        facts = self._graph.files.facts(path)
        if (path, chain[0]) in seen:
            return None
        seen = (*seen, (path, chain[0]))
        ends: list[_End] = []
        if chain[0] in facts.symbols:
            ends.append((path, chain[0], chain[1:]))
        for module, name in facts.imports.get(chain[0], ()):
            ends += self._through(path, module, [*(name.split(".") if name else []), *chain[1:]], seen)
        for star in facts.stars:
            found, _ = self._graph.finder.locate(star, path)
            if found is not None and found.path:
                ends += self._ends(found.path, chain, seen) or []
        return ends or None

    def _through(self, path: str, module: str, chain: list[str], seen: tuple[tuple[str, str], ...]) -> list[_End]:
        found, _ = self._graph.finder.locate(module, path)
        while found is not None and chain:
            ends = self._ends(found.path, chain, seen) if found.path.endswith(".py") else None
            if ends is not None:
                return ends
            found, chain = self._graph.finder.submodule(found, chain[0]), chain[1:]
        return [(".".join([module, *chain]), "", [])]

    def _registers_subclasses(self, path: str, name: str) -> bool:
        """Whether making a subclass of a project class, or a class of a project metaclass, runs code of the project."""
        key = (path, name)
        if key not in self._registering:
            self._registering[key] = False
            facts = self._graph.files.facts(path)
            bases = [c for e in facts.effects if e.symbol == name for c in e.calls if c.startswith("b:")]
            own = HOOKS in facts.symbols[name].traits
            self._registering[key] = own or any(self._call(path, base) for base in bases)
        return self._registering[key]

    def _changes_globals(self, path: str, name: str) -> bool:
        """Whether calling a function or class of the project may change something global."""
        key = (path, name)
        if key not in self._impure:
            self._impure[key] = self._search(path, name)
        return self._impure[key]

    def _search(self, path: str, name: str) -> bool:
        pending = [(path, name)]
        seen = set(pending)
        while pending:
            file, current = pending.pop()
            symbol = self._graph.files.facts(file).symbols.get(current)
            if symbol is None or symbol.kind in (LITERAL, CACHE, STEP):
                continue
            if symbol.kind == DATA or IMPURE in symbol.traits:
                return True
            references = symbol.code.references if symbol.when_called is None else symbol.when_called
            for reference in references:
                ends = self._called(file, reference)
                if ends is None or any(not found and _suspicious(dotted) for dotted, found, _ in ends):
                    return True
                fresh = {(end, found) for end, found, _ in ends if found} - seen
                seen |= fresh
                pending += fresh
        return False

    def _called(self, path: str, reference: str) -> list[_End] | None:
        """Where a reference of a called function leads; ``None`` if that can't be told."""
        kind, _, rest = reference.partition(":")
        if kind in "fxo":
            return []
        if kind == "i":
            module, _, names = rest.partition("|")
            return self._through(path, module, names.split(".") if names else [], ())
        if kind != "n":
            return None
        chain = rest.split(".")
        return [] if hasattr(builtins, chain[0]) or chain[0] in MODULE_NAMES else self._ends(path, chain)
