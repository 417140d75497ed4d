"""Fingerprints of loaded functions and classes: of the code that runs, which the file may no longer say."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType

from .bytecode import code_digest, global_names
from .facts import Code, Nested
from .files import Files
from .finder import SOURCE, Finder, Module
from .graph import Graph, Node, same
from .loaded import CELL, Cell, Place, Sources, which
from .model import CodeFingerprint
from .unwrap import layers, underlying

_Fingerprint = Callable[[str, Node], CodeFingerprint]
_Key = tuple[int, int]


class Live:
    """Links loaded objects into the graph of symbols."""

    def __init__(self, files: Files, finder: Finder, graph: Graph, fingerprint: _Fingerprint) -> None:
        self._files = files
        self._finder = finder
        self._graph = graph
        self._fingerprint = fingerprint
        self.sources = Sources(files, finder)
        self._nodes: dict[_Key, Node] = {}
        self._kept: list[object] = []  # keeps the objects whose id() is a key alive
        self._known: dict[tuple[_Key, ...], CodeFingerprint] = {}
        self._looked_up: dict[tuple[int, str], tuple[dict[str, object], object]] = {}

    def fingerprint(self, obj: object) -> CodeFingerprint | None:
        """Of a live function, class or module; ``None`` if it is no code of the project."""
        self._forget_what_was_typed_over()
        if isinstance(obj, ModuleType):
            return self._module(obj)
        found = underlying(obj)
        if found is None:
            return None
        wrappers = [layer for layer in layers(obj) if isinstance(layer, FunctionType) and layer is not found]
        key = (*(_key(wrapper) for wrapper in wrappers), _key(found))
        if key not in self._known:
            node = self.node(found)
            if node is None:
                return None
            name = f"{node.file}::{_qualname(found)}" if isinstance(found, type) else node.identity
            code = self._fingerprint(name, node)
            around = [inner for wrapper in wrappers for inner in self._around(wrapper, code)]
            self._known[key] = self._fingerprint(name, _joined(node, around)) if around else code
        return self._known[key]

    def _forget_what_was_typed_over(self) -> None:
        """At a prompt and in a notebook, a name can be bound anew at any time, below functions that use it."""
        for (_, name), (namespace, found) in self._looked_up.items():
            if _loaded(namespace, name) is not found:
                for known in (self._nodes, self._known, self._looked_up):
                    known.clear()
                return

    def _around(self, wrapper: FunctionType, code: CodeFingerprint) -> list[Node]:
        """The node of a wrapper that no decorator put there, so that the wrapped function's code says nothing of it."""
        node = self.node(wrapper)
        known = node is None or not {node.identity, node.identity.partition(".<locals>")[0]}.isdisjoint(code.symbols)
        return [] if node is None or known else [node]

    def _module(self, module: ModuleType) -> CodeFingerprint | None:
        file = getattr(module, "__file__", None)
        if file is None:
            found = [place for folder in getattr(module, "__path__", ()) if (place := self._finder.folder(folder))]
        else:
            path = self.sources.project_path(file)
            folder = os.path.dirname(file) if hasattr(module, "__path__") else ""
            found = [Module(path, folder, SOURCE)] if path is not None else []
        if not found:
            return None
        nodes = [node for place in found for node in self._graph.value(place)]
        return self._fingerprint(module.__name__, _joined(Node("", module.__name__), nodes))

    def node(self, obj: FunctionType | type) -> Node | None:
        """The node of a live function or class; ``None`` if it is no code of the project."""
        key = _key(obj)
        if key not in self._nodes:
            made = self._class_node(obj) if isinstance(obj, type) else self._function_node(obj)
            if made is None:
                return None
            self._kept += [obj, getattr(obj, "__code__", None)]
            self._nodes[key] = made
        return self._nodes[key]

    def place(self, function: FunctionType) -> Place | None:
        """Where a function stands in a project file, if the file still says what runs."""
        path = self.sources.project_path(function.__code__.co_filename)
        return self.sources.place(path, function.__code__) if path else None

    def record(self, function: FunctionType) -> Nested | None:
        """What the source says of a nested function; ``None`` for others."""
        place = self.place(function)
        if place is not None:
            return None if place.nested is None else self._files.nested(place.path)[place.nested]
        if self.sources.project_path(function.__code__.co_filename) is not None:
            return None
        cell = None if os.path.exists(function.__code__.co_filename) else self.sources.cell(function.__code__)
        index = which(cell.nested, function.__code__) if cell else None
        return cell.nested[index] if cell and index is not None else None

    def _function_node(self, function: FunctionType) -> Node | None:
        code = function.__code__
        path = self.sources.project_path(code.co_filename)
        place = self.sources.place(path, code) if path else None
        if place is not None:
            return self._placed(place)
        if path is not None:
            return self._bytecode_node(function, path, "the loaded code differs from the file")
        if os.path.exists(code.co_filename) or self._is_foreign(function):
            return None
        cell = self.sources.cell(code)
        if cell is None:
            return self._bytecode_node(function, CELL, "there is no source for the loaded code")
        index = which(cell.nested, code)
        record = cell.nested[index] if index is not None else None
        top = code.co_qualname.partition(".")[0]
        own = record.code if record else cell.facts.symbols[top].code if top in cell.facts.symbols else None
        if own is None:
            return self._bytecode_node(function, CELL, "its source was not found where it was typed")
        return self._cell_node(code.co_qualname, own, record, cell, function.__globals__)

    def _is_foreign(self, function: FunctionType) -> bool:
        """Whether a function without a file of its own belongs to a library: generated, frozen or zipped."""
        file = getattr(sys.modules.get(function.__module__ or ""), "__file__", None)
        generated = function.__code__.co_filename.startswith("<frozen")
        is_main = function.__module__ == "__main__"
        return generated or (file is not None and not is_main and not self._finder.is_project(file))

    def _placed(self, place: Place) -> Node | None:
        if place.nested is None:
            return self._graph.symbol(place.path, place.name)
        return self._graph.nested(place.path, place.nested)

    # Classes

    def _class_node(self, cls: type) -> Node | None:
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        path = self.sources.project_path(file) if file else None
        functions = [f for f in _functions(cls) if f.__qualname__.startswith(cls.__qualname__ + ".")]
        if path is None:
            return self._typed_class(cls, functions) if cls.__module__ == "__main__" else None
        here = [f for f in functions if self.sources.project_path(f.__code__.co_filename) == path]
        if any(self.sources.place(path, f.__code__) is None for f in here):
            return self._class_bytecode(cls, here, path, "the loaded code differs from the file")
        if "<locals>" in cls.__qualname__:
            records = self._files.nested(path)
            index = next((i for i, record in enumerate(records) if record.qualname == cls.__qualname__), None)
            return None if index is None else self._graph.nested(path, index)
        symbol = self._graph.symbol(path, cls.__qualname__.partition(".")[0])
        return symbol or self._typed_class(cls, functions)

    def _typed_class(self, cls: type, functions: list[FunctionType]) -> Node | None:
        top = cls.__qualname__.partition(".")[0]
        for function in functions:
            cell = self.sources.cell(function.__code__)
            if cell is not None and top in cell.facts.symbols:
                own = cell.facts.symbols[top].code
                return self._cell_node(cls.__qualname__, own, None, cell, function.__globals__)
        return self._class_bytecode(cls, functions, CELL, "there is no source for the loaded code")

    def _class_bytecode(self, cls: type, functions: list[FunctionType], path: str, why: str) -> Node:
        node = Node(path, cls.__qualname__)
        node.digests = same(code_digest(compile(repr(sorted(_plain_attributes(cls))), CELL, "eval")))
        bases = [base for base in cls.__mro__[1:] if base is not object]
        node.expand = lambda: [
            self._whole(path, why),
            *(n for f in functions for n in [self._bytecode_node(f, path, why)]),
            *(n for base in bases for n in self._live_value(base, [])),
        ]
        return node

    # Code that is in no file

    def _whole(self, path: str, why: str) -> Node:
        node = Node(path, why)
        node.widened = why
        if path != CELL:
            node.expand = lambda: [self._graph.whole(path, why)]
        return node

    def _bytecode_node(self, function: FunctionType, path: str, why: str) -> Node:
        code = function.__code__
        node = Node(path, code.co_qualname)
        node.digests = same(code_digest(code))
        names = global_names(code)
        node.expand = lambda: [
            self._whole(path, why),
            *(n for name in names for n in self._global(function.__globals__, [name], known_only=True)),
        ]
        return node

    def _cell_node(
        self, qualname: str, code: Code, record: Nested | None, cell: Cell, namespace: dict[str, object]
    ) -> Node:
        node = Node(CELL, qualname)
        node.digests = code.digests
        inner = [cell.nested[index] for index in record.definitions] if record else []

        def expand() -> list[Node]:
            nodes = [n for reference in code.references for n in self._live_reference(namespace, reference)]
            return nodes + [self._cell_node(r.qualname, r.code, r, cell, namespace) for r in inner if r is not record]

        node.expand = expand
        return node

    def _live_reference(self, namespace: dict[str, object], reference: str) -> list[Node]:
        kind, _, rest = reference.partition(":")
        if kind in "nsg":
            return self._global(namespace, rest.split("."))
        if kind == "w":
            return [self._whole(CELL, rest)]
        if kind == "f":
            return [self._graph.flag(rest)]
        return self._graph.reference(CELL, reference)

    def _global(self, namespace: dict[str, object], chain: list[str], known_only: bool = False) -> list[Node]:
        self._looked_up[id(namespace), chain[0]] = namespace, _loaded(namespace, chain[0])
        if chain[0] in namespace:
            return self._live_value(namespace[chain[0]], chain[1:])
        if known_only or hasattr(builtins, chain[0]):
            return []
        return [self._graph.missing(CELL, chain[0])]

    def _live_value(self, value: object, rest: list[str]) -> list[Node]:
        if isinstance(value, ModuleType):
            return self._graph.through(CELL, (value.__name__, ""), rest) + self._graph.executes(CELL, value.__name__)
        found = underlying(value)
        if found is None:
            found = type(value)
        node = self.node(found)
        if node is not None:
            return [node]
        module = getattr(found, "__module__", None) or ""
        return self._graph.library(module) if module and module != "builtins" else []

    def is_typed(self, function: FunctionType) -> bool:
        """Whether a function is code of the user that stands in no file; what ``dataclasses`` writes does not count."""
        generated = function.__code__.co_filename == "<string>"
        return not generated and self.place(function) is None and self.node(function) is not None

    def global_values(self, function: FunctionType) -> Iterator[tuple[str, object]]:
        """What a function in no file takes from its globals: nothing else can tell what it is. Modules are left out."""
        if not self.is_typed(function):
            return
        for name in global_names(function.__code__):
            value = function.__globals__.get(name)
            if name in function.__globals__ and not isinstance(value, ModuleType):
                yield name, value


def _loaded(namespace: dict[str, object], name: str) -> object:
    """What stands for the value of a name: a function's code, which may be another's under the same function."""
    value = namespace.get(name)
    return value.__code__ if isinstance(value, FunctionType) else value


def _joined(node: Node, others: list[Node]) -> Node:
    joined = Node(node.file, node.name, lambda: [*others, *node.following()])
    joined.digests = node.digests
    return joined


def _key(obj: FunctionType | type) -> _Key:
    return (id(obj), 0) if isinstance(obj, type) else (id(obj.__code__), id(obj.__globals__))


def _qualname(obj: FunctionType | type) -> str:
    return obj.__qualname__


def _functions(cls: type) -> list[FunctionType]:
    found = [inner for value in vars(cls).values() for inner in layers(value)]
    return [inner for inner in found if isinstance(inner, FunctionType)]


def _plain_attributes(cls: type) -> list[tuple[str, str]]:
    plain = (int, float, complex, str, bytes, bool, type(None))
    return [(name, repr(value)) for name, value in vars(cls).items() if isinstance(value, plain) and name[:2] != "__"]
