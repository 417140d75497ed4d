"""Projects whose result hangs on a piece of code that is reached in one way or another.

In each, ``111`` stands in that code, and a change to ``222`` changes the result. ``USES`` are expressions over ``x``,
taken in a step and in a process; ``WHOLE`` are whole scripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Case(NamedTuple):
    """``before`` stands above the functions of ``src/model.py``; ``files`` lie in ``src``."""

    before: str
    use: str
    files: Mapping[str, str] = {}


H = "def h(x):\n    return x * 111\n"
METHOD = "    def h(self, x):\n        return x * 111\n"


def _library(use: str, before: str = "import lib", text: str = H, **files: str) -> Case:
    return Case(before, use, {"lib.py": text, **{f"{name}.py": content for name, content in files.items()}})


def _made(use: str, base: str, lib: str) -> Case:
    """Something in ``base`` learns of what ``lib``, imported for that, defines."""
    return Case("import base, lib", use, {"base.py": base, "lib.py": lib})


# The table of what counts.
TABLE: dict[str, Case] = {
    "a helper": Case(H, "h(x)"),
    "a helper of a helper": Case(H + "def g(x): return h(x)", "g(x)"),
    "a helper of a helper in other modules": _library("g(x)", "from other import g", other="from lib import h as g\n"),
    "a constant": Case("K = 111", "K"),
    "a computed constant": Case("def make(): return 111\nK = make() + 1", "K"),
    "a conditional constant": Case("if os.name == 'nt':\n    K = 1\nelse:\n    K = 111", "K"),
    "a default": Case("def g(x, k=111): return k", "g(x)"),
    "a default from a constant": Case("K = 111\ndef g(x, k=K): return k", "g(x)"),
    "a decorator": Case("def d(f): return lambda x: f(x) * 111\n@d\ndef g(x): return x", "g(x)"),
    "a method": Case(f"class C:\n{METHOD}", "C().h(x)"),
    "a class attribute": Case("class C:\n    k = 111", "C.k"),
    "a base": Case(f"class B:\n{METHOD}class C(B): pass", "C().h(x)"),
    "a metaclass": Case("class M(type):\n    k = 111\nclass C(metaclass=M): pass", "C.k"),
    "a nested function": Case("def g(x):\n    def inner(): return 111\n    return inner()", "g(x)"),
    "a lambda": Case("g = lambda x: x * 111", "g(x)"),
    "a partial": Case("import functools\n" + H + "g = functools.partial(h)", "g(x)"),
    "a re-export": Case("from pkg import h", "h(x)", {"pkg/__init__.py": "from .sub import h\n", "pkg/sub.py": H}),
    "a star import": _library("h(x)", "from lib import *"),
    "an alias": Case(H + "g = h", "g(x)"),
    "a registry of decorators": _made(
        "base.R['h'](x)",
        "R = {}\ndef reg(f):\n    R[f.__name__] = f\n    return f\n",
        "from base import reg\n@reg\n" + H,
    ),
    "a registry filled by an import": _made("base.R['h'](x)", "R = {}\n", "from base import R\n" + H + "R['h'] = h\n"),
    "a dict of functions": Case(H + "T = {'a': h}", "T['a'](x)"),
    "a function as an argument": Case(H + "def g(f, x): return f(x)", "g(h, x)"),
    "a function in an instance": Case(
        H + "class C:\n    def __init__(self, f): self.f = f\ndef g(c, x): return c.f(x)", "g(C(h), x)"
    ),
}

_KEPT = "R = []\n"
_ADD = "    def {0}: R.append({1})\n"
_META = "class Kind({0}):\n    def __init__(cls, *a):\n        super().__init__(*a)\n        R.append(cls)\n"
_REPLACED = "class C:\n    def h(self, x): return 0\n"
_PATCH = "def g(self, x): return x * 111\n"

# What reading has to look twice for.
USES: dict[str, Case] = {
    "getattr with a constant": _library("getattr(lib, 'h')(x)"),
    "a module that is passed on": _library("g(lib, x)", "import lib\ndef g(m, x): return m.h(x)"),
    "a module of a module that is passed on": _library(
        "g(other, x)", "import other\ndef g(m, x): return m.lib.h(x)", other="import lib\n"
    ),
    "a module of a package that is passed on": Case(
        "import pkg, pkg.sub\ndef g(m, x): return m.sub.h(x)", "g(pkg, x)", {"pkg/__init__.py": "", "pkg/sub.py": H}
    ),
    "a module in a dict": _library("M['a'].h(x)", "import lib\nM = {'a': lib}"),
    "eval of an imported module": _library("eval('lib.h(x)')"),
    "globals() of an imported module": _library("globals()['lib'].h(x)"),
    "attrgetter": _library("operator.attrgetter('h')(lib)(x)", "import lib, operator"),
    "methodcaller": _library("operator.methodcaller('h', x)(lib)", "import lib, operator"),
    "a submodule that another module imports": Case(
        "import pkg, other", "pkg.sub.h(x)", {"pkg/__init__.py": "", "pkg/sub.py": H, "other.py": "import pkg.sub\n"}
    ),
    "sys.modules by a computed name": _library("sys.modules['l' + 'ib'].h(x)", "import sys, lib"),
    "sys.modules under another name": _library("modules['l' + 'ib'].h(x)", "from sys import modules\nimport lib"),
    "vars(sys)": _library("vars(sys)['modules']['l' + 'ib'].h(x)", "import sys, lib"),
    "sys.__dict__": _library("sys.__dict__['modules']['l' + 'ib'].h(x)", "import sys, lib"),
    "importlib passed on": _library(
        "g(importlib, 'lib', x)", "import importlib\ndef g(i, n, x): return i.import_module(n).h(x)"
    ),
    "import_module under another name": _library(
        "find('l' + 'ib').h(x)", "import importlib\nfind = importlib.import_module"
    ),
    "__import__ of builtins": _library("builtins.__import__('l' + 'ib').h(x)", "import builtins"),
    "__builtins__": _library(
        "find('l' + 'ib').h(x)",
        "def find(name):\n    b = __builtins__\n    return (b if isinstance(b, dict) else vars(b))['__import__'](name)",
    ),
    "inspect.getmodule": Case("import inspect\ndef local(): pass\n" + H, "inspect.getmodule(local).h(x)"),
    "__globals__": Case("def local(): pass\n" + H, "local.__globals__['h'](x)"),
    "globals of a frame": Case("import sys\n" + H, "sys._getframe().f_globals['h'](x)"),
    "a name put into builtins": _library("hh(x)", text=H + "import builtins\nbuiltins.hh = h\n"),
    "a pickle": _library("pickle.loads(b'clib\\nh\\n.')(x)", "import pickle, lib"),
    "a module's __getattr__": _library("lib.zz(x)", text=H + "def __getattr__(n):\n    return h\n"),
    "a module of another class": _library(
        "lib.zz(x)",
        text=H + "import sys, types\nclass M(types.ModuleType):\n"
        "    def __getattr__(self, n): return h\nsys.modules[__name__].__class__ = M\n",
    ),
    "an object in a module's place": _library(
        "lib.zz(x)", text=H + "import sys\nclass M:\n    def zz(self, x): return h(x)\nsys.modules[__name__] = M()\n"
    ),
    "__init_subclass__": _made(
        "base.R[0]().h(x)",
        _KEPT + "class B:\n" + _ADD.format("__init_subclass__(cls)", "cls"),
        f"from base import B\nclass C(B):\n{METHOD}",
    ),
    "__set_name__": _made(
        "base.R[0]().h(x)",
        _KEPT + "class D:\n" + _ADD.format("__set_name__(self, c, n)", "c"),
        f"from base import D\nclass C:\n    d = D()\n{METHOD}",
    ),
    "__prepare__": _made(
        "base.R[0]['h'](0, x)",
        _KEPT + "class M(type):\n    @classmethod\n    def __prepare__(*a):\n"
        "        R.append({})\n        return R[-1]\n",
        f"from base import M\nclass C(metaclass=M):\n{METHOD}",
    ),
    "a metaclass that registers": _made(
        "base.R[0]().h(x)", _KEPT + _META.format("type"), f"from base import Kind\nclass C(metaclass=Kind):\n{METHOD}"
    ),
    "a metaclass of a metaclass": _made(
        "base.R[0]().h(x)",
        _KEPT + "class A(type): pass\n" + _META.format("A"),
        f"from base import Kind\nclass C(metaclass=Kind):\n{METHOD}",
    ),
    "a metaclass that inherits how it registers": _made(
        "base.R[0]().h(x)",
        _KEPT + _META.format("type") + "class Sub(Kind): pass\n",
        f"from base import Sub\nclass C(metaclass=Sub):\n{METHOD}",
    ),
    "a metaclass of a base": _made(
        "base.R[1]().h(x)",
        _KEPT + _META.format("type") + "class B(metaclass=Kind): pass\n",
        f"from base import B\nclass C(B):\n{METHOD}",
    ),
    "a function as metaclass": _made(
        "base.R[0]().h(x)",
        _KEPT + "def kind(*a):\n    R.append(type(*a))\n    return R[-1]\n",
        f"from base import kind\nclass C(metaclass=kind):\n{METHOD}",
    ),
    "__mro_entries__": _made(
        "base.R[0]().h(x)",
        _KEPT
        + "class K:\n"
        + _ADD.format("__init_subclass__(cls)", "cls")
        + "class E:\n    def __mro_entries__(self, b): return (K,)\ne = E()\n",
        f"from base import e\nclass C(e):\n{METHOD}",
    ),
    "singledispatch": _made(
        "base.g(x)",
        "import functools\n@functools.singledispatch\ndef g(x): return 0\n",
        "from base import g\n@g.register(int)\n" + H,
    ),
    "singledispatch by a call": _made(
        "base.g(x)",
        "import functools\n@functools.singledispatch\ndef g(x): return 0\n",
        "from base import g\n" + H + "g.register(int, h)\n",
    ),
    "copyreg": _made(
        "copy.copy(base.C()).k",
        "class C: k = 1\n",
        "import copyreg, base\ndef make():\n"
        "    c = base.C()\n    c.k = 111\n    return c\ncopyreg.pickle(base.C, lambda c: (make, ()))\n",
    )._replace(before="import copy, base, lib"),
    "a default_factory": _library(
        "D().v",
        "import dataclasses\nfrom lib import h\n@dataclasses.dataclass\nclass D:\n"
        "    v: int = dataclasses.field(default_factory=lambda: h(3))",
    ),
    "an enum's _missing_": _library(
        "E(5).value",
        "from lib import E",
        "import enum\nclass E(enum.Enum):\n    A = 1\n"
        "    B = 111\n    @classmethod\n    def _missing_(cls, v): return cls.B\n",
    ),
    "a context manager": _library(
        "g()",
        "from lib import cm\ndef g():\n    with cm() as v: return v",
        "import contextlib\n@contextlib.contextmanager\ndef cm():\n    yield 111\n",
    ),
    "a coroutine": _library(
        "asyncio.run(h(x))", "import asyncio\nfrom lib import h", "async def h(x): return x * 111\n"
    ),
    "__del__": _library(
        "g()",
        "from lib import C\ndef g():\n    out = []\n    C(out)\n    return out",
        "class C:\n    def __init__(self, o): self.o = o\n    def __del__(self): self.o.append(111)\n",
    ),
    "weakref.finalize": _library(
        "g()",
        "import weakref\nfrom lib import h\nclass C: pass\ndef g():\n    o, c = [], C()\n"
        "    weakref.finalize(c, h, o)\n    del c\n    return o",
        "def h(o): o.append(111)\n",
    ),
    "an attribute of a function": _library(
        "lib.h.more(x)",
        "import lib, other",
        "def h(x): return 0\n",
        other="import lib\ndef g(x): return x * 111\nlib.h.more = g\n",
    ),
    "a patched method": _library(
        "lib.C().h(x)", "import lib, other", _REPLACED, other=f"import lib\n{_PATCH}lib.C.h = g\n"
    ),
    "a method patched by a function": _library(
        "lib.C().h(x)",
        "import lib, other",
        _REPLACED,
        other=f"import lib\n{_PATCH}def patch(cls): cls.h = g\npatch(lib.C)\n",
    ),
    "a method patched by a function elsewhere": _library(
        "lib.C().h(x)",
        "import lib, other",
        _REPLACED,
        other=f"import lib, patcher\n{_PATCH}patcher.patch(lib.C, 'h', g)\n",
        patcher="def patch(cls, n, f): setattr(cls, n, f)\n",
    ),
    "a method patched by mock": _library(
        "lib.C().h(x)",
        "import lib, other",
        _REPLACED,
        other=f"import lib\nfrom unittest import mock\n{_PATCH}p = mock.patch.object(lib.C, 'h', g)\np.start()\n",
    ),
    "a list that a function of an import fills": _library(
        "lib.C.all[0](x)",
        "import lib, other",
        "class C: all = []\n",
        other="import lib\n" + H + "def add(cls, f): cls.all.append(f)\nadd(lib.C, h)\n",
    ),
}

_NESTED = (
    "@process()\ndef p():\n    def a(x): return x * 111\n    def b(x): return 0\n    {}\n    @step\n"
    "    def s(x): return {}\n    return {{'x': s(3)}}\n"
)
_ARGUMENT = "@step\ndef s(f, x):\n    return {}\n@process()\ndef p():\n    return {{'x': s({}, 3)}}\n"
_RUNNING = "@step\ndef s(x):\n    return {}\n@process()\ndef p():\n    {}\n    return {{'x': s(3)}}\n"


def _nested(before: str, use: str) -> Case:
    return Case(_NESTED.format(before, use), "")


def _argument(before: str, argument: str, use: str, files: Mapping[str, str] = {}) -> Case:
    return Case(before + "\n" + _ARGUMENT.format(use, argument), "", files)


def _running(before: str, act: str, use: str, **files: str) -> Case:
    return Case(before + "\n" + _RUNNING.format(use, act), "", {f"{name}.py": text for name, text in files.items()})


WRAPS = (
    "import functools\ndef timed(g):\n    @functools.wraps(g)\n    def inner(*a): return g(*a) * 111\n"
    "    return inner\n"
)
NEW = "def g(x): return x * 111"

# Whole scripts: what a step is given, closes over, or finds in a variable that the process has set.
WHOLE: dict[str, Case] = {
    "enclosed: a function": _nested("pass", "a(x)"),
    "enclosed: a function under another name": _nested("fn = a", "fn(x)"),
    "enclosed: one of two functions": _nested("fn = a if os.name else b", "fn(x)"),
    "enclosed: a list of functions": _nested("fn = [a, b]", "fn[0](x)"),
    "enclosed: a partial": _nested("import functools; fn = functools.partial(a)", "fn(x)"),
    "enclosed: a lambda": _nested("fn = lambda x: x * 111", "fn(x)"),
    "enclosed: a partial of a lambda": _nested(
        "import functools; fn = functools.partial(lambda y, x: x * 111, 1)", "fn(x)"
    ),
    "enclosed: unpacked functions": _nested("fn, gn = a, b", "fn(x)"),
    "enclosed: a function that a function made": Case(
        "def make():\n    def inner(x): return x * 111\n    return inner\n@process()\ndef p():\n    fn = make()\n"
        "    @step\n    def s(x): return fn(x)\n    return {'x': s(3)}\n",
        "",
    ),
    "enclosed: a module": Case(
        "import lib\n@process()\ndef p():\n    m = lib\n    @step\n    def s(x): return m.h(x)\n"
        "    return {'x': s(3)}\n",
        "",
        {"lib.py": H},
    ),
    "enclosed: a class under another name": Case(
        "@process()\ndef p():\n    class C:\n        def h(self, x): return x * 111\n    K = C\n    @step\n"
        "    def s(x): return K().h(x)\n    return {'x': s(3)}\n",
        "",
    ),
    "enclosed: a default": Case(
        "@process()\ndef p():\n    def a(x): return x * 111\n    @step\n    def s(x, f=a): "
        "return f(x)\n    return {'x': s(3)}\n",
        "",
    ),
    "a wrapped function made a step": Case(
        WRAPS + "@process()\ndef p():\n    def raw(x): return x\n    s = step(timed(raw))\n    return {'x': s(3)}\n", ""
    ),
    "argument: a module": _argument("import lib", "lib", "f.h(x)", {"lib.py": H}),
    "argument: a module in a list": _argument("import lib", "[lib]", "f[0].h(x)", {"lib.py": H}),
    "argument: a package": _argument(
        "import pkg, pkg.sub", "pkg", "f.sub.h(x)", {"pkg/__init__.py": "", "pkg/sub.py": H}
    ),
    "argument: a folder of modules": _argument("import pkg.sub", "pkg", "f.sub.h(x)", {"pkg/sub.py": H}),
    "argument: a wrapped function": _argument(WRAPS + "def h(x): return x", "timed(h)", "f(x)"),
    "argument: a subclass of dict": _argument(f"class S(dict):\n{METHOD}", "S(a=1)", "f.h(x)"),
    "argument: a member of an enum": _argument(
        f"import enum\nclass E(enum.Enum):\n    A = 1\n{METHOD}", "E.A", "f.h(x)"
    ),
    "argument: an instance with slots": _argument(f"class C:\n    __slots__ = ('a',)\n{METHOD}", "C()", "f.h(x)"),
    "argument: a patched method": _argument(
        "class C:\n    def h(self, x): return 0\n" + _PATCH + "C.h = g", "C()", "f.h(x)"
    ),
    "argument: a library's object around a function": _argument(
        "import numpy as np\n" + H, "np.vectorize(h)", "int(f(x))"
    ),
    "set: a function of a module": _running("import lib\n" + NEW, "lib.h = g", "lib.h(x)", lib="def h(x): return 0\n"),
    "set: a function of a module, to a lambda": _running(
        "import lib", "lib.h = lambda x: x * 111", "lib.h(x)", lib="def h(x): return 0\n"
    ),
    "set: a method": _running("import lib\n" + _PATCH, "lib.C.h = g", "lib.C().h(x)", lib=_REPLACED),
    "set: an attribute of a function": _running("def h(x): return h.f(x)\n" + NEW, "h.f = g", "h(x)"),
    "set: an item of a dict": _running("R = {'b': len}\n" + NEW, "R['a'] = g", "R['a'](x)"),
    "set: a nested list": _running("R = [[object()]]\n" + NEW, "R[0].append(g)", "R[0][1](x)"),
    "set: an attribute of an instance in a dict": _running(
        "class C: pass\nR = {'a': C()}\n" + NEW, "R['a'].f = g", "R['a'].f(x)"
    ),
    "set: a slot": _running("class C:\n    __slots__ = ('f',)\nR = C()\n" + NEW, "R.f = g", "R.f(x)"),
    "set: a list of a class": _running("class C: hooks = []\n" + NEW, "C.hooks.append(g)", "C.hooks[0](x)"),
    "set: a context variable": _running(
        "import contextvars\nV = contextvars.ContextVar('v')\n" + NEW, "V.set(g)", "V.get()(x)"
    ),
    "set: a variable of the thread": _running("import threading\nT = threading.local()\n" + NEW, "T.f = g", "T.f(x)"),
    "set: a dispatched function": _running(
        "import base\n" + NEW,
        "base.h.register(int, g)",
        "base.h(x)",
        base="import functools\n@functools.singledispatch\ndef h(x): return 0\n",
    ),
    "set: a method, by a late import": _running(
        "import base", "import lib", "base.C().h(x)", base=_REPLACED, lib=f"import base\n{_PATCH}base.C.h = g\n"
    ),
    "set: a registry, by a late import": _running(
        "import base", "import lib", "base.R[0](x)", base=_KEPT, lib="import base\n" + H + "base.R.append(h)\n"
    ),
}

HEAD = "import os\nfrom expops import process, step\n"
_IN = {
    "a step": "@step\ndef s(x):\n    return {}\n@process()\ndef p():\n    return {{'x': s(3)}}\n",
    "a process": "@process()\ndef p(x=3):\n    return {{'x': {}}}\n",
}


def projects(*tables: Mapping[str, Case]) -> dict[str, dict[str, str]]:
    """Files by path, by name of the case."""
    found = {}
    for name, case in [item for table in tables for item in table.items()]:
        files = {f"src/{path}": text for path, text in case.files.items()}
        if not case.use:
            found[name] = {"src/model.py": HEAD + case.before, **files}
            continue
        for where, template in _IN.items():
            found[f"{name}, in {where}"] = {
                "src/model.py": f"{HEAD}{case.before}\n{template.format(case.use)}",
                **files,
            }
    return found
