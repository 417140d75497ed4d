"""From source to :class:`~.facts.FileFacts`: the only way into the modules that need :mod:`ast`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import SourceError
from ..digest import digest_bytes
from . import facts as kinds
from . import scopes
from .constants import is_immutable
from .context import Context, Target, chain_of
from .effects import Effects, alters_arguments, is_fresh_container, is_impure
from .facts import Code, Effect, FileFacts, Nested, Span, Symbol
from .model import MODULE
from .nested import nested_of, place_of
from .normalise import prune
from .pieces import code_of, joined, references_when_called
from .signatures import facts_of
from .trees import children, walk

_ENOUGH = 100_000  # frames; syntax trees of generated code are deep


def parse(source: bytes, file: str) -> ast.Module:
    """The tree of ``source``, without what never runs. Raises :class:`~expops.errors.SourceError`."""
    try:
        return prune(ast.parse(source, filename=file))
    except SyntaxError as error:
        raise SourceError(file, error.lineno or 0, error.msg) from error
    except ValueError as error:  # null bytes, undecodable text
        raise SourceError(file, 0, str(error)) from error


def read_facts(source: bytes, file: str, package: str) -> FileFacts:
    """All facts of a file; ``file`` names it in errors, ``package`` is where its relative imports start.

    Raises :class:`~expops.errors.SourceError`.
    """
    with _deep_recursion():
        return _File(parse(source, file)).facts(digest_bytes(source), package)


def read_nested(source: bytes, file: str) -> list[Nested]:
    """The functions, lambdas and classes inside the top-level statements of a file."""
    with _deep_recursion():
        parsed = _File(parse(source, file))
        return nested_of(parsed.body, parsed.context)


def read_lines(source: bytes, file: str) -> dict[str, list[tuple[int, int]]]:
    """The first and last lines of the code of each symbol, by the names that fingerprints give them.

    Raises :class:`~expops.errors.SourceError`.
    """
    with _deep_recursion():
        return _File(parse(source, file)).lines()


def read_spans(source: bytes, file: str) -> list[Span]:
    """Where the top-level statements of a file stand, and the symbols that they are part of."""
    with _deep_recursion():
        parsed = _File(parse(source, file))
        return parsed.spans(parsed.facts("", "").effects)


@contextmanager
def _deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _ENOUGH))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _lines(node: ast.stmt) -> tuple[int, int]:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)]), node.end_lineno or node.lineno


def _is_main_guard(node: ast.stmt) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


class _File:
    """One parsed file on its way to facts."""

    def __init__(self, tree: ast.Module) -> None:
        self.doc = ast.get_docstring(tree) or ""
        self.body: list[ast.stmt] = []
        self.guarded: set[ast.stmt] = set()  # under `if __name__ == "__main__"`: bindings, but no effects
        for statement in tree.body:
            if isinstance(statement, ast.If) and _is_main_guard(statement):
                self.guarded.update(statement.body)
                self.body += [*statement.body, *statement.orelse]
            else:
                self.body.append(statement)
        self.bound = {statement: scopes.of_statement(statement) for statement in self.body}
        self.context = self._context()
        self.binders: dict[str, list[ast.stmt]] = {}
        for statement, scope in self.bound.items():
            for name in scope.bound:
                self.binders.setdefault(name, []).append(statement)
        self.fresh = self._fresh()
        self.effective: set[ast.stmt] = set()

    def _context(self) -> Context:
        imports: dict[str, list[Target]] = {}
        names: set[str] = set()
        for scope in self.bound.values():
            names |= scope.bound
            for name, targets in scope.imports.items():
                if name != "*":
                    imports.setdefault(name, []).extend(targets)
        context = Context(imports, frozenset(names - {"*"}), frozenset())
        caches = {name for s in self.body for name in _assigned(s) if _is_cache(s, context)}
        return Context(imports, context.names, frozenset(caches))

    def _fresh(self) -> frozenset[str]:
        found = set()
        for name, statements in self.binders.items():
            (first, *others) = statements
            value = first.value if isinstance(first, ast.Assign | ast.AnnAssign) else None
            container = value is not None and _assigned(first) == [name] and is_fresh_container(value, self.context)
            definition = isinstance(first, scopes.DEFINITIONS) and not first.decorator_list
            if not others and (container or definition):
                found.add(name)
        return frozenset(found)

    def facts(self, content: str, package: str) -> FileFacts:
        effects = self._effects()
        codes: dict[ast.stmt, Code] = {}
        literals: set[str] = set()
        symbols = {
            name: self._symbol(name, statements, codes, literals)
            for name, statements in self.binders.items()
            if name != "*" and not all(isinstance(s, ast.Import | ast.ImportFrom) for s in statements)
        }
        functions = {
            node.name: facts_of(node, self.context, package)
            for node in self.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        return FileFacts(
            content,
            symbols,
            self.context.imports,
            [module for scope in self.bound.values() for module, _ in scope.imports.get("*", ())],
            self._runs(),
            [effect for s in self.body if (effect := self._effect(s, effects[s], codes))],
            self._exports(),
            functions,
        )

    def lines(self) -> dict[str, list[tuple[int, int]]]:
        effects = self._effects()
        at_import = [s for s in self.body if s not in self.guarded and (effects[s].certain or effects[s].calls)]
        found = {name: [_lines(s) for s in statements] for name, statements in self.binders.items() if name != "*"}
        found[MODULE] = [_lines(s) for s in at_import if not isinstance(s, scopes.DEFINITIONS)]
        nested = nested_of(self.body, self.context)
        for name in dict.fromkeys(record.qualname for record in nested):
            alike = [(record.lines[0], record.span[2]) for record in nested if record.qualname == name]
            for number, place in enumerate(alike, start=1):
                found[f"{name}#{number}" if len(alike) > 1 else name] = [place]
        return found

    def _effects(self) -> dict[ast.stmt, Effects]:
        """Effects of each statement; what fills or rebinds a name from elsewhere joins its binders."""
        effects = {s: Effects(self.context, self.fresh).statement(s) for s in self.body}
        for name, statements in self.binders.items():
            filling = [s for s in self.body if name in effects[s].fills and s not in statements]
            self.binders[name] = statements + filling
        self._globals_of_functions()
        return effects

    def spans(self, effects: list[Effect]) -> list[Span]:
        """One for each statement, once :meth:`facts` has told which of them bind or fill a name."""
        numbers = iter(range(len(effects)))
        found = []
        for statement in self.body:
            names = sorted(name for name, statements in self.binders.items() if statement in statements)
            number = next(numbers) if statement in self.effective else None
            found.append(Span(place_of(statement), tuple(names), number))
        return found

    def _globals_of_functions(self) -> None:
        for statement in self.body:
            for inner in walk(statement):
                for name in inner.names if isinstance(inner, ast.Global) else ():
                    binders = self.binders.setdefault(name, [])
                    if statement not in binders:
                        binders.append(statement)

    def _code(self, statement: ast.stmt, codes: dict[ast.stmt, Code]) -> Code:
        if statement not in codes:
            codes[statement] = code_of(statement, self.context, self.doc)
        return codes[statement]

    def _symbol(self, name: str, statements: list[ast.stmt], codes: dict[ast.stmt, Code], literals: set[str]) -> Symbol:
        code = joined([self._code(s, codes) for s in statements])
        first = statements[0]
        if len(statements) > 1:
            is_definition = name in self.fresh and isinstance(first, scopes.DEFINITIONS)
            return Symbol(
                code, _kind_of_definition(first, self.context) if is_definition else kinds.DATA, (kinds.IMPURE,), None
            )
        if isinstance(first, scopes.DEFINITIONS):
            return self._callable(code, first, _kind_of_definition(first, self.context))
        if isinstance(first, ast.Assign | ast.AnnAssign) and first.value is not None and _assigned(first) == [name]:
            if name in self.context.caches:
                return Symbol(code, kinds.CACHE, (), None)
            if isinstance(first.value, ast.Lambda):
                return self._callable(code, first, kinds.FUNCTION)
            if is_immutable(first.value, self.context, literals):
                literals.add(name)
                return Symbol(code, kinds.LITERAL, (), None)
        return Symbol(code, kinds.DATA, (kinds.IMPURE,), None)

    def _callable(self, code: Code, node: ast.stmt, kind: str) -> Symbol:
        impure = (kinds.IMPURE,) if is_impure(node, self.context) else ()
        alters = (kinds.ALTERS,) if alters_arguments(node, self.context) else ()
        hooks = _hooks(node) if isinstance(node, ast.ClassDef) else ()
        used = references_when_called(node, self.context)
        return Symbol(code, kind, (*impure, *alters, *hooks), None if used == code.references else used)

    def _effect(self, statement: ast.stmt, effects: Effects, codes: dict[ast.stmt, Code]) -> Effect | None:
        if statement in self.guarded or not (effects.certain or effects.calls):
            return None
        name = statement.name if isinstance(statement, scopes.DEFINITIONS) else ""
        code = self._code(statement, codes)
        self.effective.add(statement)
        return Effect(code, effects.certain, tuple(effects.calls), name)

    def _runs(self) -> list[Target]:
        found: dict[Target, None] = {}
        for statement in self.body:
            if statement in self.guarded or isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in _imports_within(statement):
                module = "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""
                for alias in node.names:
                    found[(module, alias.name) if module else (alias.name, "")] = None
        return list(found)

    def _exports(self) -> list[str] | None:
        statements = self.binders.get("__all__")
        if statements is None:
            return None
        (first, *others) = statements
        value = first.value if isinstance(first, ast.Assign | ast.AnnAssign) and not others else None
        elements = value.elts if isinstance(value, ast.List | ast.Tuple) else [ast.Name("computed")]
        names = [e.value for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str)]
        return names if len(names) == len(elements) else ["*"]


def _kind_of_definition(node: ast.AST, context: Context) -> str:
    if isinstance(node, ast.ClassDef):
        return kinds.CLASS
    decorators = getattr(node, "decorator_list", [])
    return kinds.STEP if any(map(context.is_ours, decorators)) else kinds.FUNCTION


def _hooks(node: ast.ClassDef) -> tuple[str, ...]:
    bound = scopes.of_class(node, None).bound
    hooks = (kinds.HOOKS,) if "__init_subclass__" in bound else ()
    makes = {"__new__", "__init__", "__call__", "__prepare__", "__setattr__"}
    return hooks if makes.isdisjoint(bound) else (*hooks, kinds.MAKES)


def _assigned(statement: ast.stmt) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
    return [target.id for target in targets if isinstance(target, ast.Name)] if len(targets) == 1 else []


def _is_cache(statement: ast.stmt, context: Context) -> bool:
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    chain = chain_of(value.func) if isinstance(value, ast.Call) else None
    return chain is not None and context.dotted(chain) == "expops.Cache"


def _imports_within(statement: ast.stmt) -> Iterator[ast.Import | ast.ImportFrom]:
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, scopes.FUNCTIONS):
            pending += reversed(children(node))
