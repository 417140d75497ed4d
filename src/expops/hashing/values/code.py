"""Functions, methods, classes and modules as values: by the code that they run."""

from __future__ import annotations

import sys
import types
from typing import Any, Final

from .node import Context, Node, attributes, module_of, node, unordered

_HEAP_TYPE: Final = 1 << 9
# Other names between double underscores are set by the interpreter or describe the class.
_CALLABLES: Final = (types.FunctionType, classmethod, staticmethod, property)


def _is_importable(module: object, name: str) -> bool:
    return isinstance(module, str) and module != "__main__" and "<" not in name


def _found_at(module: str, name: str) -> object:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def klass(value: type, context: Context) -> Node:
    """A class: by name and, where it is the project's, its code; one that can't be imported by its content."""
    module, name = module_of(value), value.__qualname__
    code = context.code_of(value) if context.code_of else None
    if code is not None or not value.__flags__ & _HEAP_TYPE:
        return node("class", [module, name, code])
    if _is_importable(module, name) and _found_at(module, name) is value:
        return node("class", [module, name, None])
    own = {key: part for key, part in vars(value).items() if not _is_dunder(key) or isinstance(part, _CALLABLES)}
    return node(
        "made class",
        [module, name, type(value), value.__bases__, attributes(own)],
        ["", "", "", ".__bases__", ""],
    )


def _is_dunder(name: str) -> bool:
    return name == "_abc_impl" or (name.startswith("__") and name.endswith("__"))


def function(value: types.FunctionType, context: Context) -> Node:
    """A function: by code, default values and closure; one of a library by name."""
    module, name, code = value.__module__, value.__qualname__, value.__code__
    found = context.code_of(value) if context.code_of else None
    # A function that took over another's name (functools.wraps) is not what that name says.
    own_name = code.co_qualname == name and value.__globals__.get("__name__") == module
    if found is None and own_name and _is_importable(module, name):
        return node("function", [module, name])
    if "registry" in vars(value) and "dispatch" in vars(value):
        # functools.singledispatch: its closure holds a cache of weak references, too.
        return node("dispatched function", [module, name, found, *value.registry.values()])  # type: ignore[attr-defined]
    cells = value.__closure__ or ()
    closure = [_content(cell) for cell in cells]
    extras = {key: part for key, part in vars(value).items() if not _is_dunder(key)}
    return node(
        "made function",
        [
            module,
            name,
            code if found is None else found,
            value.__defaults__,
            attributes(value.__kwdefaults__ or {}),
            node("closure", closure, [f" closure variable {name}" for name in code.co_freevars]),
            attributes(extras),
        ],
        ["", "", "", " defaults", " defaults", "", ""],
    )


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return node("empty cell", [])


def bytecode(value: types.CodeType, context: Context) -> Node:
    """Compiled code without its positions: what stands in where nobody knows the source."""
    shape = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, value.co_flags)
    names = (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
    return node("bytecode", [value.co_code, value.co_consts, shape, names, value.co_exceptiontable])


def method(value: types.MethodType, context: Context) -> Node:
    """A bound method: its function and the object it is bound to."""
    return node("method", [value.__func__, value.__self__], ["", ".__self__"])


def builtin(value: types.BuiltinFunctionType, context: Context) -> Node:
    """A function written in C: by name, and by its object if it is a bound method."""
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return node("builtin", [value.__module__, value.__qualname__])
    return node("builtin method", [owner, value.__name__], [".__self__", ""])


def descriptor(value: Any, context: Context) -> Node:
    """A method or attribute descriptor of a class written in C, or a slot: by the name of its owner and its own."""
    owner = value.__objclass__
    return node("descriptor", [owner.__module__, owner.__qualname__, value.__name__])


def wrapper(value: classmethod[Any, Any, Any] | staticmethod[Any, Any], context: Context) -> Node:
    """A class or static method, taken from a class's dictionary."""
    return node(type(value).__name__, [value.__func__])


def prop(value: property, context: Context) -> Node:
    """A property, by its functions."""
    return node("property", [value.fget, value.fset, value.fdel])


def cached_property(value: Any, context: Context) -> Node:
    """A cached property, by its function (its lock doesn't count)."""
    return node("cached property", [value.func])


def cached_function(value: Any, context: Context) -> Node:
    """``functools.lru_cache`` and the like: the function, not what its cache holds."""
    return node("cached function", [value.__wrapped__])


def module(value: types.ModuleType, context: Context) -> Node:
    """A module: by name and, where it is the project's, its code."""
    return node("module", [value.__name__, context.code_of(value) if context.code_of else None])


def proxy(value: types.MappingProxyType[object, object], context: Context) -> Node:
    """A read-only view of a mapping: what it shows."""
    return node("mappingproxy", [dict(value)], [""])


def view(value: Any, context: Context) -> Node:
    """Keys, values or items of a dict, as they are now."""
    if type(value) is type({}.values()):
        return node("dict_values", list(value))
    return unordered(type(value).__name__, list(value))
