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
    up there, so that all of the file counts.
    """

    digest: str
    symbols: dict[str, str]
    libraries: dict[str, str]
    counted: dict[str, str]
    widened: dict[str, str]
    files: tuple[str, ...]


class Parameter(NamedTuple):
    """One parameter; ``kind`` is ``positional``, ``keyword``, ``varargs`` or ``varkw``."""

    name: str
    kind: str
    has_default: bool


class FunctionFacts(NamedTuple):
    """What the source says of a top-level function, without importing it.

    ``decorators`` are dotted names resolved through the file's imports. ``returns`` has the keys if every return
    statement gives a dict literal with constant keys; ``returns_dict`` is false if none can give a dict.
    """

    name: str
    line: int
    parameters: tuple[Parameter, ...]
    decorators: tuple[str, ...]
    returns: tuple[str, ...] | None
    returns_dict: bool | None


def changes(old: Mapping[str, str], new: Mapping[str, str], root: str = "") -> list[str]:
    """Say in human words how two ``symbols`` differ.

    ``root`` is the identity of the function itself (``"src/model.py::train"``), which is no helper.
    """
    return [
        _phrase(name, "added" if name not in old else "removed" if name not in new else "changed", root)
        for name in sorted(old.keys() | new.keys(), key=lambda name: (name != root, name))
        if old.get(name) != new.get(name)
    ]


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
