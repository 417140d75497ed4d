"""The values that nested functions close over."""

from __future__ import annotations

from types import FunctionType

from .facts import Nested
from .live import Live
from .unwrap import layers, underlying


class Captured:
    """Collects the values of free variables; functions whose source is known count as code instead."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._layers: set[int] = set()

    def of(self, function: object) -> dict[str, object]:
        """By readable name: the variable's, with the function's in front where two differ."""
        values: dict[str, object] = {}
        self._layers = {id(layer) for layer in layers(function)}
        self._collect(function, values, set())
        return values

    def _collect(self, obj: object, values: dict[str, object], seen: set[int]) -> None:
        for layer in layers(obj):
            if isinstance(layer, FunctionType) and id(layer) not in seen:
                seen.add(id(layer))
                self._function(layer, values, seen)

    def _function(self, function: FunctionType, values: dict[str, object], seen: set[int]) -> None:
        record = self._live.record(function)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if not _is_empty(cell):
                self._variable(function, name, cell.cell_contents, record, values, seen)
        captured = record is not None and not set(record.free) <= set(function.__code__.co_freevars)
        if captured:  # its defaults were computed from variables around it
            positional = function.__code__.co_varnames[: function.__code__.co_argcount]
            defaults = function.__defaults__ or ()
            named = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
            for name, value in {**named, **(function.__kwdefaults__ or {})}.items():
                self._variable(function, f"{name}=", value, record, values, seen)
        for name, value in self._live.global_values(function):
            self._global(function, name, value, values, seen)

    def _global(
        self, function: FunctionType, name: str, value: object, values: dict[str, object], seen: set[int]
    ) -> None:
        inner = underlying(value)
        if isinstance(inner, FunctionType):
            if self._live.is_typed(inner):
                self._collect(value, values, seen)
        elif isinstance(inner, type):
            for method in vars(inner).values():
                found = underlying(method)
                if isinstance(found, FunctionType) and self._live.is_typed(found):
                    self._collect(method, values, seen)
        else:
            self._value(function, name, value, values)

    def _variable(
        self,
        function: FunctionType,
        name: str,
        value: object,
        record: Nested | None,
        values: dict[str, object],
        seen: set[int],
    ) -> None:
        inner = underlying(value)
        if id(inner) not in self._layers and (record is None or name.endswith("=") or name in record.free):
            # Which function or class a variable holds is not said by the code around it: it counts as any value.
            self._value(function, name, value, values)
        elif isinstance(inner, FunctionType) and self._live.record(inner) is not None:
            self._collect(value, values, seen)
        elif isinstance(inner, type) and "<locals>" in inner.__qualname__ and self._live.node(inner) is not None:
            self._class(inner, values, seen)
        elif name == "__class__" or (record is not None and _is_import(name, record, value)):
            return
        else:
            self._value(function, name, value, values)

    @staticmethod
    def _value(function: FunctionType, name: str, value: object, values: dict[str, object]) -> None:
        if name in values and values[name] is not value:
            name = f"{function.__qualname__.rpartition('.')[2]}.{name}"
        values[name] = value

    def _class(self, cls: type, values: dict[str, object], seen: set[int]) -> None:
        if id(cls) in seen:
            return
        seen.add(id(cls))
        for name, value in vars(cls).items():
            if underlying(value) is not None:
                self._collect(value, values, seen)
            elif not name.startswith("__") and not callable(value) and not hasattr(type(value), "__get__"):
                values[f"{cls.__name__}.{name}"] = value


def _is_import(name: str, record: Nested, value: object) -> bool:
    # The name was bound by an import or a definition around the function, which its code already says.
    return not name.endswith("=") and name not in record.free and hasattr(value, "__name__")


def _is_empty(cell: object) -> bool:
    try:
        _ = cell.cell_contents  # type: ignore[attr-defined]
    except ValueError:
        return True
    return False
