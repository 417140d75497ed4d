"""Which top-level statements have effects beyond their own name, now that all files can be read."""

from __future__ import annotations

import builtins
import sys
from typing import Final, TypeAlias

from ..canonical import digest_of
from .facts import ALTERS, CACHE, CLASS, DATA, FUNCTION, HOOKS, IMPURE, LITERAL, MAKES, STEP, Effect
from .graph import MODULE_NAMES, Digests, Graph, Node

_OF_CLASSES: Final = "bm"  # kinds of call: base, metaclass
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
        self._known: dict[tuple[str, str, str], bool] = {}
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

    def counts(self, path: str, index: int) -> bool:
        """Whether the effect of that index is one, so that its statement counts with its file."""
        return self._has_effect(path, self._graph.files.facts(path).effects[index])

    def _has_effect(self, path: str, effect: Effect) -> bool:
        return effect.certain or any(self._call(path, call) for call in effect.calls)

    def _call(self, path: str, call: str) -> bool:
        function, *handed = call.split("|")
        kind, _, dotted = function.partition(":")
        chain = dotted.split(".")
        ends = self._ends(path, chain)
        if ends is None:
            return kind not in _OF_CLASSES and (chain[0] in _IMPURE_BUILTINS or not hasattr(builtins, chain[0]))
        return any(self._end(kind, *end) for end in ends) or (
            kind not in _OF_CLASSES and any(name for _, name, _ in ends) and self._alters(path, ends, handed)
        )

    def _alters(self, path: str, ends: list[_End], handed: list[str]) -> bool:
        """Whether a call of the project's code may change something that it is handed."""
        if any(self._is_data(path, name) for name in handed):
            return True
        return any(self._is_own(path, name) for name in handed) and any(
            name and self._any_called(file, name, ALTERS) for file, name, _ in ends
        )

    def _end(self, kind: str, path: str, name: str, rest: list[str]) -> bool:
        if not name:
            return self._library(kind, path)
        symbol = self._graph.files.facts(path).symbols.get(name)
        if symbol is None or symbol.kind in (LITERAL, CACHE) or (symbol.kind == STEP and not rest):
            return symbol is None
        if kind in _OF_CLASSES:
            if symbol.kind == FUNCTION and kind == "m":
                return self._any_called(path, name, IMPURE)
            # Of a base that is computed nobody knows whether it looks at its subclasses.
            return symbol.kind == DATA or self._looks_at_classes(path, name, HOOKS if kind == "b" else MAKES)
        if symbol.kind == DATA:
            return not (kind == "v" and rest and rest[-1] in _READERS)
        if rest and symbol.kind != CLASS:
            return True  # an attribute of a function, such as `register` of one made by singledispatch
        return self._any_called(path, name, IMPURE)

    @staticmethod
    def _library(kind: str, dotted: str) -> bool:
        top = dotted.partition(".")[0]
        if top == "expops" or kind in _OF_CLASSES:
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

    def _is_own(self, path: str, name: str) -> bool:
        """Whether a name stands for a function, class or module of the project, which somebody might change."""
        facts = self._graph.files.facts(path)
        symbol = facts.symbols.get(name)
        if symbol is not None:
            return symbol.kind not in (LITERAL, CACHE)
        targets = facts.imports.get(name, ())
        return not targets or any(self._graph.finder.locate(module, path)[0] is not None for module, _ in targets)

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

    def _looks_at_classes(self, path: str, name: str, trait: str) -> bool:
        """Whether a class is made with code of the project: ``name`` is a base of it, or its metaclass."""
        key = (path, name, trait)
        if key not in self._known:
            self._known[key] = False
            facts = self._graph.files.facts(path)
            calls = [call for effect in facts.effects if effect.symbol == name for call in effect.calls]
            bases = [call for call in calls if call.startswith("b:")]
            if trait == MAKES:  # a metaclass inherits what it makes classes with; its own metaclass is another matter
                found = any(self._inherits(path, base) for base in bases)
            else:
                found = any(self._call(path, call) for call in calls if call[:2] in ("b:", "m:"))
            self._known[key] = trait in facts.symbols[name].traits or found
        return self._known[key]

    def _inherits(self, path: str, base: str) -> bool:
        ends = self._ends(path, base.removeprefix("b:").split(".")) or []
        return any(name and self._end("m", file, name, rest) for file, name, rest in ends)

    def _any_called(self, path: str, name: str, trait: str) -> bool:
        """Whether a function or class of the project, or anything that it calls, has a trait."""
        key = (path, name, trait)
        if key not in self._known:
            self._known[key] = self._search(path, name, trait)
        return self._known[key]

    def _search(self, path: str, name: str, trait: str) -> bool:
        pending = [(path, name)]
        seen = set(pending)
        while pending:
            file, current = pending.pop()
            symbol = self._graph.files.facts(file).symbols.get(current)
            if symbol is None or symbol.kind in (LITERAL, CACHE, STEP):
                continue
            if symbol.kind == DATA or trait in symbol.traits:
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
