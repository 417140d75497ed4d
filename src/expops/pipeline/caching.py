"""What a function's author says about caching it: the options of ``@process`` and ``@step``.

The same rules serve live decorators and those that are only read from source, so both give the same messages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .nearest import advice

if TYPE_CHECKING:
    from ..hashing.code import FunctionFacts

_OPTIONS: Final = {"process": ("cache", "version", "ignore"), "step": ("cache", "version", "ignore", "seed_by")}
_MEND: Final = "write a literal, or set it under the process in the configuration"


class Caching(NamedTuple):
    """``cache``: whether results are kept; ``version``: a change of it makes results anew; ``ignore``: parameters that
    are no part of the key; ``seed_by``: the parameter whose value takes the place of the call's number in its seed.
    """

    cache: bool = True
    version: str = ""
    ignore: tuple[str, ...] = ()
    seed_by: str = ""


DEFAULT: Final = Caching()


def live(role: str, function: Callable[..., Any], given: Mapping[str, object]) -> Caching:
    """The options of a decorator that is being applied. Raises ``TypeError`` for those that can't be."""
    if not given:
        return DEFAULT
    faults = [fault for name, value in given.items() if (fault := _fault(role, name, value))]
    found = DEFAULT if faults else _made(given)
    if found.ignore or found.seed_by:
        faults = name_faults(found, _parameters(function), open_ended=role == "process")
    if faults:
        code = getattr(function, "__code__", None)
        where = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"@{role} of '{name}'{where}: {'; '.join(faults)}")
    return found


def of_source(function: FunctionFacts) -> tuple[Caching, list[tuple[int, str]]]:
    """The options of ``@process`` as the source has them, and what is wrong with them by line."""
    faults: list[tuple[int, str]] = []
    given: dict[str, object] = {}
    for option in function.options:
        if not option.name:
            message = f"@process takes its options by name, which are {', '.join(_OPTIONS['process'])}; {_MEND}"
        elif not option.literal and option.name in _OPTIONS["process"]:
            message = f"{option.name} of @process is computed, but a plan reads it without running your code; {_MEND}"
        else:
            message = _fault("process", option.name, option.value)
        if message:
            faults.append((option.line, message))
        else:
            given[option.name] = option.value
    return _made(given), faults


def name_faults(options: Caching, parameters: Collection[str], *, open_ended: bool = False) -> list[str]:
    """Names in ``options`` that are no parameter; ``open_ended`` leaves those of ``ignore`` to a later look."""
    told = [(f"ignore names '{name}'", name) for name in options.ignore if not open_ended]
    told += [(f"seed_by names '{options.seed_by}'", options.seed_by)] if options.seed_by else []
    faults = [
        f"{said}, which is no parameter; {advice(name, parameters, 'its parameters are')}"
        for said, name in told
        if name not in parameters
    ]
    if options.seed_by in options.ignore and options.seed_by:
        faults.append(f"'{options.seed_by}' is ignored, so the seed can't depend on it; take it out of ignore")
    return faults


def _fault(role: str, name: str, value: object) -> str:
    """What is wrong with one option, whatever the function."""
    if name not in _OPTIONS[role]:
        other = "; it is an option of @step" if name in _OPTIONS["step"] else ""
        return f"@{role} has no option '{name}'{other or '; ' + advice(name, _OPTIONS[role], 'it has')}"
    if name == "cache":
        return "" if isinstance(value, bool) else f"cache must be True or False, not {_shown(value)}"
    if value is None:
        return ""
    if name == "version":
        plain = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
        return "" if plain else f"version must be a text or a whole number, not {_shown(value)}; write version='2'"
    if name == "seed_by":
        plain = isinstance(value, str) and value != ""
        return "" if plain else f"seed_by must be the name of a parameter, not {_shown(value)}"
    if isinstance(value, str):
        return f"ignore must be a list of parameters, not the text {value!r}; write ignore=[{value!r}]"
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(item, str) for item in value):
        return ""
    return f"ignore must be a list of parameters, such as ['verbose'], not {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, dict) and set(value) == {"is"}:
        return str(value["is"])  # what source says and JSON can't
    return repr(value)


def _made(given: Mapping[str, object]) -> Caching:
    version, ignore, seed_by = given.get("version"), given.get("ignore"), given.get("seed_by")
    names = ignore if isinstance(ignore, list | tuple | set | frozenset) else ()
    return Caching(
        cache=given.get("cache") is not False,
        version="" if version is None else str(version),
        ignore=tuple(sorted({str(name) for name in names})),
        seed_by="" if seed_by is None else str(seed_by),
    )


def _parameters(function: Callable[..., Any]) -> list[str]:
    import inspect  # only for those who name parameters

    try:
        return list(inspect.signature(function).parameters)
    except ValueError:
        return []  # written in C, and silent about what it takes
