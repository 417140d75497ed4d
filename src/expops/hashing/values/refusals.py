"""What to call values that have no identity and can't be written down, and what to do instead."""

from __future__ import annotations

from typing import Final

_FILE: Final = ("an open file", "keep its path instead")
_ITERATOR: Final = ("a live iterator", "keep a list of its items instead")
_LOCK: Final = ("a lock", "create it where it is used")
_CONNECTION: Final = ("a database connection", "keep its address and connect where it is used")

_KINDS: Final = {
    "_io._IOBase": _FILE,
    "tempfile._TemporaryFileWrapper": _FILE,
    "socket.socket": ("a socket", "keep the address instead"),
    "_socket.socket": ("a socket", "keep the address instead"),
    "_thread.lock": _LOCK,
    "_thread.RLock": _LOCK,
    "threading.Thread": ("a thread", "start it where it is used"),
    "_thread._local": ("thread-local data", "keep the data themselves"),
    "builtins.generator": ("a generator", "keep a list of its items instead"),
    "builtins.async_generator": ("an asynchronous generator", "keep a list of its items instead"),
    "builtins.coroutine": ("a coroutine", "await it and keep its result"),
    "sqlite3.Connection": _CONNECTION,
    "sqlite3.Cursor": _CONNECTION,
    "subprocess.Popen": ("a running program", "keep its output instead"),
    "builtins.module": ("a module", "import it where it is used"),
}
_ITERATOR_MODULES: Final = frozenset({"builtins", "itertools", "collections", "_collections", "_csv", "re"})


def is_live_iterator(kind: type) -> bool:
    """Whether ``kind`` is an iterator of the standard library: reading it would change it."""
    return kind.__module__ in _ITERATOR_MODULES and hasattr(kind, "__next__")


def describe(value: object) -> tuple[str, str]:
    """What ``value`` is, in words, and the mend."""
    kind = type(value)
    if kind.__qualname__ == "function" or isinstance(value, type):
        what = "class" if isinstance(value, type) else "function"
        return f"the {what} {value.__qualname__}", "define it at the top level of a module"  # type: ignore[attr-defined]
    for base in kind.__mro__:
        known = _KINDS.get(f"{base.__module__}.{base.__qualname__}")
        if known is not None:
            return known
    if is_live_iterator(kind):
        return _ITERATOR
    name = f"{kind.__module__}.{kind.__qualname__}"
    return f"an instance of {name}", "keep the data it is made of, or give its class a __reduce__"
