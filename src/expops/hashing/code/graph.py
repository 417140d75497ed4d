"""The graph of symbols: what each symbol of the project leads to, resolved once and on demand."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Final

from ...errors import SourceError
from ..canonical import digest_of
from .facts import Code, FileFacts, Nested, Target
from .files import Files
from .finder import EXTENSION, NAMESPACE, SOURCE, Finder, Module
from .libraries import Libraries
from .model import EXTENSION as EXTENSION_SYMBOL
from .model import MODULE
from .model import SOURCE as SOURCE_SYMBOL
from .versions import MISSING

BUILTINS: Final = frozenset(dir(builtins)) | {"WindowsError", "__class__"}
MODULE_NAMES: Final = frozenset(
    {"__name__", "__file__", "__doc__", "__package__", "__spec__", "__loader__", "__path__", "__builtins__"}
    | {"__annotations__", "__dict__", "__cached__", "__debug__"}
)
Digests = tuple[str, str, str, str]
_AS_VALUE: Final = "the module is used as a value"


class Node:
    """A place in the graph: a symbol, an option of a step, a library, a file that counts as a whole, or a flag."""

    __slots__ = (
        "_following",
        "digests",
        "expand",
        "file",
        "flag",
        "library",
        "name",
        "option",
        "widened",
    )

    def __init__(self, file: str = "", name: str = "", expand: Callable[[], list[Node]] | None = None) -> None:
        self.file = file
        self.name = name
        self.digests: Digests | None = None
        self.option: str | None = None
        self.library: tuple[str, str] | None = None
        self.widened: str | None = None
        self.flag: str | None = None
        self.expand = expand
        self._following: list[Node] | None = None

    @property
    def identity(self) -> str:
        """``"src/lib.py::clean"``."""
        return f"{self.file}::{self.name}"

    def following(self) -> list[Node]:
        """The nodes that this one leads to."""
        if self._following is None:
            self._following = list(dict.fromkeys(self.expand())) if self.expand else []
            self.expand = None
        return self._following


def same(digest: str) -> Digests:
    """A digest that docstrings and annotations don't touch."""
    return (digest, digest, digest, digest)


def nested_name(records: Sequence[Nested], index: int) -> str:
    """The name of a nested definition of a file, with a number where several have the same."""
    qualname = records[index].qualname
    alike = [number for number, other in enumerate(records) if other.qualname == qualname]
    return f"{qualname}#{alike.index(index) + 1}" if len(alike) > 1 else qualname


class Graph:
    """Makes nodes; ``effects`` gives the digests and further nodes of the import-time code of a file."""

    def __init__(self, files: Files, finder: Finder, libraries: Libraries) -> None:
        self.files = files
        self.finder = finder
        self._libraries = libraries
        self._nodes: dict[tuple[str, str, str], Node] = {}
        self._resolving: set[tuple[str, ...]] = set()
        self._references: dict[tuple[str, str], list[Node]] = {}
        self.import_time: Callable[[str], tuple[Digests | None, list[Node]]] = lambda path: (None, [])
        self.main = ""  # the script that runs now, if it is one of the project

    # Nodes

    def _node(self, kind: str, file: str, name: str, make: Callable[[Node], None]) -> Node:
        key = (kind, file, name)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(file, name)
            make(node)
        return node

    def symbol(self, path: str, name: str) -> Node | None:
        """A name that the file binds by a definition, a statement or an import."""
        facts = self.files.facts(path)
        if name not in facts.symbols and name not in facts.imports:
            return None

        def make(node: Node) -> None:
            symbol = facts.symbols.get(name)
            targets = facts.imports.get(name, [])
            node.digests = self._digests(path, symbol.code.digests if symbol else None, targets)
            references = symbol.code if symbol else None
            node.expand = lambda: self._after_symbol(path, references, targets)

        return self._node("symbol", path, name, make)

    def nested(self, path: str, index: int) -> Node:
        """A definition inside a function: its own code and the nested definitions that it uses, not the rest."""
        records = self.files.nested(path)
        record = records[index]

        def make(node: Node) -> None:
            node.digests = record.code.digests
            node.expand = lambda: [
                self.module(path),
                *self.of_code(path, record.code),
                *(self.nested(path, inner) for inner in record.definitions),
            ]

        return self._node("nested", path, nested_name(records, index), make)

    def _digests(self, path: str, own: Digests | None, targets: list[Target]) -> Digests:
        if not targets:
            return own or same("")
        binding = digest_of([self._identity(path, target) for target in targets])
        if own is None:
            return same(binding)
        return tuple(digest_of([digest, binding]) for digest in own)  # type: ignore[return-value]

    def _identity(self, path: str, target: Target) -> str:
        """What an import binds, in words that don't depend on how it is written."""
        module, name = target
        found, _ = self.finder.locate(module, path)
        if found is None:
            return f"{module}:{name}"
        inner = (
            self.finder.submodule(found, name)
            if name and (found.path == path or not self._binds(found, name))
            else None
        )
        if inner:
            return inner.path or inner.folder[len(self.finder.root) :]
        return f"{found.path or found.folder[len(self.finder.root) :]}::{name}"

    def _binds(self, module: Module, name: str) -> bool:
        if not module.path or module.kind == EXTENSION:
            return False
        facts = self.files.facts(module.path)
        return name in facts.symbols or name in facts.imports

    def _after_symbol(self, path: str, code: Code | None, targets: list[Target]) -> list[Node]:
        nodes = [self.module(path)]
        for module, name in targets:
            nodes += self.executes(path, module, name)
            if name or self.finder.locate(module, path)[0] is None:
                nodes += self.through(path, (module, name), [], why="")
        return nodes + (self.of_code(path, code) if code else [])

    def of_code(self, path: str, code: Code) -> list[Node]:
        """Everything that a piece of code in ``path`` refers to."""
        nodes: list[Node] = []
        for reference in code.references:
            nodes += self.reference(path, reference)
        if code.annotations:
            nodes.append(self._hints(path, code.annotations))
        return nodes

    def _hints(self, path: str, annotations: Sequence[str]) -> Node:
        def make(node: Node) -> None:
            node.flag = "hints"
            node.expand = lambda: [n for a in annotations for n in self.reference(path, a)]

        return self._node("hints", path, "\n".join(annotations), make)

    def module(self, path: str) -> Node:
        """The import-time code of a file, with all that importing the file executes."""

        def make(node: Node) -> None:
            def expand() -> list[Node]:
                # What a running script does at its top level is not what its functions depend on: it is what
                # calls them, and a new call must not make the others run again.
                node.digests, nodes = self.import_time(path) if path != self.main else (None, [])
                for module, name in self.files.facts(path).runs:
                    nodes = nodes + self.executes(path, module, name)
                return nodes + [self.module(package) for package in self.finder.packages_of(path)]

            node.expand = expand

        return self._node("module", path, MODULE, make)

    def executes(self, path: str, module: str, name: str = "") -> list[Node]:
        """What importing ``module`` (and ``name`` from it, which may be a module) executes, of the project."""
        found, above = self.finder.locate(module, path)
        modules = [*above, *([found] if found else [])]
        if found and name and name != "*":
            inner = self.finder.submodule(found, name)
            modules += [inner] if inner else []
        return [self._import(module) for module in modules if module.kind != NAMESPACE]

    def _import(self, module: Module) -> Node:
        return self.extension(module.path) if module.kind == EXTENSION else self.module(module.path)

    def extension(self, path: str) -> Node:
        """A compiled module of the project: its bytes count."""

        def make(node: Node) -> None:
            node.digests = same(self.files.digest(path))

        return self._node("extension", path, EXTENSION_SYMBOL, make)

    def source_text(self, path: str) -> Node:
        """The text of a file, comments included."""

        def make(node: Node) -> None:
            node.digests = same(self.files.facts(path).content)

        return self._node("source", path, SOURCE_SYMBOL, make)

    def whole(self, path: str, why: str) -> Node:
        """All symbols of a file; without a reason where another file has it."""

        def make(node: Node) -> None:
            node.widened = why or None
            node.expand = lambda: self._all_symbols(path, self.files.facts(path))

        return self._node("whole", path, why, make)

    def value(self, module: Module, why: str = _AS_VALUE) -> list[Node]:
        """A module that may be asked for any of its names, modules among them: all that can be got at through it."""

        def make(node: Node) -> None:
            node.expand = expand

        def expand() -> list[Node]:
            files = [module.path] if module.path else []
            if module.folder:  # what others import of a package becomes an attribute of it
                files += self.finder.every_file(module.folder)
            nodes = [self.whole(file, why) for file in files]
            targets = [(file, target) for file in files for found in self._imports(file) for target in found]
            return nodes + [node for file, target in targets for node in self.through(file, target, [], why)]

        if module.kind == EXTENSION:
            return [self.extension(module.path)]
        return [self._node("value", module.path or module.folder, why, make)]

    def _imports(self, path: str) -> list[list[Target]]:
        return list(self.files.facts(path).imports.values())

    def _all_symbols(self, path: str, facts: FileFacts) -> list[Node]:
        names = [*facts.symbols, *facts.imports]
        stars = [node for star in facts.stars for node in self.star(path, star)]
        return [node for name in names if (node := self.symbol(path, name))] + [self.module(path), *stars]

    def star(self, path: str, module: str) -> list[Node]:
        """All that ``from module import *`` may bring."""
        found, _ = self.finder.locate(module, path)
        if found is None:
            return self.library(module)
        executed = self.executes(path, module)
        return executed + ([self.whole(found.path, "its names are imported by a star")] if found.path else [])

    def every_file(self, path: str, why: str) -> list[Node]:
        """All modules of the project, because of something in ``path``."""

        def make(node: Node) -> None:
            node.widened = f"{why}, so that every module of the project counts"
            node.expand = self._every_file

        return [self._node("everything", path, why, make)]

    def _every_file(self) -> list[Node]:
        nodes = []
        for path in self.finder.every_file():
            try:
                self.files.facts(path)
            except SourceError:
                nodes.append(self._unreadable(path))
            else:
                nodes.append(self.whole(path, ""))
        return nodes

    def _unreadable(self, path: str) -> Node:
        def make(node: Node) -> None:
            node.digests = same(self.files.digest(path))

        return self._node("unreadable", path, SOURCE_SYMBOL, make)

    def library(self, dotted: str) -> list[Node]:
        """The distributions behind a name outside the project."""

        def make(node: Node) -> None:
            node.library = (node.file, node.name)

        name = dotted.lstrip(".")
        found = ((dotted, MISSING),) if name != dotted else self._libraries.of(dotted)
        return [self._node("library", distribution, version, make) for distribution, version in found]

    def missing(self, path: str, name: str) -> Node:
        """A name that nothing binds as far as can be read."""

        def make(node: Node) -> None:
            node.digests = same(MISSING)

        return self._node("missing", path, name, make)

    def flag(self, name: str) -> Node:
        """Something that holds for all the code reached: source text, docstrings or annotations matter."""

        def make(node: Node) -> None:
            node.flag = name

        return self._node("flag", "", name, make)

    def option(self, path: str, name: str, qualname: str, value: str) -> Node:
        """An option of a decorator of expops: it counts for all that reach what it decorates."""

        def make(node: Node) -> None:
            node.name = f"{qualname}@{name}"
            node.option = value

        return self._node("option", path, f"{qualname}@{name}={value}", make)

    # References

    def reference(self, path: str, reference: str) -> list[Node]:
        """What one reference in a file leads to."""
        key = (path, reference)
        found = self._references.get(key)
        if found is None:
            found = self._references[key] = self._resolve(path, reference)
        return found

    def _resolve(self, path: str, reference: str) -> list[Node]:
        kind, _, rest = reference.partition(":")
        if kind == "n":
            return self.chain(path, rest.split("."), _AS_VALUE)
        if kind in ("s", "g"):
            why = "an attribute of the module is assigned" if kind == "s" else "getattr with a computed name"
            return self.chain(path, rest.split("."), why)
        if kind == "w":
            return self.value(Module(path, "", SOURCE), rest)
        if kind == "a":
            return self.every_file(path, rest)
        if kind == "o":
            return [self.option(path, *rest.split("|", 2))]
        if kind == "f":
            return [self.flag(rest), *([self.whole(path, "its source text is read")] if rest == "source" else [])]
        module, _, names = rest.partition("|")
        if kind == "x":
            return self.executes(path, module, names)
        return self.executes(path, module) + self.through(path, (module, ""), names.split(".") if names else [])

    def chain(self, path: str, chain: list[str], why: str = _AS_VALUE) -> list[Node]:
        """What ``a.b.c`` in a file leads to."""
        found = self.bound(path, chain, why)
        if found is None:
            known = chain[0] in BUILTINS or chain[0] in MODULE_NAMES
            return self._foreign_stars(path) if known else [*self._foreign_stars(path), self.missing(path, chain[0])]
        return found

    def _foreign_stars(self, path: str) -> list[Node]:
        stars = self.files.facts(path).stars
        return [n for star in stars if self.finder.locate(star, path)[0] is None for n in self.library(star)]

    def bound(self, path: str, chain: list[str], why: str) -> list[Node] | None:
        """As :meth:`chain` for names that the file binds, star imports included; ``None`` if it doesn't."""
        key = (path, *chain)
        if key in self._resolving:
            return []  # modules that import the name from each other: it is bound there already
        self._resolving.add(key)
        try:
            return self._bound(path, chain, why)
        finally:
            self._resolving.discard(key)

    def _bound(self, path: str, chain: list[str], why: str) -> list[Node] | None:
        facts = self.files.facts(path)
        nodes: list[Node] = []
        symbol = self.symbol(path, chain[0])
        if symbol:
            nodes.append(symbol)
            for target in facts.imports.get(chain[0], ()):
                nodes += self.through(path, target, chain[1:], why)
        for star in facts.stars:
            nodes += self._through_star(path, star, chain, why)
        return nodes or None

    def _through_star(self, path: str, star: str, chain: list[str], why: str) -> list[Node]:
        module, _ = self.finder.locate(star, path)
        if module is None or not module.path or module.kind == EXTENSION:
            return []
        exports = self.files.facts(module.path).exports
        if exports == ["*"]:
            importer = self.whole(path, f"star import of {star}, whose __all__ is computed")
            return [importer, self.whole(module.path, "its __all__ is computed")]
        if chain[0] not in exports if exports is not None else chain[0].startswith("_"):
            return []
        return self.bound(module.path, chain, why) or []

    def through(self, path: str, target: Target, rest: list[str], why: str = _AS_VALUE) -> list[Node]:
        """What ``rest`` taken of an imported thing leads to.

        ``why`` says why a module that is reached itself counts as a whole; with ``""`` it doesn't.
        """
        module, name = target
        chain = [*(name.split(".") if name else []), *rest]
        found, above = self.finder.locate(module, path)
        if found is None:
            if above or module.startswith("."):
                return [self.missing(path, module)]
            return self.library(".".join([module, *chain]))
        return self.inside(found, chain, why)

    def inside(self, module: Module, chain: list[str], why: str) -> list[Node]:
        """What ``chain`` taken of a project module leads to."""
        if module.kind == EXTENSION:
            return [self.extension(module.path)]
        if not chain:
            return self.value(module, why) if why else []
        found = self.bound(module.path, chain, why) if module.path else None
        if found is not None:
            return found
        inner = self.finder.submodule(module, chain[0])
        if inner:
            executed = [self._import(inner)] if inner.kind != NAMESPACE else []
            return executed + self.inside(inner, chain[1:], why)
        if not module.path or chain[0] in MODULE_NAMES:
            return []
        hook = self.symbol(module.path, "__getattr__")
        if hook:
            return [hook, self.whole(module.path, "its __getattr__ makes names")]
        return [self.missing(module.path, chain[0])]
