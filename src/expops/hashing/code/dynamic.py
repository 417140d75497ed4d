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
# So does it where code is got at in other ways.
_ACCESS: Final = {
    "sys.__dict__": "holds all modules",
    "__builtins__": "is used as a value",
    **dict.fromkeys(("gc.get_objects", "gc.get_referrers", "gc.get_referents"), "finds objects anywhere"),
    "inspect.getmodule": "gives a module",
    **dict.fromkeys(
        (
            *("pickle.load", "pickle.loads", "pickle.Unpickler", "pickle._loads", "pickle._Unpickler", "_pickle"),
            *("cloudpickle.load", "cloudpickle.loads", "dill.load", "dill.loads", "dill.load_session", "joblib.load"),
            *("shelve", "pandas.read_pickle", "torch.load"),
        ),
        "loads a pickle, which names the code that it needs",
    ),
}
# Modules that give access to all others; as values nobody knows what is taken of them.
_KEYS: Final = frozenset({"sys", "importlib", "builtins", "gc", "pickle", "inspect"})
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
_ANYWHERE: Final = {
    "__subclasses__": "classes",
    **dict.fromkeys(("__globals__", "f_globals", "f_locals", "f_builtins"), "variables"),
}
IMPORTERS: Final = frozenset({"__import__", "builtins.__import__", "importlib.import_module", "importlib.__import__"})


_TOPS: Final = frozenset(
    name.partition(".")[0] for names in (_OWN_FILE, _EVERY_FILE, _ACCESS, _KEYS, _SOURCE) for name in names
)


def reference(dotted: str) -> str | None:
    """What the use of a name that is not bound in the project costs, as a reference, or ``None``."""
    if dotted.partition(".")[0] not in _TOPS:
        return None
    if dotted in _OWN_FILE:
        return f"w:{_OWN_FILE[dotted]}"
    if dotted in _SOURCE:
        return "f:source"
    if dotted in _KEYS:
        return f"a:the module {dotted} is used as a value"
    for name in _EVERY_FILE:
        if dotted == name or dotted.startswith(name + "."):
            return f"a:{name} with a computed name"
    for name, what in _ACCESS.items():
        if dotted == name or dotted.startswith(name + "."):
            return f"a:{name} {what}"
    return None


def flags(part: str) -> list[str]:
    """What a name or attribute says by itself, whatever it is taken of."""
    found = ["f:docs"] if part in _DOCS else []
    if part in _ANYWHERE:
        found.append(f"a:{part} finds {_ANYWHERE[part]} anywhere")
    return [*found, "f:annotations"] if part in _ANNOTATIONS else found
