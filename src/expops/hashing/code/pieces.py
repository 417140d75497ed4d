"""Pieces of code: digests of the normal form, and references, of a node and of several together."""

from __future__ import annotations

import ast

from ..canonical import digest_of
from ..digest import digest_bytes
from .context import Context
from .facts import Code
from .names import References
from .normalise import normal_forms
from .scopes import Scope


def code_of(node: ast.AST, context: Context, doc: str = "", outer: Scope | None = None) -> Code:
    """Digests and references of one piece of code; ``doc`` is the docstring of its module."""
    references = References(context, outer)
    references.visit(node)
    forms = normal_forms(node, context)
    digests = [digest_bytes(form) for form in forms]
    if doc and "f:docs" in references.used:
        digests = [digest_of([digest, doc]) for digest in digests]
    used = sorted(references.used)
    return Code(tuple(digests), tuple(used), tuple(sorted(references.annotations.keys() - references.used.keys())))  # type: ignore[arg-type]


def joined(codes: list[Code]) -> Code:
    """Several statements as one piece, in their order."""
    if len(codes) == 1:
        return codes[0]
    digests = [digest_of([code.digests[variant] for code in codes]) for variant in range(4)]
    references = sorted({reference for code in codes for reference in code.references})
    annotations = sorted({reference for code in codes for reference in code.annotations})
    return Code(tuple(digests), tuple(references), tuple(annotations))  # type: ignore[arg-type]


def references_when_called(node: ast.AST, context: Context) -> tuple[str, ...]:
    """References of a function without those of the wrappers that it only returns."""
    references = References(context, skip_wrappers=True)
    references.visit(node)
    return tuple(sorted(references.used))
