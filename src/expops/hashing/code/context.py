"""What a file's imports say about the names in it: shared by everything that reads a syntax tree."""

from __future__ import annotations

import ast
from typing import Final, TypeAlias

Target: TypeAlias = tuple[str, str]  # (module as written, with leading dots if relative; dotted name inside it)
Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

# Decorators that give no meaning to annotations and have no effect beyond the function that they decorate.
PLAIN_DECORATORS: Final = frozenset(
    {
        *("staticmethod", "classmethod", "property"),
        *("functools.wraps", "functools.lru_cache", "functools.cache", "functools.cached_property"),
        *("functools.total_ordering", "contextlib.contextmanager", "contextlib.asynccontextmanager"),
        *("abc.abstractmethod", "typing.overload", "typing.override", "typing.final"),
    }
)
_ACCESSORS: Final = frozenset({"setter", "getter", "deleter"})


def import_targets(node: ast.Import | ast.ImportFrom) -> dict[str, Target]:
    """The names that an import statement binds, and what each stands for; a star is the name ``*``."""
    bound: dict[str, Target] = {}
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            bound[alias.asname or top] = (alias.name if alias.asname else top, "")
        return bound
    module = "." * node.level + (node.module or "")
    for alias in node.names:
        bound[alias.asname or alias.name] = (module, alias.name)
    return bound


def join(module: str, name: str) -> str:
    """The dotted name of ``name`` in ``module``, which may be relative."""
    return module + ("" if not module or not name or module.endswith(".") else ".") + name


def chain_of(node: ast.AST) -> list[str] | None:
    """``["a", "b", "c"]`` for the expression ``a.b.c``; ``None`` for anything else."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    attributes.append(node.id)
    return attributes[::-1]


def callee(node: ast.expr) -> ast.expr:
    """What is called: ``f`` of ``f(x)(y)``; other expressions as they are."""
    while isinstance(node, ast.Call):
        node = node.func
    return node


class Context:
    """The import table of one file, and the names bound at its top level."""

    __slots__ = ("caches", "imports", "names")

    def __init__(self, imports: dict[str, list[Target]], names: frozenset[str], caches: frozenset[str]) -> None:
        self.imports = imports
        self.names = names
        self.caches = caches

    def dotted(self, chain: list[str]) -> str:
        """The full name of a global ``chain``: ``numpy.linalg`` for ``np.linalg``; unchanged if not imported."""
        targets = self.imports.get(chain[0])
        if not targets:
            return ".".join(chain)
        module, name = targets[0]
        return join(module, ".".join([part for part in (name, *chain[1:]) if part]))

    def decorator(self, node: ast.expr) -> str:
        """The dotted name of a decorator without its arguments; ``""`` if it is no plain name."""
        chain = chain_of(callee(node))
        return self.dotted(chain) if chain else ""

    def is_ours(self, decorator: ast.expr) -> bool:
        """Whether a decorator is expops's own, also as a method of an ``expops.Cache`` of this file."""
        chain = chain_of(callee(decorator))
        if not chain:
            return False
        if chain[0] in self.caches and chain[-1] in ("step", "process"):
            return True
        return self.dotted(chain).startswith("expops.") and chain[0] in self.imports

    def foreign_decorators(self, node: Definition) -> list[ast.expr]:
        """The decorators of a definition without expops's own, whose arguments configure and don't compute."""
        return [decorator for decorator in node.decorator_list if not self.is_ours(decorator)]

    def is_plain(self, decorator: ast.expr) -> bool:
        """Whether a decorator is known to do nothing besides wrapping."""
        name = self.decorator(decorator)
        if name in PLAIN_DECORATORS:
            return name.partition(".")[0] not in self.names or "." in name
        return name.rpartition(".")[2] in _ACCESSORS and name.count(".") == 1

    def keeps_annotations(self, node: Definition) -> bool:
        """Whether a decorator of ``node`` may give its annotations a meaning."""
        return any(not self.is_plain(decorator) for decorator in self.foreign_decorators(node))

    def is_wrapper(self, node: ast.AST) -> bool:
        """Whether a function wraps another (``functools.wraps``), so that it runs later than where it stands."""
        return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            self.decorator(decorator) == "functools.wraps" for decorator in node.decorator_list
        )
