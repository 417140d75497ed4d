"""The kinds of helpers: each is a way in which Python code can say the same."""

from __future__ import annotations

from .at_call import AT_CALL
from .at_import import AT_IMPORT
from .model import Helper, Project

KINDS = {**AT_CALL, **AT_IMPORT}
# Importing their module changes something besides binding names, which counts for all that reach the module.
EFFECTFUL = frozenset(
    {"single dispatch", "own registry", "registered", "registered subclass", "attribute set from outside"}
    | {"attribute of a function", "filled by a loop", "patched"}
)
# Importing their module calls project code; if that in turn refers to data of a module, it may have effects too.
CALLING = frozenset(
    {"helpers at import", "factory", "instance", "bound method", "getattr", "dunder call", "decorated"}
    | {"decorator's argument", "enum", "keyword default"}
)
# They define NAME_Class with a method `run`, of which `subclass` makes a subclass.
WITH_CLASS = ("method", "property", "metaclass", "attribute", "attribute of a base", "bound method", "dataclass")
# The name is bound to an object that holds the constant's value: whoever is handed it depends on that value, and not on
# where the value comes from.
HOLDING = frozenset({"factory", "partial", "decorator's argument"})
# Definitions that may stand anywhere in the module.
MOVABLE = frozenset({"function", "nested function", "generator", "match", "recursion", "mutual recursion"})

REGISTRY = """
REGISTRY = {}
PARTS = {}

def register(name):
    def keep(function):
        REGISTRY[name] = function
        return function
    return keep

class Part:
    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        PARTS[cls.__name__] = cls
"""


# What is asked once can't call steps or draw random numbers, nor at import find files by relative paths.
_INSTEAD = {
    "helpers at import": ("constant", ("literal", "env")),
    "memoised": ("default", ("literal", "env", "file", "folder")),
}


def kind_of(project: Project, helper: Helper) -> str:
    """The kind as it can be: some kinds ask something of the helpers that the helper uses."""
    if helper.kind == "subclass" and not base_of(project, helper):
        return "method"
    instead, allowed = _INSTEAD.get(helper.kind, ("", ()))
    others = [project.helpers[name] for name in project.below(helper.name)[1:]] if instead else []
    able = all(other.source.kind in allowed and other.kind != "step" for other in others)
    return helper.kind if able else instead


def has_effects(project: Project, helper: Helper) -> bool:
    """Whether importing the helper's module may do more than bind names."""
    kind = kind_of(project, helper)
    return kind in EFFECTFUL or (kind in CALLING and bool(helper.uses))


def base_of(project: Project, helper: Helper) -> str:
    """The helper whose class a ``subclass`` has for its base: the first that it uses, if that one has a class."""
    first = project.helpers[helper.uses[0].ref] if helper.uses else None
    return first.name if first is not None and first.kind in WITH_CLASS else ""
