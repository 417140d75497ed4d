"""Variables of the project's modules, as far as they are not what their source says.

Code that reads a module variable depends on its value, and the source tells it only until somebody changes it: a
process that sets ``CONFIG["rate"]``, a script that reads a table into ``TABLE``. What steps themselves leave there,
such as memoised results, is no input of later steps, for it may be missing when a step is skipped; but what was read
to make it counts for all who may take it from there. A generator of random numbers is told apart: a step that draws
from it shifts what others draw.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from threading import local
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from ..cache.discovery import Observed
from ..errors import CannotFingerprint
from ..hashing.canonical import digest_of
from ..hashing.values import CodeOf, fingerprint
from .marks import ATOMS, CONTAINERS, Identities, attributes, class_attributes, is_small, structure

_TABLE_BYTES: Final = 1 << 20
_TABLE_CELLS: Final = 10_000
_ABSENT: Final = object()


class Variable:
    """One variable of a module. ``reads`` is what steps had read that filled it, or that called it if it memoises."""

    __slots__ = (
        *("_alias", "_base", "_code_of", "_identities", "_made_of", "_objects", "_own", "_plain"),
        *("label", "memoises", "name", "namespace", "reads"),
    )

    def __init__(
        self, file: str, namespace: dict[str, Any], name: str, code_of: CodeOf, identities: Identities
    ) -> None:
        self.label = f"{name} of {file}"
        self.name = name
        self.namespace = namespace
        self.memoises = hasattr(namespace.get(name), "cache_info")
        self.reads = Observed()
        self._code_of = code_of
        self._objects: dict[str, object] = {}
        self._identities = identities
        self._own: dict[type, bool] = {}
        self._made_of: dict[str, str] = {}
        self._plain: tuple[FunctionType, CodeType, str] | None = None  # the last mark of a function
        self._alias: dict[str, str] = {}
        self._base = self.mark()

    def mark(self) -> str:
        """What tells whether the value has changed."""
        return "" if self.memoises else self._mark(self.namespace.get(self.name, _ABSENT))

    def _mark(self, value: object) -> str:
        if type(value) is FunctionType and not value.__dict__:
            if self._plain is None or self._plain[0] is not value or self._plain[1] is not value.__code__:
                mark = f"object {self._identities.of(value)} {self._identities.of(value.__code__)}"
                self._objects[mark] = value
                self._plain = value, value.__code__, mark
            return self._plain[2]
        if isinstance(value, type):
            return self._class_mark(value)
        if _is_generator(value):
            return _generator_mark(value)
        parts = value if type(value) in (*ATOMS, *CONTAINERS) else getattr(value, "__dict__", _ABSENT)
        if parts is not _ABSENT and not isinstance(value, FunctionType) and is_small(parts):
            return fingerprint(parts)
        if _is_small_table(value):
            # A table of objects without identity is told apart as any other large value.
            with suppress(CannotFingerprint):
                return fingerprint(value, code_of=self._code_of)
        made_of = structure(value, self._identities, self._is_own) or ""
        mark = f"object {self._identities.of(value)} {made_of}"
        self._objects[mark] = value
        return mark

    def _class_mark(self, cls: type) -> str:
        attributes = class_attributes(cls)
        plain = {name: item for name, item in attributes.items() if type(item) in ATOMS}
        others = {name: item for name, item in attributes.items() if name not in plain}
        made_of = {name: structure(item, self._identities, self._is_own) or "" for name, item in others.items()}
        if not self._made_of:
            self._made_of = made_of
        mark = fingerprint(plain)
        if made_of != self._made_of:
            altered = {name: item for name, item in others.items() if made_of[name] != self._made_of.get(name)}
            mark = f"object {mark} {sorted(made_of.items())}"
            self._objects[mark] = [plain, altered, sorted(self._made_of.keys() - made_of.keys())]
        return mark

    def _is_own(self, kind: type) -> bool:
        """Whether it is a class of the project, whose instances hold what its code puts there."""
        if kind not in self._own:
            self._own[kind] = kind.__module__ not in sys.stdlib_module_names and self._code_of(kind) is not None
        return self._own[kind]

    def canonical(self, mark: str) -> str:
        """The mark without what steps have changed."""
        return self._alias.get(mark, mark)

    def changed(self, mark: str) -> bool:
        """Whether anybody but steps has changed it since it was first looked at."""
        return self.canonical(mark) != self._base

    def content(self, mark: str) -> str:
        """A mark that means the same in another OS process; ``""`` for a value without an identity."""
        known = self.canonical(mark)
        if not known.startswith("object "):
            return known
        key = "content of " + known
        if key not in self._alias:
            try:
                self._alias[key] = fingerprint(self.held(mark), code_of=self._code_of)
            except CannotFingerprint:
                self._alias[key] = ""
        return self._alias[key]

    def held(self, mark: str) -> object:
        """The value behind the :meth:`content` of a mark, ``None`` if that is data; of some things what they hold."""
        value = self._objects.get(self.canonical(mark))
        if isinstance(value, ContextVar):
            return value.get(None)
        return attributes(value) if isinstance(value, local) else value

    def stepped(self, before: str, after: str) -> None:
        """A step has changed it: what comes later is to take it for what it was before."""
        self._alias[after] = self.canonical(before)

    def value(self) -> object:
        """What it holds now."""
        return self.namespace.get(self.name)

    def is_code(self) -> bool:
        """Whether it is a function or a class."""
        return isinstance(self.value(), FunctionType | type)

    def is_as_written(self) -> bool:
        """Whether it is a function that its file defines under that name, so that its code says it all."""
        value = self.value()
        if not isinstance(value, FunctionType) or vars(value):
            return False
        return value.__globals__ is self.namespace and value.__code__.co_qualname == self.name

    def draws(self) -> bool:
        """Whether it is a generator of random numbers."""
        return _is_generator(self.namespace.get(self.name))


class ModuleState:
    """The variables of loaded modules, by file and name.

    ``always``: their values count whether or not they have changed, since nobody has watched the modules being
    imported.
    """

    def __init__(self, code_of: CodeOf, *, always: bool = False) -> None:
        self._code_of = code_of
        self._always = always
        self._known: dict[tuple[int, str], Variable | None] = {}
        self._identities = Identities()

    def loaded(self, symbols: Iterable[str], file: str, namespace: dict[str, Any]) -> None:
        """A module was imported: note its variables among ``symbols`` before anybody can change them."""
        for symbol in symbols:
            where, _, name = symbol.rpartition("::")
            if where == file:
                self._variable(file, namespace, name)

    def variables(self, symbols: Iterable[str], files: Mapping[str, dict[str, Any]]) -> tuple[Variable, ...]:
        """Those among ``symbols``, such as ``src/lib.py::LIMIT``; ``files`` has the namespaces of loaded modules."""
        found = []
        for symbol in symbols:
            file, _, name = symbol.rpartition("::")
            if file in files and (variable := self._variable(file, files[file], name)) is not None:
                found.append(variable)
        return tuple(found)

    def _variable(self, file: str, namespace: dict[str, Any], name: str) -> Variable | None:
        key = (id(namespace), name)
        if key not in self._known:
            counts = name in namespace and _counts(namespace[name])
            made = Variable(file, namespace, name, self._code_of, self._identities) if counts else None
            self._known[key] = made
        return self._known[key]

    def inputs(self, marks: Mapping[Variable, str]) -> dict[str, str]:
        """What is to be part of a step's key."""
        if self._always:
            return {
                variable.label: mark
                for variable, found in marks.items()
                if not variable.is_as_written() and (mark := variable.content(found))
            }
        return {v.label: mark for v, found in marks.items() if v.changed(found) and (mark := v.content(found))}


def after_step(variables: Mapping[Variable, str], own: Observed, around: Iterable[Observed]) -> list[str]:
    """A step has executed: learn what it left in variables, and let it depend on what filled those that it took.

    ``variables`` has the marks of before; ``around`` is what enclosing actions observed. Gives the names of the
    generators of random numbers that it drew from.
    """
    drawn = []
    for variable, before in variables.items():
        after = variable.mark()
        if after != before and variable.draws():
            drawn.append(variable.name)
            continue
        if after != before:
            variable.stepped(before, after)
        if variable.memoises:
            for outer in around:
                own.add(outer.values(), seeds=False)
        read = own.values()
        own.add(variable.reads.values(), seeds=False)
        if after != before or variable.memoises:
            variable.reads.add(read, seeds=False)
    return drawn


def _counts(value: object) -> bool:
    if isinstance(value, FunctionType):
        return True
    if isinstance(value, ModuleType) or type(value).__module__.partition(".")[0] == "expops":
        return False
    return not callable(value) or isinstance(value, type) or hasattr(value, "cache_info") or hasattr(value, "__dict__")


def _is_small_table(value: object) -> bool:
    """Whether it is an array or a frame that is hashed in less than a millisecond or so."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return bool(value.nbytes <= _TABLE_BYTES)
    pandas: Any = sys.modules.get("pandas")
    kinds = (pandas.DataFrame, pandas.Series, pandas.Index) if hasattr(pandas, "DataFrame") else ()
    return isinstance(value, kinds) and bool(value.size <= _TABLE_CELLS)


def _is_generator(value: object) -> bool:
    numpy: Any = sys.modules.get("numpy.random")
    torch: Any = sys.modules.get("torch")
    kinds = [random.Random, *((numpy.Generator, numpy.RandomState) if numpy else ())]
    if hasattr(torch, "Generator"):
        kinds.append(torch.Generator)
    return isinstance(value, tuple(kinds))


def _generator_mark(value: Any) -> str:
    if isinstance(value, random.Random):
        return digest_of(["random", repr(value.getstate())])
    if hasattr(value, "bit_generator"):
        return fingerprint(value.bit_generator.state)
    numpy: Any = sys.modules.get("numpy.random")
    is_numpy = numpy is not None and isinstance(value, numpy.RandomState)
    return fingerprint(value.get_state(legacy=False) if is_numpy else value.get_state())
