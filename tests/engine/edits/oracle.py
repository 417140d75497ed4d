"""What a project's processes give, worked out from the model alone; and what each action depends on.

An action's dependencies are known twice. If anything in ``needs`` is new, it must execute. If all in ``knows``, which
holds more, has been there before, it must be a hit. What lies between is the engine's choice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import NamedTuple

import numpy

from expops.seeding.derive import derive_seed

from .kinds import AT_IMPORT, HOLDING, base_of, has_effects, kind_of
from .model import MODULUS, Helper, Process, Project, Source, Statement, Step, Use, statements
from .noise import annotated
from .render import Rendered, source_of
from .sources import held, is_presence_only

_moments = count()


@dataclass
class Action:
    """An action as it would execute now: its place, its parts by kind and name, and the steps that it calls."""

    path: str
    needs: dict[str, dict[str, object]]
    knows: dict[str, dict[str, object]]
    steps: list[Action]
    value: object = None

    @property
    def needed(self) -> str:
        return repr([self.path.split("/")[0] if "/" not in self.path else "", self.needs])

    @property
    def known(self) -> str:
        return repr([self.needed, self.knows])

    def used(self) -> Iterator[str]:
        """Names of definitions that it reaches and of what it reads, the steps below it included."""
        for kind in ("code", "found"):
            yield from ("seed" if name.startswith("seed ") else name.removesuffix(" set") for name in self.needs[kind])
        yield from self.knows["imports"]
        for step in self.steps:
            yield from step.used()

    def paths(self) -> Iterator[str]:
        """Its own path, and those of the steps below it."""
        yield self.path
        for step in self.steps:
            yield from step.paths()


class Code(NamedTuple):
    """Texts of definitions, plain and real, the latter with what else may count; and what is read at import."""

    needs: dict[str, object]
    knows: dict[str, object]
    reads: dict[str, object]


@dataclass
class Results:
    """What a process gives."""

    action: Action
    outputs: dict[str, object]
    metrics: dict[str, dict[int, int]]
    log: str
    files: dict[str, str]


@dataclass
class Frame:
    """An action under way. What it reads is kept by kind and name: what counts of it, and all of it."""

    process: str
    step: str = ""
    call: int = 1
    path: str = ""
    needs: dict[str, object] = field(default_factory=dict)
    knows: dict[str, object] = field(default_factory=dict)
    wrote: set[str] = field(default_factory=set)
    calls: dict[str, int] = field(default_factory=dict)
    steps: list[Action] = field(default_factory=list)
    generators: dict[str, object] = field(default_factory=dict)

    def read(self, name: str, needed: object, known: object) -> None:
        """Take note, unless it has written that itself before."""
        if name not in self.wrote:
            self.needs.setdefault(name, needed)
            self.knows.setdefault(name, known)


@dataclass
class Shared:
    """What the actions of one process share: metrics, log and working folder."""

    metrics: list[tuple[str, int, int | None]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    work: dict[str, str] = field(default_factory=dict)


class Oracle:
    """Answers for one state of a project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.rendered = Rendered(project)
        self._stack: list[Frame] = []
        self._shared = Shared()
        self._arguments: dict[str, int] = {}
        self._everything = repr((self.rendered.files(), project.noise))
        self._code_of = cache(self._code)

    def all(self) -> dict[str, Results]:
        """Results by process, in an order in which upstream comes first."""
        found: dict[str, Results] = {}
        for process in self.project.processes.values():
            found[process.name] = self._process(process, found)
        return found

    # Code

    def _at_import(self, modules: set[str]) -> tuple[dict[str, str], dict[str, object]]:
        """What importing the modules does and reads: it may count for all that is defined in those that import them."""
        code: dict[str, str] = {}
        reads: dict[str, object] = {}
        for helper in self.project.helpers.values():
            kind = kind_of(self.project, helper)
            if helper.module not in modules:
                continue
            if has_effects(self.project, helper) or helper.name in self.rendered.computed:
                names = self.project.below(helper.name)
                code |= {name: self.rendered.real[name] for name in names}
                code |= {"everything": self._everything} if self.rendered.wide.intersection(names) else {}
            asked = self.project.below(helper.name) if kind == "helpers at import" else [helper.name]
            for source in (source_of(self.project.helpers[name]) for name in asked if kind in AT_IMPORT):
                if source.kind != "literal":
                    reads[f"{source.kind} {source.name}"] = held(self.project, source)[0]
        # Only modules that are imported take part.
        imports = {"imports": repr(self.rendered.imports())} if code or reads else {}
        return {**code, **imports}, reads

    def _code(self, roots: tuple[str, ...], nested: tuple[str, str, int, Use] | None = None) -> Code:
        """All definitions that are reached.

        ``nested`` describes a function within another: the other's name, its own, its number and what it uses.
        """
        rendered = self.rendered
        names = self._reached(roots)
        needs: dict[str, object] = {name: rendered.plain[name] for name in names}
        knows: dict[str, object] = {name: rendered.real[name] for name in names}
        here = list(names)
        if nested is not None:
            outer, name, number, use = nested
            here.append(outer)
            needs[name] = f"{outer} {number} {use.ref} {rendered.how(use) if use.ref else 0}"
            knows[name] = f"{needs[name]} {use.imported} {rendered.bindings[outer]}"
        if rendered.wide.intersection(here):
            knows["everything"] = self._everything
        imported = rendered.imported({rendered.real[name].partition("\n")[0][2:] for name in here})
        effects, reads = self._at_import(imported)
        helpers = self.project.helpers.values()
        if any(helper.kind == "single dispatch" and helper.module in imported for helper in helpers):
            # It asks for annotations, of whatever is registered with it.
            effects["annotations"] = repr([annotated(self.project, module) for module in sorted(imported)])
        return Code(needs, {**knows, "modules": effects}, reads)

    def _reached(self, roots: tuple[str, ...]) -> list[str]:
        project = self.project
        found: dict[str, None] = {}
        pending = list(roots)
        while pending:
            name = pending.pop()
            if name in found:
                continue
            found[name] = None
            if name in project.helpers:
                pending += [use.ref for use in project.helpers[name].uses]
            elif name in project.steps:
                step = project.steps[name]
                pending += _reached_by(step.body)
            elif name in project.processes:
                pending += _reached_by(project.processes[name].body)
        return list(found)

    # Actions

    def _process(self, process: Process, above: dict[str, Results]) -> Results:
        project = self.project
        self._shared = Shared()
        frame = Frame(process.name, path=process.name)
        inputs = {f"{o}_{source}": above[source].outputs[f"{o}_{source}"] for source, o in process.takes.items()}
        q = process.default if process.given is None else process.given
        self._arguments = {"q": q, "g": project.shared}
        given = {"q": q} if process.given is not None else {}
        given |= {"g": project.shared} if process.takes_global else {}
        self._stack.append(frame)
        x = self._body(process.body, (sum(inputs.values()) + 1) % MODULUS)  # type: ignore[arg-type]
        self._stack.pop()
        outputs: dict[str, object] = {f"a_{process.name}": x, f"b_{process.name}": x % 2}
        if process.big:
            outputs[f"big_{process.name}"] = str(x) * 9000
        code = self._code_of((process.name,))
        action = self._action(
            frame,
            {"code": code.needs, "inputs": inputs, "parameters": {**given, "q": q}},
            {"code": code.knows, "given": given, "imports": code.reads},
        )
        return Results(action, outputs, fold(self._shared.metrics), "".join(self._shared.log), self._shared.work)

    def _action(self, frame: Frame, needs: dict[str, dict], knows: dict[str, dict]) -> Action:  # type: ignore[type-arg]
        inside = frame.step == ""
        needs["found"] = {n: v for n, v in frame.needs.items() if not (inside and n.startswith("file work/"))}
        knows["found"] = {n: v for n, v in frame.knows.items() if not (inside and n.startswith("file work/"))}
        return Action(frame.path, needs, knows, frame.steps)

    def _call(self, step: str, code: Code, needs: dict, body: object) -> int:  # type: ignore[type-arg]
        """A step call: ``body()`` gives its value."""
        parent = self._stack[-1]
        call = parent.calls[step] = parent.calls.get(step, 0) + 1
        here = parent.step + (f"#{parent.call}" if parent.call > 1 else "")
        place = f"{parent.path}/{step}" + (f"#{call}" if call > 1 else "")
        frame = Frame(parent.process, f"{here}/{step}" if here else step, call, place)
        self._stack.append(frame)
        value = body()  # type: ignore[operator]
        self._stack.pop()
        action = self._action(frame, {"code": code.needs, **needs}, {"code": code.knows, "imports": code.reads})
        if "@functools.lru_cache" in repr(code):
            # The engine's rule (docs/limits.md): whether or not it is called, a memoised function that the step's code
            # reaches, as it does all of a module whose import is computed, may remember what came of all that was read
            # so far, by the process's modules at import as well. The working folder changes meanwhile, so that a step
            # that depends on what was read there need not be found again.
            read = {**self._code_of((frame.process,)).reads, **self._stack[0].knows}
            in_work = any(name.startswith("file work/") for name in read)
            action.knows["remembered"] = {"moment": next(_moments)} if in_work else read
        action.value = value
        parent.steps.append(action)
        return value

    # Statements

    def _body(self, body: list[Statement], x: int) -> int:
        for statement in body:
            x = self._statement(statement, x)
        return x

    def _statement(self, statement: Statement, x: int) -> int:  # noqa: C901 (a table)
        number, use, shared = statement.number, statement.use, self._shared
        match statement.verb:
            case "add":
                return (x * 2 + number) % MODULUS
            case "use":
                return self._ask(use, x)
            case "step":
                return self._call_step(self.project.steps[use.ref], x)
            case "loop":
                for i in range(number % 3 + 1):
                    x = self._call_step(self.project.steps[use.ref], (x + i) % 3)
            case "hand" | "hold":
                assert statement.inner is not None
                return self._call_step(self.project.steps[use.ref], x % 5, statement.inner.use)
            case "nested":
                return self._nested(statement, x)
            case "metric":
                shared.metrics.append((f"m{number % 2}", x, None if number % 3 else number))
            case "print":
                shared.log.append(f"at {number}: {x}\n")
            case "write" | "append":
                self._write(f"note{number % 2}.txt", f"{x};", statement.verb)
            case "read back":
                name = f"note{number % 2}.txt"
                text = shared.work.get(name)
                self._read(f"file work/{name}", text, text)
                return (x + (5 if text is None else len(text))) % MODULUS
            case "source":
                return (x + self._constant(statement.source)) % MODULUS
            case "branch":
                assert statement.inner is not None
                return self._statement(statement.inner, x) if x % 2 else x
            case "parameter":
                return (x * 2 + self._arguments["q"]) % MODULUS
            case "global":
                return (x * 2 + self._arguments["g"]) % MODULUS
        return x

    def _read(self, name: str, needed: object, known: object) -> None:
        for frame in self._stack:
            frame.read(name, needed, known)

    def _write(self, name: str, text: str, verb: str) -> None:
        work = self._shared.work
        if verb == "append":
            self._read(f"file work/{name}", work.get(name), work.get(name))
            text = work.get(name, "") + text
        work[name] = text
        for frame in self._stack:
            frame.wrote.add(f"file work/{name}")

    def _call_step(self, step: Step, x: int, handed: Use | None = None) -> int:
        inputs: dict[str, object] = {"x": x}
        code = self._code_of((step.name,))
        if handed is not None:
            more = self._code_of((handed.ref, "Holder") if step.takes == "h" else (handed.ref,))
            inputs[step.takes] = (handed.ref, {**more.needs, handed.ref: self._as_value(handed.ref)})
            code = Code(code.needs, {**code.knows, "handed": more.knows}, {**code.reads, **more.reads})

        def body() -> int:
            start = x
            if handed is not None:
                more = self.value(self.project.helpers[handed.ref], x)
                start = (x + (more + self.project.holder if step.takes == "h" else more) % MODULUS) % MODULUS
            return self._body(step.body, start)

        return self._call(step.name, code, {"inputs": inputs}, body)

    def _as_value(self, name: str) -> object:
        """What must count of a helper's own definition where the helper is an argument."""
        helper, plain = self.project.helpers[name], self.rendered.plain[name]
        source = source_of(helper)
        if kind_of(self.project, helper) not in HOLDING or source.kind == "literal":
            return plain
        _, _, definition = plain.partition("    return v\n\n")
        return definition.replace(f"{name}_const()", str(held(self.project, source)[1]))

    def _nested(self, statement: Statement, x: int) -> int:
        number, use = statement.number, statement.use
        outer = self._stack[-1].path.rpartition("/")[2].partition("#")[0]
        code = self._code_of((use.ref,) if use.ref else (), (outer, f"n{number}", number, use))

        def body() -> int:
            more = self._ask(use, x % 4) if use.ref else 0
            return (x % 4 * 3 + number % 7 + x % 2 + more) % MODULUS

        return self._call(f"n{number}", code, {"inputs": {"y": x % 4}, "closure": {"w": x % 2}}, body)

    # Helpers

    def _ask(self, use: Use, x: int) -> int:
        return self.value(self.project.helpers[use.ref], x)

    def value(self, helper: Helper, x: int) -> int:
        """What the helper gives for ``x``."""
        if helper.kind == "step":
            code = self._code_of((helper.name,))
            return self._call(helper.name, code, {"inputs": {"x": x}}, lambda: self._value(helper, x))
        return self._value(helper, x)

    def _value(self, helper: Helper, x: int) -> int:
        kind = kind_of(self.project, helper)
        uses = helper.uses
        total = x * 3
        if kind == "subclass":
            assert base_of(self.project, helper)
            total += self._ask(uses[0], x + 1)
            uses = uses[1:]
        constant = 0 if kind == "decorated" else self._constant(source_of(helper), helper.constant)
        total += sum(self._ask(use, 2 if kind == "helpers at import" else x + 1) for use in uses)
        if kind == "decorated":
            constant = self._constant(source_of(helper), helper.constant)
        return (total + constant) % MODULUS

    def _constant(self, source: Source, literal: int = 0) -> int:
        frame = self._stack[-1]
        if source.kind == "literal":
            return literal
        if source.kind == "draw":
            return self._draw(frame, source)
        known, value = held(self.project, source)
        if is_presence_only(source):
            self._read(f"{source.kind} {source.name} set", known is None, known)
        else:
            self._read(f"{source.kind} {source.name}", known, known)
        return value

    def _draw(self, frame: Frame, source: Source) -> int:
        library = ("random", "numpy.random")[source.how % 4 % 2]
        place = (self.project.seed, frame.process, frame.step, frame.call)
        self._read(f"seed {frame.step}#{frame.call}", place, place)
        if library not in frame.generators:
            seed = derive_seed(*place, purpose=library, bits=32)
            made: object = random.Random(seed) if library == "random" else numpy.random.RandomState(seed)
            frame.generators[library] = made
        generator = frame.generators[library]
        if isinstance(generator, random.Random):
            return generator.randrange(1000) if source.how % 4 == 0 else int(generator.random() * 1000)
        assert isinstance(generator, numpy.random.RandomState)
        return int(generator.randint(1000)) if source.how % 4 == 1 else int(generator.rand() * 1000)


def _reached_by(body: list[Statement]) -> Iterator[str]:
    for statement in statements(body):
        if statement.use.ref:
            yield statement.use.ref
        if statement.verb == "hold":
            yield "Holder"


def fold(calls: list[tuple[str, int, int | None]]) -> dict[str, dict[int, int]]:
    """Series by metric: a call without a step takes one more than the largest so far."""
    found: dict[str, dict[int, int]] = {}
    for name, value, step in calls:
        series = found.setdefault(name, {})
        series[max([0, *series]) + 1 if step is None else step] = value
    return found
