"""The source files of a project.

Each definition also has a *plain* text, in which it does not show how names are imported: a change of the plain text
must re-run whoever reaches the definition, any other change may.
"""

from __future__ import annotations

import re

from .kinds import AT_IMPORT, KINDS, MOVABLE, REGISTRY, base_of, kind_of
from .model import MODULES, Helper, Process, Project, Source, Statement, Step, Use
from .sources import reading

# r is the function, a its argument.
USES = (
    "r(a)",
    "(lambda f: f(a))(r)",
    "[r][0](a)",
    "{'f': r}['f'](a)",
    "sum(map(r, [a]))",
    "sum(r(y) for y in [a])",
    "functools.partial(r, a)()",
    "next(iter([r(a)]))",
    'int(f"{r(a)}")',
    "functools.reduce(lambda y, f: f(y), [r], a)",
    "(lambda y, f=r: f(y))(a)",
    "(r if a >= 0 else abs)(a)",
    "operator.methodcaller('__call__', a)(r)",
    "max([a, a], key=r) * 0 + r(a)",
)
_TWICE = len(USES) - 1  # asks three times: only for what never draws and calls no steps
LIBRARIES = (
    *("functools", "random", "os", "io", "json", "csv", "glob", "pathlib", "operator", "contextlib", "dataclasses"),
    *("typing", "enum", "importlib", "numpy"),
)
# Forms of import that may have whole modules count, so that little can be said: each one in twelve.
_WIDE = {10: "importlib", 11: "__import__"}


def forms(user: str, module: str) -> list[str]:
    """The forms in which ``user`` can import from ``module``."""
    found = ["from", "from as", "import", "import as", "star", "getattr"]
    if module.startswith("pk."):
        if user.startswith("pk."):
            return [*found, "relative", "relative module"]
        return [*found, "package", "package attribute", "module of package", "package star"]
    return found


class Names:
    """Import lines that a module needs, and references through them."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.lines: dict[str, None] = {}
        self.stars: dict[str, None] = {}
        self.modules: set[str] = set()
        self.stated: set[str] = set()  # of these, those that an import statement names
        self.binding: dict[str, set[str]] = {}  # lines by the name that they bind

    def reference(self, name: str, module: str, imported: int) -> tuple[str, str]:
        """An expression for ``name`` of ``module``, and the form of its import."""
        if module == self.module:
            return name, ""
        self.modules.add(module)
        available = forms(self.module, module)
        form = _WIDE.get(imported) or available[imported % len(available)]
        last = module.rpartition(".")[2]
        line, expression = {
            "from": (f"from {module} import {name}", name),
            "from as": (f"from {module} import {name} as also_{name}", f"also_{name}"),
            "import": (f"import {module}", f"{module}.{name}"),
            "import as": (f"import {module} as {last}_", f"{last}_.{name}"),
            "star": (f"from {module} import *", name),
            "importlib": ("import importlib", f"importlib.import_module('{module}').{name}"),
            "getattr": (f"import {module} as {last}_", f"getattr({last}_, '{name}')"),
            "__import__": ("", f"__import__('{module}', fromlist=['x']).{name}"),
            "relative": (f"from .{last} import {name}", name),
            "relative module": (f"from . import {last} as {last}_of", f"{last}_of.{name}"),
            "package": (f"from pk import {name}", name),
            "package attribute": ("import pk", f"pk.{name}"),
            "module of package": (f"from pk import {last} as {last}_of", f"{last}_of.{name}"),
            "package star": ("from pk import *", name),
        }[form]
        if form not in _WIDE.values():
            self.stated.add(module)
        if line:
            self.binding.setdefault(re.split(r"\W", expression.removeprefix("getattr("))[0], set()).add(line)
            (self.stars if line.endswith("*") else self.lines)[line] = None
        return expression, form


class Rendered:
    """Texts of a project: of each definition, plain and real, and of each file."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.plain: dict[str, str] = {}
        self.real: dict[str, str] = {}
        self.bindings: dict[str, str] = {}  # the imports that a definition's names come from
        self.wide: set[str] = set()  # definitions for which every module may count
        self.computed: set[str] = set()  # classes whose base is computed, so that making them may have effects
        self._names = {module: Names(module) for module in MODULES}
        self._module = ""
        self._is_plain = False
        self._current = ""
        self._blocks: dict[str, list[tuple[str, bool]]] = {module: [] for module in MODULES}
        self._bound: dict[str, set[str]] = {}
        self._package = {module for module in MODULES if module.startswith("pk.")}
        self._define_all()
        self._add_bindings()

    def _define_all(self) -> None:
        project = self.project
        for helper in project.helpers.values():
            self._define(helper.name, helper.module, lambda helper=helper: self._helper(helper), helper)
        self._define("Holder", "lib0", self._holder)
        for step in project.steps.values():
            self._define(step.name, step.module, lambda step=step: self._step(step))
        for process in project.processes.values():
            self._define(process.name, "model", lambda process=process: self._process(process))

    def _add_bindings(self) -> None:
        """Other imports that may bind the names that a definition uses are part of its real text.

        They stand there in their order: the last one that binds a name counts.
        """
        for name, text in self.real.items():
            names = self._names[text.partition("\n")[0][2:]]
            bound = {"", *self._bound[name]}  # "": libraries, which come by a star as well
            lines = {line for one in bound for line in self._binding(names, one)}
            own = [line for line in names.lines if line in lines]
            self.bindings[name] = "\n".join([*names.stars, *own, *sorted(lines - {*own})])
            self.real[name] += self.bindings[name]

    def _binding(self, names: Names, bound: str) -> set[str]:
        """The lines that may bind a name in a module: its own, and those of modules that it imports by a star."""
        lines = {*names.binding.get(bound, ()), *names.stars}
        for star in names.stars:
            below = self._names.get(star.split()[1])
            if below is not None:
                found = self._binding(below, bound) | set(self._libraries(below.module))
                lines |= {f"{below.module}: {line}" for line in found}
        return lines

    def imports(self) -> dict[str, list[list[str]]]:
        """Which modules each module imports, and which of them as it is imported itself."""
        return {module: [sorted(names.modules), sorted(names.stated)] for module, names in self._names.items()}

    def imported(self, modules: set[str]) -> set[str]:
        """These modules and all that are imported with them. A registry may be filled by any module that uses it."""
        found: set[str] = set()
        pending = set(modules)
        while pending:
            module = pending.pop()
            found.add(module)
            pending |= self._names[module].modules
            pending |= self._package if module in self._package else set()
            pending |= self._registering() if module in self._registering() else set()
            pending -= found
        return found

    def _registering(self) -> set[str]:
        return {m for m, blocks in self._blocks.items() if any("registry." in text for text, _ in blocks)}

    def _define(self, name: str, module: str, text: object, helper: Helper | None = None) -> None:
        self._module, self._current = module, name
        self._bound[name] = set()
        self._is_plain = True
        # That it is a step matters to what it draws alone.
        self.plain[name] = text().replace("@step\n", "")  # type: ignore[operator]
        self._is_plain = False
        self.real[name] = f"# {module}\n{text()}"  # type: ignore[operator]
        movable = helper is not None and kind_of(self.project, helper) in MOVABLE
        self._blocks[module].append((self.real[name].partition("\n")[2], movable))

    # Definitions

    def _helper(self, helper: Helper) -> str:
        kind = kind_of(self.project, helper)
        uses = helper.uses
        text = KINDS[kind]
        if kind == "subclass":
            base = self.project.helpers[base_of(self.project, helper)]
            expression = self.reference(base.name + "_Class", base.module, uses[0].imported)
            self.computed |= {helper.name} if "(" in expression else set()
            text = text.replace("BASE", expression)
            uses = uses[1:]
        constant, before = str(helper.constant), ""
        source = source_of(helper)
        if source.kind != "literal":
            lines = reading(source, helper.module, at_import=kind in AT_IMPORT)
            before = f"def NAME_const():\n{_indent(lines)}    return v\n\n"
            constant = "NAME_const()"
        text = (before + text).replace("CONST", constant)
        for word, argument in (("DEPS", "x + 1"), ("FIXED", "2")):
            if word in text:
                text = text.replace(word, "".join(f"+ {self._use(use, argument)} " for use in uses).strip())
        # Kinds that differ in spaces alone are the same.
        return re.sub(r" +(?=[)\n])", "", text).replace("NAME", helper.name)

    def _holder(self) -> str:
        return f"""
class Holder:
    def __init__(self, function):
        self.function = function

    def go(self, x):
        return (self.function(x) + {self.project.holder}) % 9973
"""

    def _step(self, step: Step) -> str:
        arguments, first = {
            "x": ("x", ""),
            "f": ("x, f", "    x = (x + f(x)) % 9973\n"),
            "h": ("x, h", "    x = (x + h.go(x)) % 9973\n"),
        }[step.takes]
        return f"\n@step\ndef {step.name}({arguments}):\n{first}{_indent(self._body(step.body))}    return x\n"

    def _process(self, process: Process) -> str:
        inputs = [f"{output}_{upstream}" for upstream, output in process.takes.items()]
        arguments = [*inputs, f"q={process.default}", *(["g=0"] if process.takes_global else [])]
        outputs = [f'"a_{process.name}": x', f'"b_{process.name}": x % 2']
        if process.big:
            outputs.append(f'"big_{process.name}": str(x) * 9000')
        return (
            f"\n@process()\ndef {process.name}({', '.join(arguments)}):\n"
            f"    x = ({' + '.join([*inputs, '1'])}) % 9973\n"
            f"{_indent(self._body(process.body))}    return {{{', '.join(outputs)}}}\n"
        )

    # Statements

    def _body(self, body: list[Statement]) -> str:
        return "\n".join(self._statement(statement) for statement in body)

    def _statement(self, statement: Statement) -> str:  # noqa: C901 (a table)
        number, use = statement.number, statement.use
        match statement.verb:
            case "add":
                return f"x = (x * 2 + {number}) % 9973"
            case "use":
                return f"x = {self._use(use, 'x')}"
            case "step":
                return f"x = {self._step_name(use)}(x)"
            case "loop":
                return f"for i in range({number % 3 + 1}):\n    x = {self._step_name(use)}((x + i) % 3)"
            case "hand":
                return f"x = {self._step_name(use)}(x % 5, {self._function(statement)})"
            case "hold":
                holder = self.reference("Holder", "lib0", number)
                return f"x = {self._step_name(use)}(x % 5, {holder}({self._function(statement)}))"
            case "nested":
                inner = f" + {self._use(use, 'y')}" if use.ref else ""
                name = f"n{number}"
                return (
                    f"w = x % 2\n@step\ndef {name}(y):\n    return (y * 3 + {number % 7} + w{inner}) % 9973\n"
                    f"x = {name}(x % 4)"
                )
            case "metric":
                step = "" if number % 3 else f", step={number}"
                return f"log_metric('m{number % 2}', x{step})"
            case "print":
                return f"print('at {number}:', x)"
            case "write" | "append":
                return f"with open('note{number % 2}.txt', '{statement.verb[0]}') as file:\n    file.write(f'{{x}};')"
            case "read back":
                return (
                    f"try:\n    with open('note{number % 2}.txt') as file:\n"
                    "        x = (x + len(file.read())) % 9973\nexcept OSError:\n    x = (x + 5) % 9973"
                )
            case "source":
                return f"{reading(statement.source)}\nx = (x + v) % 9973"
            case "branch":
                assert statement.inner is not None
                return f"if x % 2:\n{_indent(self._statement(statement.inner))}".rstrip()
            case "parameter":
                return "x = (x * 2 + q) % 9973"
            case "global":
                return "x = (x * 2 + g) % 9973"
        raise AssertionError(statement.verb)

    def _step_name(self, use: Use) -> str:
        step = self.project.steps[use.ref]
        return self.reference(step.name, step.module, use.imported)

    def _function(self, statement: Statement) -> str:
        assert statement.inner is not None
        handed = self.project.helpers[statement.inner.use.ref]
        return self.reference(handed.name, handed.module, statement.inner.use.imported)

    def _use(self, use: Use, argument: str) -> str:
        helper = self.project.helpers[use.ref]
        how = self.how(use)
        # One replacement: a reference may hold an `a`.
        found = {"r": self.reference(helper.name, helper.module, use.imported), "a": argument}
        return re.sub(r"\b[ra]\b", lambda match: found[match.group()], USES[how])

    def how(self, use: Use) -> int:
        """Which of ``USES`` it is."""
        how = use.how % len(USES)
        below = [self.project.helpers[name] for name in self.project.below(use.ref)]
        counts = any(helper.source.kind == "draw" or helper.kind == "step" for helper in below)
        return 0 if how == _TWICE and counts else how

    def reference(self, name: str, module: str, imported: int) -> str:
        if self._is_plain:
            return name
        expression, form = self._names[self._module].reference(name, module, imported)
        self._bound[self._current].add(expression.removeprefix("getattr(").partition(".")[0].partition(",")[0])
        if form in _WIDE.values():
            self.wide.add(self._current)
        return expression

    # Files

    def files(self) -> dict[str, tuple[str, list[tuple[str, bool]]]]:
        """Head and blocks (with whether they may be moved to the front) by path."""
        found = {}
        for module in MODULES:
            found[f"src/{module.replace('.', '/')}.py"] = (self.head(module), self._blocks[module])
        inside = [f"from .{h.module[3:]} import {h.name}" for h in self._in_package()]
        steps = [f"from .{s.module[3:]} import {s.name}" for s in self.project.steps.values() if s.module[:3] == "pk."]
        classes = [
            f"from .{h.module[3:]} import {h.name}_Class" for h in self._in_package() if "_Class" in self.real[h.name]
        ]
        found["src/pk/__init__.py"] = ("\n".join([*inside, *classes, *steps]), [])
        found["src/registry.py"] = (REGISTRY, [])
        return found

    def head(self, module: str) -> str:
        """The import lines of a module."""
        names = self._names[module]
        return "\n".join([*self._libraries(module), *names.stars, *names.lines])

    def _libraries(self, module: str) -> list[str]:
        text = "".join(block for block, _ in self._blocks[module])
        found = [f"import {name}" for name in (*LIBRARIES, "registry") if f"{name}." in text]
        if "@step" in text or "@process" in text:
            found.append("from expops import log_metric, process, step")
        return found

    def _in_package(self) -> list[Helper]:
        helpers = [helper for helper in self.project.helpers.values() if helper.module.startswith("pk.")]
        return sorted(helpers, key=lambda helper: MODULES.index(helper.module))


def source_of(helper: Helper) -> Source:
    """Where the constant comes from; what is asked for at import is not drawn."""
    if helper.source.kind == "draw" and helper.kind in AT_IMPORT:
        return Source()
    return helper.source


def _indent(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.split("\n") if line)
