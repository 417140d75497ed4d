"""The words of this package: what is known of a function, and of all the code that it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

MODULE: Final = "<module>"
SOURCE: Final = "<source>"
EXTENSION: Final = "<extension>"


class Memo(Protocol):
    """A key-value memory that may forget."""

    def get(self, key: str) -> bytes | None:
        """What was last put under ``key``, or ``None``."""

    def put(self, key: str, value: bytes) -> None:
        """Remember ``value`` under ``key``; it may be forgotten at any time."""


class CodeFingerprint(NamedTuple):
    """Identity of a function or class with all the project code and libraries that it reaches.

    ``symbols`` maps ``"src/lib.py::clean"`` to the digest of its own normalised source (``::<module>`` stands for
    the import-time statements that have effects), ``libraries`` distributions to versions (see :mod:`.versions`),
    ``counted`` is what of these the digest is made of, and ``widened`` maps files to the reason why static reading gave
    up there, so that all of the file counts. Options of steps are symbols of their own,
    ``"src/lib.py::clean@version"``, with their text in place of a digest. ``streams`` tells alike of every step what
    its seed depends on, as ``@seed_by``; they are no part of ``digest``, since they matter only to what draws random
    numbers. ``modules`` are the files whose import the code brings about, with effects or without.
    """

    digest: str
    symbols: dict[str, str]
    libraries: dict[str, str]
    counted: dict[str, str]
    widened: dict[str, str]
    files: tuple[str, ...]
    streams: dict[str, str]
    modules: tuple[str, ...] = ()


class Parameter(NamedTuple):
    """One parameter; ``kind`` is ``positional``, ``keyword``, ``varargs`` or ``varkw``."""

    name: str
    kind: str
    has_default: bool


class Option(NamedTuple):
    """An option that a decorator is called with, such as ``cache=False``.

    ``name`` is empty for a positional one and for ``**``; ``value`` is plain JSON data if it is ``literal``.
    """

    name: str
    line: int
    literal: bool
    value: object


class FunctionFacts(NamedTuple):
    """What the source says of a top-level function, without importing it.

    ``decorators`` are dotted names resolved through the file's imports. ``returns`` has the keys if every return
    statement gives a dict literal with constant keys; ``returns_dict`` is false if none can give a dict. ``options``
    are those of ``@process``. ``always`` are those of ``returns`` that each return statement has.
    """

    name: str
    line: int
    parameters: tuple[Parameter, ...]
    decorators: tuple[str, ...]
    returns: tuple[str, ...] | None
    returns_dict: bool | None
    options: tuple[Option, ...] = ()
    always: tuple[str, ...] = ()


def changes(old: Mapping[str, str], new: Mapping[str, str], root: str = "") -> list[str]:
    """Say in human words how two ``symbols`` differ.

    ``root`` is the identity of the function itself (``"src/model.py::train"``), which is no helper.
    """
    return [
        _phrase_option(name, old.get(name, ""), new.get(name, ""), root)
        if "@" in name.rpartition("::")[2]
        else _phrase(name, "added" if name not in old else "removed" if name not in new else "changed", root)
        for name in sorted(old.keys() | new.keys(), key=lambda name: (name != root, name))
        if old.get(name) != new.get(name)
    ]


def option_change(what: str, old: str, new: str) -> str:
    """Say in human words how an option has changed; ``""`` is an option that is not given."""
    if "=" in (old[:1], new[:1]):  # the digest of an expression says nothing to people
        return f"{what} changed"
    return f"{what} {old or 'none'} → {new or 'none'}"


def _phrase_option(identity: str, old: str, new: str, root: str) -> str:
    function, _, option = identity.rpartition("@")
    words = {"version": "version", "ignore": "ignored arguments", "seed_by": "seed_by"}.get(option, "options")
    file, _, name = function.rpartition("::")
    return option_change(words if function == root else f"{words} of '{name}' in {file}", old, new)


def _phrase(identity: str, what: str, root: str) -> str:
    file, _, name = identity.rpartition("::")
    if name == MODULE:
        return f"import-time code of {file} {what}"
    if name == SOURCE:
        return f"source text of {file} {what}"
    if name == EXTENSION:
        return f"extension module {file} {what}"
    if identity == root:
        return f"code of '{name}' in {file} {what}"
    return f"code of helper '{name}' in {file} {what}"
