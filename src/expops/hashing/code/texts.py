"""Constant text in code, as far as it may name a file."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Final

from . import scopes
from .reader import parse

_LONGEST: Final = 1000


def texts_of(source: bytes, file: str, names: Collection[str]) -> list[str]:
    """String constants of the top-level statements that bind any of ``names``, in order, each once.

    Raises :class:`~expops.errors.SourceError`.
    """
    found: dict[str, None] = {}
    for statement in parse(source, file).body:
        if not scopes.of_statement(statement).bound.isdisjoint(names):
            found.update(dict.fromkeys(_texts(statement)))
    return list(found)


def _texts(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("utf-8", "replace")
            if text and len(text) <= _LONGEST and text.isprintable():
                yield text
