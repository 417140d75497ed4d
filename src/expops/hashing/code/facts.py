"""What is known of one file, as plain data that needs no syntax tree and can be written down.

References are those of :mod:`.names`, calls those of :mod:`.effects`.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from .model import FunctionFacts, Option, Parameter

# Part of every memo key: raise it whenever reading the same file gives other facts, or facts of another shape.
FORMAT: Final = 5

DATA: Final = "data"
FUNCTION: Final = "function"
STEP: Final = "step"
CLASS: Final = "class"
LITERAL: Final = "literal"
CACHE: Final = "cache"

IMPURE: Final = "impure"
ALTERS: Final = "alters"
HOOKS: Final = "hooks"
MAKES: Final = "makes"

Target: TypeAlias = tuple[str, str]


class Code(NamedTuple):
    """One piece of code: digests of its normal form and its references.

    ``digests`` has four: plain, with docstrings, with annotations, with both. ``annotations`` are the references
    that count only where annotations do.
    """

    digests: tuple[str, str, str, str]
    references: tuple[str, ...]
    annotations: tuple[str, ...]


class Symbol(NamedTuple):
    """A top-level name: the code that binds it, and what calling it may do.

    Traits: :data:`IMPURE` if calling it may change something global by its own code, :data:`ALTERS` if it may change
    what it is given, :data:`HOOKS` if making a subclass runs code of it, :data:`MAKES` if that is so where it is the
    metaclass. ``when_called``: references without those of wrappers that it
    returns, where they differ.
    """

    code: Code
    kind: str
    traits: tuple[str, ...]
    when_called: tuple[str, ...] | None


class Effect(NamedTuple):
    """A top-level statement that may do more than bind: ``calls`` decide, unless it is ``certain``.

    ``symbol`` is the name it binds if it is a definition, whose code then counts with that name.
    """

    code: Code
    certain: bool
    calls: tuple[str, ...]
    symbol: str


class FileFacts(NamedTuple):
    """All about one file. ``exports`` is ``__all__``: ``None`` if absent, ``["*"]`` if it can't be read."""

    content: str
    symbols: dict[str, Symbol]
    imports: dict[str, list[Target]]
    stars: list[str]
    runs: list[Target]
    effects: list[Effect]
    exports: list[str] | None
    functions: dict[str, FunctionFacts]


class Nested(NamedTuple):
    """A function, lambda or class inside another function (or a lambda anywhere).

    ``span`` is where its body stands (first line, column, last line, column). ``definitions`` are the indices of
    the nested definitions that it uses through the functions around it; ``free`` the other names found there.
    """

    qualname: str
    lines: tuple[int, int]
    span: tuple[int, int, int, int]
    code: Code
    definitions: tuple[int, ...]
    free: tuple[str, ...]


class Span(NamedTuple):
    """Where a top-level statement stands (first line, column, last line, column).

    ``names`` are the symbols whose code it is part of, ``effect`` its index among the file's effects if it has any.
    """

    place: tuple[int, int, int, int]
    names: tuple[str, ...]
    effect: int | None


def unpack_nested(data: list[object]) -> Nested:
    """A :class:`Nested` from JSON data."""
    qualname, lines, span, code, definitions, free = data
    digests, references, annotations = code  # type: ignore[misc]
    inner = Code(tuple(digests), tuple(references), tuple(annotations))  # type: ignore[has-type]
    return Nested(qualname, tuple(lines), tuple(span), inner, tuple(definitions), tuple(free))  # type: ignore[arg-type]


def pack(facts: FileFacts) -> list[object]:
    """As JSON data; equal strings of a symbol's digests are written once."""
    symbols = {
        name: [_pack_code(symbol.code), symbol.kind, symbol.traits, symbol.when_called]
        for name, symbol in facts.symbols.items()
    }
    effects = [[_pack_code(e.code), e.certain, e.calls, e.symbol] for e in facts.effects]
    return [
        *(facts.content, symbols, facts.imports, facts.stars, facts.runs, effects, facts.exports),
        facts.functions,
    ]


def unpack(data: list[object]) -> FileFacts:
    """The facts that :func:`pack` wrote."""
    content, symbols, imports, stars, runs, effects, exports, functions = data
    return FileFacts(
        content,  # type: ignore[arg-type]
        {name: Symbol(_unpack_code(s[0]), s[1], s[2], s[3]) for name, s in symbols.items()},  # type: ignore[attr-defined]
        imports,  # type: ignore[arg-type]
        stars,  # type: ignore[arg-type]
        runs,  # type: ignore[arg-type]
        [Effect(_unpack_code(e[0]), e[1], tuple(e[2]), e[3]) for e in effects],  # type: ignore[attr-defined]
        exports,  # type: ignore[arg-type]
        functions,  # type: ignore[arg-type]
    )


def function_facts(data: list[object]) -> FunctionFacts:
    """One entry of an unpacked ``functions`` as its type; done only where it is asked for."""
    name, line, parameters, decorators, returns, returns_dict, options, always = data
    return FunctionFacts(
        name,  # type: ignore[arg-type]
        line,  # type: ignore[arg-type]
        tuple(Parameter(*parameter) for parameter in parameters),  # type: ignore[attr-defined]
        tuple(decorators),  # type: ignore[arg-type]
        None if returns is None else tuple(returns),  # type: ignore[arg-type]
        returns_dict,  # type: ignore[arg-type]
        tuple(Option(*option) for option in options),  # type: ignore[attr-defined]
        tuple(always),  # type: ignore[arg-type]
    )


def _pack_code(code: Code) -> list[object]:
    plain, *others = code.digests
    return [[plain, *(others if any(other != plain for other in others) else ())], code.references, code.annotations]


def _unpack_code(data: list[list[str]]) -> Code:
    digests, references, annotations = data
    plain = digests[0]
    all_four = (plain, plain, plain, plain) if len(digests) == 1 else tuple(digests)
    return Code(all_four, tuple(references), tuple(annotations))  # type: ignore[arg-type]
