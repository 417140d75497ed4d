"""Names whose use defeats static reading, and how much then counts."""

from __future__ import annotations

from typing import Final

# The whole file counts.
_OWN_FILE: Final = {
    "eval": "eval",
    "exec": "exec",
    "globals": "globals()",
    "builtins.eval": "eval",
    "builtins.exec": "exec",
    "builtins.globals": "globals()",
    "inspect.stack": "inspect.stack",
    "inspect.currentframe": "inspect.currentframe",
    "sys._getframe": "sys._getframe",
}
# Every module of the project counts.
_EVERY_FILE: Final = (
    "__import__",
    "builtins.__import__",
    "importlib.import_module",
    "importlib.__import__",
    "importlib.util",
    "importlib.machinery",
    "runpy",
    "imp",
    "pkgutil.iter_modules",
    "pkgutil.walk_packages",
    "pkgutil.resolve_name",
    "pydoc.locate",
    "hydra.utils",
    "sys.modules",
)
# Source text itself counts, comments included.
_SOURCE: Final = frozenset(
    {"inspect.getsource", "inspect.getsourcelines", "inspect.findsource", "inspect.getcomments", "inspect.getblock"}
    | {"linecache.getline", "linecache.getlines", "dill.source.getsource"}
)
_DOCS: Final = frozenset({"__doc__", "docopt", "getdoc"})
_ANNOTATIONS: Final = frozenset(
    {"__annotations__", "__annotate__", "get_type_hints", "get_annotations", "signature", "getfullargspec", "Signature"}
    | {"validate_call", "validate_arguments", "singledispatch", "singledispatchmethod", "typer", "fire"}
)
IMPORTERS: Final = frozenset({"__import__", "builtins.__import__", "importlib.import_module", "importlib.__import__"})


def reference(dotted: str) -> str | None:
    """What the use of a name that is not bound in the project costs, as a reference, or ``None``."""
    if dotted in _OWN_FILE:
        return f"w:{_OWN_FILE[dotted]}"
    if dotted in _SOURCE:
        return "f:source"
    for name in _EVERY_FILE:
        if dotted == name or dotted.startswith(name + "."):
            return f"a:{name} with a computed name"
    return None


def flags(part: str) -> list[str]:
    """What a name or attribute says by itself, whatever it is taken of."""
    found = ["f:docs"] if part in _DOCS else []
    if part == "__subclasses__":
        found.append("a:__subclasses__ finds classes anywhere")
    return [*found, "f:annotations"] if part in _ANNOTATIONS else found
