"""Code objects: do two run the same, and what is one's identity where there is no source."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

from ..digest import digest_bytes

_FIELDS = (
    *("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_argcount"),
    *("co_kwonlyargcount", "co_posonlyargcount", "co_exceptiontable", "co_name"),
)


def same_code(left: CodeType, right: CodeType) -> bool:
    """Whether two code objects do the same; file names, positions and docstrings don't count."""
    if any(getattr(left, field) != getattr(right, field) for field in _FIELDS):
        return False
    one, other = left.co_consts, right.co_consts
    if len(one) != len(other):
        return False
    first = 1 if one and _is_doc(one[0]) and _is_doc(other[0]) else 0
    return all(_same_constant(a, b) for a, b in zip(one[first:], other[first:], strict=True))


def _is_doc(constant: object) -> bool:
    return constant is None or isinstance(constant, str)


def _same_constant(left: object, right: object) -> bool:
    if isinstance(left, CodeType) and isinstance(right, CodeType):
        return same_code(left, right)
    return type(left) is type(right) and constant_text(left) == constant_text(right)


def constant_text(constant: object) -> str:
    """A text that tells constants of code apart: by type, with sets in a fixed order."""
    if isinstance(constant, CodeType):
        return code_digest(constant)
    if isinstance(constant, tuple):
        return f"({','.join(map(constant_text, constant))})"
    if isinstance(constant, frozenset):
        return f"{{{','.join(sorted(map(constant_text, constant)))}}}"
    return f"{type(constant).__name__}:{constant!r}"


def code_digest(code: CodeType) -> str:
    """Digest of a code object with those inside it; it depends on the Python version."""
    parts = [repr(getattr(code, field)) for field in _FIELDS]
    parts += [constant_text(constant) for constant in code.co_consts]
    return digest_bytes("\n".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass"))


def all_codes(code: CodeType) -> Iterator[CodeType]:
    """``code`` and every code object inside it, in the order of the source."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from all_codes(constant)


def global_names(code: CodeType) -> list[str]:
    """Names that the code may take from its globals (attributes among them)."""
    return sorted({name for inner in all_codes(code) for name in inner.co_names})


def first_position(code: CodeType) -> tuple[int, int] | None:
    """Line and column (as in :mod:`ast`) of the first instruction of the body that has them."""
    for line, _, column, _ in code.co_positions():
        if line is not None and column is not None and (line, column) != (code.co_firstlineno, 0):
            return line, column
    return None
