"""Kinds of helpers that ask for their constant at each call.

``NAME`` stands for the helper's name, ``CONST`` for its constant, ``DEPS`` for ``+ other(x + 1) + …`` and ``FIXED`` for
``+ other(2) + …``, which is what a kind adds that asks its helpers once, at import.
"""

AT_CALL = {
    "function": """
def NAME(x):
    return (x * 3 + CONST DEPS) % 9973
""",
    "step": """
@step
def NAME(x):
    return (x * 3 + CONST DEPS) % 9973
""",
    "lambda": """
NAME = lambda x: (x * 3 + CONST DEPS) % 9973
""",
    "method": """
class NAME_Class:
    def run(self, x):
        return (x * 3 + self.constant() DEPS) % 9973

    def constant(self):
        return CONST

def NAME(x):
    return NAME_Class().run(x)
""",
    "subclass": """
class NAME_Class(BASE):
    def run(self, x):
        return (super().run(x + 1) + x * 3 + CONST DEPS) % 9973

def NAME(x):
    return NAME_Class().run(x)
""",
    "static method": """
class NAME_Class:
    @staticmethod
    def run(x):
        return (x * 3 + CONST DEPS) % 9973

NAME = NAME_Class.run
""",
    "class method": """
class NAME_Class:
    @classmethod
    def constant(cls):
        return CONST

    @classmethod
    def run(cls, x):
        return (x * 3 + cls.constant() DEPS) % 9973

NAME = NAME_Class.run
""",
    "property": """
class NAME_Class:
    @property
    def constant(self):
        return CONST

    def run(self, x):
        return (x * 3 + self.constant DEPS) % 9973

def NAME(x):
    return NAME_Class().run(x)
""",
    "metaclass": """
class NAME_Meta(type):
    def constant(cls):
        return CONST

class NAME_Class(metaclass=NAME_Meta):
    def run(self, x):
        return (x * 3 + NAME_Class.constant() DEPS) % 9973

def NAME(x):
    return NAME_Class().run(x)
""",
    "nested function": """
def NAME(x):
    def inner(y):
        return y * 3 + CONST
    return (inner(x) DEPS) % 9973
""",
    "generator": """
def NAME_parts(x):
    yield x * 3
    yield CONST

def NAME(x):
    return (sum(NAME_parts(x)) DEPS) % 9973
""",
    "dispatch": """
def NAME_other(x):
    return 0

def NAME_one(x):
    return (x * 3 + CONST DEPS) % 9973

NAME_TABLE = {"one": NAME_one, "other": NAME_other}

def NAME(x):
    return NAME_TABLE["one"](x)
""",
    "handed over": """
def NAME_apply(function, x):
    return (function(x) DEPS) % 9973

def NAME_part(x):
    return x * 3 + CONST

def NAME(x):
    return NAME_apply(NAME_part, x)
""",
    "decorated": """
def NAME_add(function):
    @functools.wraps(function)
    def inner(x):
        return (function(x) + CONST) % 9973
    return inner

@NAME_add
def NAME(x):
    return x * 3 DEPS
""",
    "match": """
def NAME(x):
    match x * 3:
        case int(y):
            return (y + CONST DEPS) % 9973
        case _:
            raise TypeError(x)
""",
    "context manager": """
@contextlib.contextmanager
def NAME_manager():
    yield CONST

def NAME(x):
    with NAME_manager() as constant:
        return (x * 3 + constant DEPS) % 9973
""",
    "dunder call": """
class NAME_Class:
    def run(self, x):
        return (x * 3 + CONST DEPS) % 9973

    def __call__(self, x):
        return self.run(x)

NAME = NAME_Class()
""",
    "bound method": """
class NAME_Class:
    def run(self, x):
        return (x * 3 + CONST DEPS) % 9973

NAME = NAME_Class().run
""",
    "descriptor": """
class NAME_Descriptor:
    def __get__(self, instance, owner):
        return CONST

class NAME_Class:
    constant = NAME_Descriptor()

    def run(self, x):
        return (x * 3 + self.constant DEPS) % 9973

def NAME(x):
    return NAME_Class().run(x)
""",
    "operator": """
class NAME_Number:
    def __init__(self, x):
        self.x = x

    def __add__(self, other):
        return self.x + CONST + other

def NAME(x):
    return (NAME_Number(x * 3) + 0 DEPS) % 9973
""",
    "__init__ and __new__": """
class NAME_Class:
    def __new__(cls, *args):
        made = super().__new__(cls)
        made.constant = CONST
        return made

    def __init__(self, x):
        self.x = x

def NAME(x):
    made = NAME_Class(x)
    return (made.x * 3 + made.constant DEPS) % 9973
""",
    "recursion": """
def NAME_down(n, x):
    return x * 3 + CONST if n == 0 else NAME_down(n - 1, x)

def NAME(x):
    return (NAME_down(2, x) DEPS) % 9973
""",
    "mutual recursion": """
def NAME_even(n, x):
    return x * 3 + CONST if n == 0 else NAME_odd(n - 1, x)

def NAME_odd(n, x):
    return NAME_even(n - 1, x)

def NAME(x):
    return (NAME_even(2, x) DEPS) % 9973
""",
}
