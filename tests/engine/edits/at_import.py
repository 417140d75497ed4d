"""Kinds of helpers that ask for their constant once, while their module is imported.

``NAME`` stands for the helper's name, ``CONST`` for its constant, ``DEPS`` for ``+ other(x + 1) + …`` and ``FIXED`` for
``+ other(2) + …``, which is what a kind adds that asks its helpers once, at import.
"""

AT_IMPORT = {
    "constant": """
NAME_K = CONST

def NAME(x):
    return (x * 3 + NAME_K DEPS) % 9973
""",
    "helpers at import": """
NAME_K = CONST FIXED

def NAME(x):
    return (x * 3 + NAME_K) % 9973
""",
    "computed constant": """
NAME_LESS = CONST - 1
NAME_K = NAME_LESS + 1

def NAME(x):
    return (x * 3 + NAME_K DEPS) % 9973
""",
    "conditional constant": """
NAME_SWITCH = CONST
if NAME_SWITCH > 4:
    NAME_K = NAME_SWITCH
else:
    NAME_K = NAME_SWITCH

def NAME(x):
    return (x * 3 + NAME_K DEPS) % 9973
""",
    "augmented constant": """
NAME_K = 0
NAME_K += CONST

def NAME(x):
    return (x * 3 + NAME_K DEPS) % 9973
""",
    "unpacked constant": """
NAME_K, *NAME_REST = CONST, 1, 2

def NAME(x):
    return (x * 3 + NAME_K DEPS) % 9973
""",
    "constant of try": """
try:
    import no_such_module as NAME_missing
except ImportError:
    NAME_K = CONST

def NAME(x):
    return (x * 3 + NAME_K DEPS) % 9973
""",
    "list": """
NAME_LIST = [0, CONST]

def NAME(x):
    return (x * 3 + NAME_LIST[1] DEPS) % 9973
""",
    "default": """
def NAME(x, k=CONST):
    return (x * 3 + k DEPS) % 9973
""",
    "keyword default": """
NAME_K = CONST

def NAME(x, *, k=NAME_K):
    return (x * 3 + k DEPS) % 9973
""",
    "partial": """
def NAME_base(k, x):
    return (x * 3 + k DEPS) % 9973

NAME = functools.partial(NAME_base, CONST)
""",
    "factory": """
def NAME_make(k):
    def run(x):
        return (x * 3 + k DEPS) % 9973
    return run

NAME = NAME_make(CONST)
""",
    "attribute": """
class NAME_Class:
    K = CONST

    def run(self, x):
        return (x * 3 + self.K DEPS) % 9973

def NAME(x):
    return NAME_Class().run(x)
""",
    "attribute of a base": """
class NAME_Base:
    K = CONST

class NAME_Class(NAME_Base):
    def run(self, x):
        return (x * 3 + self.K DEPS) % 9973

def NAME(x):
    return NAME_Class().run(x)
""",
    "getattr": """
class NAME_Class:
    K = CONST

    def run(self, x):
        return (x * 3 + getattr(self, "K") DEPS) % 9973

NAME = NAME_Class().run
""",
    "dataclass": """
@dataclasses.dataclass
class NAME_Class:
    k: int = CONST

    def run(self, x):
        return (x * 3 + self.k DEPS) % 9973

def NAME(x):
    return NAME_Class().run(x)
""",
    "named tuple": """
class NAME_Tuple(typing.NamedTuple):
    k: int = CONST

def NAME(x):
    return (x * 3 + NAME_Tuple().k DEPS) % 9973
""",
    "enum": """
class NAME_Enum(enum.IntEnum):
    K = CONST

def NAME(x):
    return (x * 3 + NAME_Enum.K DEPS) % 9973
""",
    "instance": """
class NAME_Class:
    def __init__(self, k):
        self.k = k

    def run(self, x):
        return (x * 3 + self.k DEPS) % 9973

NAME_ONE = NAME_Class(CONST)

def NAME(x):
    return NAME_ONE.run(x)
""",
    "decorator's argument": """
def NAME_add(k):
    def decorate(function):
        @functools.wraps(function)
        def inner(x):
            return (function(x) + k) % 9973
        return inner
    return decorate

@NAME_add(CONST)
def NAME(x):
    return x * 3 DEPS
""",
    "memoised": """
@functools.lru_cache
def NAME(x, k=CONST):
    return (x * 3 + k DEPS) % 9973
""",
    "single dispatch": """
NAME_K = CONST

@functools.singledispatch
def NAME(x):
    raise TypeError(x)

@NAME.register(int)
def NAME_int(x):
    return (x * 3 + NAME_K DEPS) % 9973
""",
    "own registry": """
NAME_REGISTRY = {}

def NAME_register(function):
    NAME_REGISTRY["it"] = function
    return function

@NAME_register
def NAME_it(x, k=CONST):
    return (x * 3 + k DEPS) % 9973

def NAME(x):
    return NAME_REGISTRY["it"](x)
""",
    "registered": """
@registry.register("NAME")
def NAME_it(x, k=CONST):
    return (x * 3 + k DEPS) % 9973

def NAME(x):
    return registry.REGISTRY["NAME"](x)
""",
    "registered subclass": """
class NAME_Part(registry.Part):
    k = CONST

    def run(self, x):
        return (x * 3 + self.k DEPS) % 9973

def NAME(x):
    return registry.PARTS["NAME_Part"]().run(x)
""",
    "attribute set from outside": """
class NAME_Class:
    def run(self, x):
        return (x * 3 + self.K DEPS) % 9973

NAME_Class.K = CONST

def NAME(x):
    return NAME_Class().run(x)
""",
    "attribute of a function": """
def NAME(x):
    return (x * 3 + NAME.k DEPS) % 9973

NAME.k = CONST
""",
    "filled by a loop": """
NAME_TABLE = {}
for NAME_n in (1, 2):
    NAME_TABLE[NAME_n] = NAME_n * CONST

def NAME(x):
    return (x * 3 + NAME_TABLE[1] DEPS) % 9973
""",
    "patched": """
class NAME_Class:
    def run(self, x):
        return 0

def NAME_run(self, x, k=CONST):
    return (x * 3 + k DEPS) % 9973

setattr(NAME_Class, "run", NAME_run)

def NAME(x):
    return NAME_Class().run(x)
""",
}
