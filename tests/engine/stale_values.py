"""Changes of what steps find in variables, enclosed or of modules."""

from __future__ import annotations

from stale_rows import Row, k

VALUES = {
    "an enclosed variable": "def s(x): return x * k",
    "a default of an enclosed step": "def s(x, k=k): return x * k",
    "a keyword default of an enclosed step": "def s(x, *, k=k): return x * k",
    "a variable of an enclosed function": "def s(x): return multiply(x)",
    "a variable of an enclosed lambda": "def s(x): return functions[1](x)",
    "a variable of an enclosed partial": "def s(x): return partial(x)",
    "a variable of an enclosed step": "def s(x): return other(x)",
    "a variable of an enclosed object's class": "def s(x): return local.method(x)",
}
SOURCES = {
    name: Row(
        f"""
import functools
@process()
def p(k=1):
    def multiply(x):
        return x * k
    functions = [lambda x, i=i: x * k + i for i in range(2)]
    partial = functools.partial(lambda a, b: a * b * k, 2)
    @step
    def other(x):
        return x * k
    class Local:
        def method(self, x):
            return x * k
    local = Local()
    @step
    {definition}
    return {{"x": s(3)}}
""",
        k(2),
    )
    for name, definition in VALUES.items()
}
SOURCES |= {
    "a step that a function makes": Row(
        """
def make(k):
    @step
    def s(x):
        return x * k
    return s
@process()
def p(k=1):
    return {"x": make(k)(3)}
""",
        k(2),
    ),
    "the object that a step is a method of": Row(
        """
class Model:
    def __init__(self, k):
        self.k = k
    @step
    def s(self, x):
        return x * self.k
@process()
def p(k=1):
    return {"x": Model(k).s(3)}
""",
        k(2),
    ),
    "a generator as argument": Row(
        """
@step
def s(items):
    return sum(items)
@process()
def p(k=1):
    return {"x": s(i * k for i in range(3))}
""",
        k(2),
    ),
}
for name, setting, use in (
    ("an item of a dictionary", "CONFIG['k'] = k", "CONFIG['k']"),
    ("a module variable that is bound anew", "bind(k)", "K"),
    ("an attribute of a class", "Settings.k = k", "Settings.k"),
    ("an attribute of an object", "SETTINGS.k = k", "SETTINGS.k"),
    ("a variable of another module", "helper.K = k", "helper.get()"),
    ("a generator of random numbers", "RNG.random(k)", "float(np.random.Generator.random(RNG))"),
):
    SOURCES[f"{name}, set while the process runs"] = Row(
        f"""
import numpy as np
import helper
CONFIG = {{"k": 1}}
K = 1
RNG = np.random.default_rng(0)
class Settings:
    k = 1
SETTINGS = Settings()
def bind(k):
    global K
    K = k
@step
def s(x):
    return x * ({use})
@process()
def p(k=1):
    {setting}
    return {{"x": s(3)}}
""",
        k(2),
        {"src/helper.py": "K = 1\ndef get():\n    return K\n"},
    )
