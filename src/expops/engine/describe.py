"""Keys of live step calls: code, arguments and enclosed variables, with words for explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Final, NamedTuple

from ..cache.explain import Described, short
from ..cache.keys import ActionKey
from ..errors import CannotFingerprint
from ..hashing.code import CodeFingerprint, ProjectCode
from ..hashing.values import fingerprint
from .signatures import Binder

_NONE: Final[dict[str, str]] = {}


class _Known(NamedTuple):
    compiled: CodeType  # kept, so that its id() stays its own
    code: CodeFingerprint
    binder: Binder


class Describer:
    """Describes step calls; what depends on the function alone is worked out once."""

    def __init__(self, code: ProjectCode) -> None:
        self._code = code
        self._known: dict[int, _Known] = {}

    def code_of(self, value: object) -> str | None:
        """Digest of the project code behind a function or class, for value fingerprints."""
        found = self._code.of_object(value)
        return found.digest if found is not None else None

    def step(
        self, function: Callable[..., Any], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> tuple[Described, dict[str, object], dict[str, object]]:
        """The key of a call, its arguments by name, and the variables that the function closes over.

        Raises ``TypeError`` for arguments that don't fit the function and
        :class:`~expops.errors.CannotFingerprint` for one without an identity.
        """
        known = self._known.get(id(function.__code__)) or self._learn(function)
        arguments = known.binder.bind(args, kwargs)
        enclosed: dict[str, object] = self._code.closure(function) if function.__closure__ else {}
        key = ActionKey(
            "step",
            function.__qualname__,
            known.code.digest,
            self.fingerprints(arguments, "argument"),
            _NONE,
            self.fingerprints(enclosed, "enclosed variable") if enclosed else _NONE,
        )
        return Described(key, known.code, _NONE, _NONE), arguments, enclosed

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
            code = CodeFingerprint(digest, {function.__qualname__: digest}, {}, {}, ())
        known = _Known(function.__code__, code, Binder(function))
        # At a prompt or in a notebook, a helper can be defined anew at any time under the same function.
        if not function.__code__.co_filename.startswith("<") and "ipykernel" not in function.__code__.co_filename:
            self._known[id(function.__code__)] = known
        return known


def spelled_out(described: Described, *sources: Mapping[str, object]) -> Described:
    """With short texts of the values, for a call that is going to execute: before anybody can alter them."""
    texts = {name: text for source in sources for name, value in source.items() if (text := short(value))}
    return described._replace(values=texts)
