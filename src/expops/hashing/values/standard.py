"""Rules for types of the standard library, by name, so that none is imported to be compared with."""

from __future__ import annotations

import os
from typing import Any, Final

from . import code
from .node import Context, Node, Rule, attributes, node, unordered
from .objects import reduced


def _enum(value: Any, context: Context) -> Node:
    return node("enum", [type(value), value._name_, value._value_], ["", "", ".value"])


def _text(value: object, context: Context) -> Node:
    return node("text", [type(value), str(value)])


def _path(value: os.PathLike[str], context: Context) -> Node:
    # Not by module: Python 3.13 moved the classes. Subclasses elsewhere bring their own name.
    kind = type(value)
    known = kind.__module__.partition(".")[0] == "pathlib"
    return node("path", [kind.__qualname__ if known else kind, os.fspath(value)])


def _input_file(value: Any, context: Context) -> Node:
    return node("input file", [value.identity()])


def _fraction(value: Any, context: Context) -> Node:
    return node("fraction", [type(value), value.numerator, value.denominator])


def _range(value: range, context: Context) -> Node:
    return node("range", [value.start, value.stop, value.step])


def _slice(value: Any, context: Context) -> Node:
    return node("slice", [value.start, value.stop, value.step])


def _pattern(value: Any, context: Context) -> Node:
    return node("pattern", [value.pattern, value.flags])


def _date(value: Any, context: Context) -> Node:
    return node("date", [type(value), value.toordinal()])


def _datetime(value: Any, context: Context) -> Node:
    naive = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return node("datetime", [type(value), naive, value.fold, value.tzinfo], ["", "", "", ".tzinfo"])


def _time(value: Any, context: Context) -> Node:
    naive = (value.hour, value.minute, value.second, value.microsecond)
    return node("time", [type(value), naive, value.fold, value.tzinfo], ["", "", "", ".tzinfo"])


def _duration(value: Any, context: Context) -> Node:
    return node("timedelta", [type(value), value.days, value.seconds, value.microseconds])


def _zone(value: Any, context: Context) -> Node:
    if value.key is None:
        return reduced(value, context)
    return node("zone", [value.key])


def _array(value: Any, context: Context) -> Node:
    digest = context.digests.of(memoryview(value))
    return node("array", [type(value), value.typecode, len(value), digest])


def _memory(value: memoryview, context: Context) -> Node:
    data = value if value.c_contiguous else value.tobytes()
    digest = context.digests.of(memoryview(data)) if value.nbytes else None
    return node("memoryview", [value.format, value.shape, digest])


def _set_subclass(value: Any, context: Context) -> Node:
    base = frozenset if isinstance(value, frozenset) else set
    state = {name: part for name, part in getattr(value, "__dict__", {}).items() if type(name) is str}
    return node("set", [type(value), unordered(base.__name__, list(value)), attributes(state)], ["", "", ""])


RULES: Final[dict[str, Rule]] = {
    "builtins.type": code.klass,
    "builtins.function": code.function,
    "builtins.code": code.bytecode,
    "builtins.method": code.method,
    "builtins.builtin_function_or_method": code.builtin,
    "builtins.method_descriptor": code.descriptor,
    "builtins.wrapper_descriptor": code.descriptor,
    "builtins.classmethod_descriptor": code.descriptor,
    "builtins.member_descriptor": code.descriptor,
    "builtins.getset_descriptor": code.descriptor,
    "builtins.classmethod": code.wrapper,
    "builtins.staticmethod": code.wrapper,
    "builtins.property": code.prop,
    "functools.cached_property": code.cached_property,
    "functools._lru_cache_wrapper": code.cached_function,
    "builtins.module": code.module,
    "builtins.mappingproxy": code.proxy,
    "builtins.dict_keys": code.view,
    "builtins.dict_items": code.view,
    "builtins.dict_values": code.view,
    "builtins.range": _range,
    "builtins.slice": _slice,
    "builtins.memoryview": _memory,
    "builtins.set": _set_subclass,
    "builtins.frozenset": _set_subclass,
    "array.array": _array,
    "datetime.date": _date,
    "datetime.datetime": _datetime,
    "datetime.time": _time,
    "datetime.timedelta": _duration,
    "decimal.Decimal": _text,
    "enum.Enum": _enum,
    "expops.cache.input_file.InputFile": _input_file,
    "fractions.Fraction": _fraction,
    "pathlib.PurePath": _path,
    "pathlib._local.PurePath": _path,
    "re.Pattern": _pattern,
    "uuid.UUID": _text,
    "zoneinfo.ZoneInfo": _zone,
}
