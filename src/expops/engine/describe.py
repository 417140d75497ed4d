"""Keys of live step calls: code, arguments and enclosed variables, with words for explanations."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any, Final, NamedTuple

from ..cache.explain import Described, texts
from ..cache.keys import ActionKey
from ..errors import CannotFingerprint
from ..hashing.canonical import digest_of
from ..hashing.code import CodeFingerprint, ProjectCode
from ..hashing.values import fingerprint
from ..pipeline.caching import DEFAULT, Caching
from .signatures import Binder
from .state import ModuleState, Variable

_NONE: Final[dict[str, str]] = {}


class _Known(NamedTuple):
    compiled: object  # a function's code, or a callable of another kind; kept, so that its id() stays its own
    code: CodeFingerprint
    binder: Binder
    variables: tuple[Variable, ...]
    loaded: dict[Variable, str]  # of functions and classes, as they were then
    typed: bool  # in no file


class DescribedCall(NamedTuple):
    """A step call: its key with words, its arguments by name, the variables that the function closes over, the module
    variables that it reaches, each with what tells whether it changes, and all code that it may run: its own, and that
    of functions and classes among arguments and enclosed variables."""

    described: Described
    arguments: dict[str, object]
    enclosed: dict[str, object]
    variables: dict[Variable, str]
    code: tuple[CodeFingerprint, ...]


class Describer:
    """Describes step calls; what depends on the function alone is worked out once.

    ``always``: nobody has watched the project's modules being imported, so files may say something else than what was
    loaded, and the values of module variables count even if they are as they were when first seen. ``profile`` is
    part of the key of every step: that of the process which calls them, since a library may come with an argument.
    """

    def __init__(self, code: ProjectCode, *, always: bool = False, profile: str = "") -> None:
        self._code = code
        self._known: dict[int, _Known] = {}
        self._always = always
        self.profile = profile
        self._described: list[type] = []
        self._texts: dict[str, dict[str, list[str]]] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._handed: dict[str, CodeFingerprint] = {}
        self._variables: dict[str, tuple[Variable, ...]] = {}
        self.state = ModuleState(self.code_of, always=always)

    def code_of(self, value: object) -> str | None:
        """Digest of the project code behind a function or class, for value fingerprints."""
        found = self._code.of_object(value)
        if found is None:
            return None
        self._handed[found.digest] = found
        if isinstance(value, type) and "<locals>" in value.__qualname__:
            return digest_of([found.digest, self._enclosed_by(value)])
        return found.digest

    def _enclosed_by(self, made: type) -> dict[str, str]:
        """Fingerprints of what the methods of a class within a function close over."""
        if made in self._described:
            return {}  # it closes over itself
        self._described.append(made)
        try:
            methods = {
                name: method for name, method in vars(made).items() if callable(getattr(method, "__func__", method))
            }
            values = {
                f"{name}.{variable}": value
                for name, method in methods.items()
                for variable, value in self._code.closure(method).items()
            }
            return self.fingerprints(values, "enclosed variable")
        finally:
            self._described.pop()

    def texts(self, code: CodeFingerprint) -> dict[str, list[str]]:
        """Constant text in all the code that a fingerprint is of, by file."""
        if code.digest not in self._texts:
            self._texts[code.digest] = self._code.texts(code.symbols)
        return self._texts[code.digest]

    def names(self, code: CodeFingerprint) -> frozenset[str]:
        """The names that all the code uses which a fingerprint is of, without what they are attributes of."""
        if code.digest not in self._names:
            self._names[code.digest] = self._code.names(code.symbols)
        return self._names[code.digest]

    def brought(self, *sources: Mapping[str, object]) -> list[CodeFingerprint]:
        """Fingerprints of the project code that values bring with them: theirs hold these, as code and by value."""
        found: dict[str, CodeFingerprint] = {}

        def code_of(value: object) -> str | None:
            code = self._code.of_object(value)
            if code is not None:
                found[code.digest] = code
            return self.code_of(value)

        for values in sources:
            for value in values.values():
                with suppress(CannotFingerprint):  # its action isn't kept for that reason, or does without it
                    fingerprint(value, code_of=code_of)
        return list(found.values())

    def forget(self) -> None:
        """Work out anew what functions reach: another module was loaded."""
        self._known.clear()
        self._variables.clear()

    def step(
        self,
        function: Callable[..., Any],
        args: tuple[object, ...],
        kwargs: dict[str, object],
        caching: Caching = DEFAULT,
    ) -> DescribedCall:
        """The key of a call; arguments that are ignored are no part of it.

        Raises ``TypeError`` for arguments that don't fit the function and
        :class:`~expops.errors.CannotFingerprint` for one without an identity.
        """
        known = self._of(function)
        variables = {variable: variable.mark() for variable in known.variables}
        if known.loaded and any(variables[variable] != mark for variable, mark in known.loaded.items()):
            self._variables.clear()
            known = self._learn(function)  # a module was loaded anew
            variables = {variable: variable.mark() for variable in known.variables}
        arguments = known.binder.bind(args, kwargs)
        if caching.ignore:
            arguments = {name: value for name, value in arguments.items() if name not in caching.ignore}
        enclosed: dict[str, object] = self._code.closure(function) if known.typed or _may_enclose(function) else {}
        self._handed.clear()
        inputs = self.fingerprints(arguments, "argument")
        closure = self.fingerprints(enclosed, "enclosed variable") if enclosed else _NONE
        handed = tuple(self._handed.values())
        variables |= {variable: variable.mark() for code in handed for variable in self._reached(code)}
        if variables and (changed := self.state.inputs(variables)):
            closure = {**closure, **changed}
        version = caching.version if caching.version and not _says(known.code, caching.version) else ""
        key = ActionKey("step", function.__qualname__, known.code.digest, inputs, _NONE, closure, version, self.profile)
        described = Described(key, known.code, _NONE, _NONE)
        return DescribedCall(described, arguments, enclosed, variables, (known.code, *handed))

    def _reached(self, code: CodeFingerprint) -> tuple[Variable, ...]:
        """The module variables that a function or class reaches which is handed to a step."""
        if code.digest not in self._variables:
            self._variables[code.digest] = self.state.variables(code.symbols, self._namespaces(code.files))
        return self._variables[code.digest]

    def _of(self, function: Callable[..., Any]) -> _Known:
        known = self._known.get(id(getattr(function, "__code__", function))) or self._learn(function)
        if not known.binder.fits(function):
            # The same code with other defaults, as a definition within a loop makes it.
            known = known._replace(binder=Binder(function))
        return known

    def seed_key(
        self, function: Callable[..., Any], args: tuple[object, ...], kwargs: dict[str, object], name: str
    ) -> str:
        """The fingerprint of the argument that a call's seed depends on. Raises ``TypeError`` if it has none."""
        try:
            return fingerprint(self._of(function).binder.bind(args, kwargs)[name], code_of=self.code_of)
        except CannotFingerprint as fault:
            told = f"@step(seed_by='{name}') of '{function.__qualname__}': the seed can't depend on it: {fault}"
            raise TypeError(told) from fault

    def fingerprints(self, values: Mapping[str, object], what: str) -> dict[str, str]:
        """Fingerprints by name. Raises :class:`CannotFingerprint`, naming which one."""
        found = {}
        for name, value in values.items():
            try:
                found[name] = fingerprint(value, code_of=self.code_of)
            except CannotFingerprint as fault:
                raise CannotFingerprint(f"{what} '{name}': {fault}") from fault
        return found

    def _learn(self, function: Callable[..., Any]) -> _Known:
        code = self._code.of_object(function)
        if code is None:
            # Not the project's code: a library's function used as a step counts by what it is called and its bytes.
            digest = fingerprint(function)
            code = CodeFingerprint(digest, {function.__qualname__: digest}, {}, {}, {}, (), {})
        namespaces = self._namespaces(code.files)
        if self._always:
            code = self._as_loaded(code, namespaces)
        variables = self.state.variables(code.symbols, namespaces)
        compiled = getattr(function, "__code__", function)
        loaded = {item: item.mark() for item in variables if item.is_code()} if self._always else {}
        # At a prompt or in a notebook, a helper can be defined anew at any time under the same function.
        typed = hasattr(compiled, "co_filename") and not os.path.exists(compiled.co_filename)
        known = _Known(compiled, code, Binder(function), variables, loaded, typed)
        if not typed:
            self._known[id(compiled)] = known
        return known

    def _namespaces(self, files: Collection[str]) -> dict[str, dict[str, Any]]:
        """The namespaces of loaded modules by project file."""
        wanted = {self._code.absolute(file): file for file in files}
        modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
        found = {wanted.get(vars(module).get("__file__") or ""): vars(module) for module in modules}
        return {file: namespace for file, namespace in found.items() if file is not None}

    def _as_loaded(self, code: CodeFingerprint, namespaces: Mapping[str, dict[str, Any]]) -> CodeFingerprint:
        """The fingerprint, with that of every function and class that was edited since it was loaded."""
        differing = {}
        for symbol in code.symbols:
            file, _, name = symbol.rpartition("::")
            value = namespaces.get(file, {}).get(name)
            found = self._code.of_object(value) if value is not None else None
            if found is not None and any(reason.endswith("differs from the file") for reason in found.widened.values()):
                differing[symbol] = found.digest
        if not differing:
            return code
        return code._replace(digest=digest_of([code.digest, differing]), symbols={**code.symbols, **differing})


def _may_enclose(function: Callable[..., Any]) -> bool:
    return getattr(function, "__closure__", None) is not None or not hasattr(function, "__code__")


def _says(code: CodeFingerprint, version: str) -> bool:
    """Whether the code of a step holds its version already, as it does where the source has a literal."""
    own = next(iter(code.symbols), "").partition("#")[0]
    return code.symbols.get(f"{own}@version") == version


def spelled_out(described: Described, *sources: Mapping[str, object]) -> Described:
    """With short texts of the values, for a call that is going to execute: before anybody can alter them."""
    return described._replace(values={name: text for source in sources for name, text in texts(source).items()})
