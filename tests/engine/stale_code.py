"""Changes of code, wherever it is called from."""

from __future__ import annotations

from stale_rows import Row, edit

PLUGIN = {"src/plugin.py": "V = 1\n"}

CODE = {
    "a helper's default": Row(
        """
def helper(x, k=1):
    return x * k
@step
def s(x):
    return helper(x)
@process()
def p():
    return {"x": s(3)}
""",
        edit("k=1", "k=2"),
    ),
    "a default made from a constant": Row(
        """
K = 1
@step
def s(x, k=K):
    return x * k
@process()
def p():
    return {"x": s(3)}
""",
        edit("K = 1", "K = 2"),
    ),
    "a step within a process": Row(
        """
@process()
def p():
    @step
    def s(x):
        return x * 1
    return {"x": s(3)}
""",
        edit("x * 1", "x * 2"),
    ),
    "a method that a step calls on its object": Row(
        """
class Base:
    def helper(self, x):
        return x * 1
class Model(Base):
    @step
    def s(self, x):
        return self.helper(x)
@process()
def p():
    return {"x": Model().s(3)}
""",
        edit("x * 1", "x * 2"),
    ),
    "a decorator below @step": Row(
        """
import functools
def decorate(function):
    @functools.wraps(function)
    def wrapped(*args):
        return function(*args) * 1
    return wrapped
@step
@decorate
def s(x):
    return x
@process()
def p():
    return {"x": s(3)}
""",
        edit("(*args) * 1", "(*args) * 2"),
    ),
    "an argument of a decorator": Row(
        """
import functools
def decorate(k):
    def inner(function):
        @functools.wraps(function)
        def wrapped(*args):
            return function(*args) * k
        return wrapped
    return inner
@step
@decorate(1)
def s(x):
    return x
@process()
def p():
    return {"x": s(3)}
""",
        edit("@decorate(1)", "@decorate(2)"),
    ),
    "a step that calls itself": Row(
        """
@step
def s(n):
    return 1 if n == 0 else s(n - 1) * 1
@process()
def p():
    return {"x": s(3)}
""",
        edit("s(n - 1) * 1", "s(n - 1) * 2"),
    ),
    "a relative import": Row(
        """
from pk.a import f
@step
def s():
    return f()
@process()
def p():
    return {"x": s()}
""",
        edit("1", "2", "src/pk/b.py"),
        {
            "src/pk/__init__.py": "",
            "src/pk/a.py": "from . import b\ndef f():\n    return b.V\n",
            "src/pk/b.py": "V = 1\n",
        },
    ),
    "a module that is found by a computed name": Row(
        """
import importlib
@step
def s(name):
    return importlib.import_module(name).V
@process()
def p(name="plugin"):
    return {"x": s(name), "y": importlib.import_module(name).V}
""",
        edit("1", "2", "src/plugin.py"),
        PLUGIN,
    ),
    "a module that is loaded by its path": Row(
        """
import importlib.util
@process()
def p():
    path = os.path.join(os.path.dirname(__file__), "plugin.py")
    spec = importlib.util.spec_from_file_location("loaded", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {"x": module.V}
""",
        edit("1", "2", "src/plugin.py"),
        PLUGIN,
    ),
    "a script that is run by its path": Row(
        """
import runpy
@process()
def p():
    return {"x": runpy.run_path(os.path.join(os.path.dirname(__file__), "plugin.py"))["V"]}
""",
        edit("1", "2", "src/plugin.py"),
        PLUGIN,
    ),
}

ARGUMENTS = """
import functools, dataclasses, typing
def helper(x):
    return x * 1
class Obj:
    def __init__(self, k):
        self.k = k
    def __call__(self, x):
        return helper(x) * self.k
    def method(self, x):
        return self(x)
    @staticmethod
    def static(x):
        return helper(x)
    @classmethod
    def of_class(cls, x):
        return helper(x)
@dataclasses.dataclass
class Data:
    k: int
    def __call__(self, x):
        return helper(x) * self.k
def nested():
    def inner(x):
        return helper(x)
    return inner
@step
def inner_step(x):
    return helper(x)
@step
def s(f, x):
    f = f[0] if isinstance(f, list) else f["f"] if isinstance(f, dict) else f
    return f(1)(x) if f is Obj else f(x)
@process()
def p():
    return {"x": s(ARGUMENT, 3)}
"""
for argument in (
    "helper",
    "lambda x: helper(x)",
    "functools.partial(helper)",
    "Obj",
    "Obj(1)",
    "Obj(1).method",
    "Obj.static",
    "Obj.of_class",
    "[helper]",
    "{'f': helper}",
    "Data(1)",
    "nested()",
    "inner_step",
):
    CODE[f"what the argument {argument} calls"] = Row(ARGUMENTS.replace("ARGUMENT", argument), edit("x * 1", "x * 2"))
