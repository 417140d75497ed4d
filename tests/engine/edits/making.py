"""Random projects, and random parts of them. Small numbers, so that a failure shrinks to a small project."""

from __future__ import annotations

from hypothesis import strategies as st

from .kinds import EFFECTFUL, KINDS
from .model import FILES, FOLDERS, MODULES, VARIABLES, Helper, Process, Project, Source, Statement, Step, Use
from .render import USES

Draw = st.DrawFn
NUMBERS = st.integers(0, 9)
_WAYS = st.integers(0, 11)
# Effects at import reach far, so that little can be said of what must stay cached: they are rare.
_KINDS = st.sampled_from([*(kind for kind in KINDS if kind not in EFFECTFUL), "step", "step", "step"])
_EFFECTFUL = st.sampled_from(sorted(EFFECTFUL))
_USES = st.integers(0, len(USES) - 1)
_SOURCES = st.one_of(
    st.builds(Source, st.just("file"), st.sampled_from(FILES), _WAYS),
    st.builds(Source, st.just("env"), st.sampled_from(VARIABLES), _WAYS),
    st.builds(Source, st.just("folder"), st.sampled_from(FOLDERS), _WAYS),
    st.builds(Source, st.just("draw"), st.just(""), _WAYS),
)
_LITERAL = Source()


@st.composite
def kinds(draw: Draw) -> str:
    return draw(_EFFECTFUL) if draw(st.integers(0, 19)) == 19 else draw(_KINDS)


@st.composite
def sources(draw: Draw) -> Source:
    """Where a helper's constant comes from: mostly its text."""
    return draw(_SOURCES) if draw(st.integers(0, 2)) == 2 else _LITERAL


@st.composite
def uses(draw: Draw, project: Project, module: str, before: str = "") -> Use:
    """A use of a helper that ``module`` may import and that was made before the helper ``before``."""
    names = []
    for helper in project.helpers.values():
        if helper.name == before:
            break
        if MODULES.index(helper.module) <= MODULES.index(module):
            names.append(helper.name)
    if not names:
        return Use("")
    return Use(draw(st.sampled_from(names[::-1])), draw(_USES), draw(_WAYS))


@st.composite
def helpers(draw: Draw, project: Project, name: str) -> Helper:
    """A helper that may be added to the project."""
    helper = Helper(name, draw(st.sampled_from(MODULES[:-1])), draw(kinds()), draw(NUMBERS), draw(sources()))
    for _ in range(draw(st.integers(0, 2))):
        use = draw(uses(project, helper.module))
        if use.ref:
            helper.uses.append(use)
    return helper


_VERBS = ("use", "add", "use", "source", "step", "step", "loop", "hand", "hold", "nested", "metric", "print", "write")
_VERBS += ("append", "read back", "branch", "source", "source")
_INNER = ("use", "source", "add", "step")


@st.composite
def body_statements(
    draw: Draw, project: Project, module: str, steps: tuple[str, ...], verbs: tuple[str, ...] = _VERBS
) -> Statement:
    """A statement of a body in ``module`` that may call ``steps``."""
    verb = draw(st.sampled_from(verbs))
    wanted = {"step": "x", "loop": "x", "hand": "f", "hold": "h"}.get(verb)
    if wanted:
        able = [name for name in steps if project.steps[name].takes == wanted]
        if not able:
            return Statement("add", draw(NUMBERS))
        call = Use(draw(st.sampled_from(able)), 0, draw(_WAYS))
        handed = draw(uses(project, module)) if wanted != "x" else None
        if handed is not None and not handed.ref:
            return Statement("add", draw(NUMBERS))
        return Statement(verb, draw(NUMBERS), call, inner=Statement("use", use=handed) if handed else None)
    if verb == "use":
        use = draw(uses(project, module))
        return Statement(verb, use=use) if use.ref else Statement("add", draw(NUMBERS))
    if verb == "source":
        return Statement(verb, source=draw(_SOURCES))
    if verb == "nested":
        project.made += 1
        return Statement(verb, project.made, draw(uses(project, module)))
    if verb == "branch":
        return Statement(verb, inner=draw(body_statements(project, module, steps, _INNER)))
    return Statement(verb, draw(NUMBERS))


def callable_steps(project: Project, module: str, before: str = "") -> tuple[str, ...]:
    """Steps that a body in ``module`` may call: for a step those that were made before it."""
    found = []
    for step in project.steps.values():
        if step.name == before:
            break
        if MODULES.index(step.module) <= MODULES.index(module):
            found.append(step.name)
    return tuple(found)


def statement_for(project: Project, name: str) -> st.SearchStrategy[Statement]:
    """A statement for the step or process of that name."""
    if name in project.steps:
        module = project.steps[name].module
        return body_statements(project, module, callable_steps(project, module, name))
    extra = ("parameter", "step", "step", "step", "hand", "hold", "nested")
    extra += ("global",) if project.processes[name].takes_global else ()
    return body_statements(project, "model", callable_steps(project, "model"), (*_VERBS, *extra))


@st.composite
def projects(draw: Draw) -> Project:
    """A project of one to five processes."""
    files: dict[str, int | None] = {name: draw(NUMBERS) for name in FILES}
    folders = {name: set(draw(st.sets(st.integers(0, 4), max_size=2))) for name in FOLDERS}
    project = Project({}, {}, {}, files, folders, dict.fromkeys(VARIABLES))
    for index in range(draw(st.integers(1, 8))):
        project.helpers[f"c{index}"] = draw(helpers(project, f"c{index}"))
    for index in range(draw(st.integers(1, 4))):
        module = draw(st.sampled_from(("model", "lib1", "pk.mb")))
        project.steps[f"s{index}"] = Step(f"s{index}", module, draw(st.sampled_from("xfhx")), [])
        add_statements(draw, project, f"s{index}")
    for index in range(draw(st.integers(1, 5))):
        add_process(draw, project, f"p{index}")
    return project


def add_process(draw: Draw, project: Project, name: str) -> None:
    """Put a process below some of those that there are."""
    others = sorted(project.processes)
    takes = draw(st.dictionaries(st.sampled_from(others), st.sampled_from("ab"), max_size=2)) if others else {}
    above = draw(st.sets(st.sampled_from(others), max_size=1)) if others else set()
    given = draw(st.none() | NUMBERS)
    taken, big = draw(st.booleans()), draw(st.booleans())
    project.processes[name] = Process(name, takes, above, draw(NUMBERS), given, taken, big, [])
    add_statements(draw, project, name)


def add_statements(draw: Draw, project: Project, name: str) -> None:
    """Fill the body of a new step or process."""
    owner = project.steps.get(name) or project.processes[name]
    for _ in range(draw(st.integers(1, 4))):
        owner.body.append(draw(statement_for(project, name)))
