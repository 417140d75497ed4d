"""Which argument of a process comes from where: an upstream output, a parameter, or its default.

One matching serves both :func:`bind`, when the upstream outputs are known, and :func:`check_code`, which asks
of the source, before anything runs, what can be said for certain. Nothing is imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import Problem, ProcessError, SourceError
from .caching import of_source
from .config import Config, ProcessConfig
from .graph import Graph
from .nearest import advice, nearest

if TYPE_CHECKING:
    from ..hashing.code import FunctionFacts, ProjectCode

NAMED: Final = "named"
DATA_HYPERPARAMETERS: Final = "data_hyperparameters"
PROCESS_DECORATORS: Final = frozenset({"expops.process", "expops.core.process", "expops.pipeline.decorators.process"})


class Takes(NamedTuple):
    """What a function takes.

    ``style`` is ``"named"``, or ``"data_hyperparameters"`` for a function of exactly ``(data,
    hyperparameters)``, which gets two dicts. ``required`` and ``optional`` are the named parameters without
    and with a default; ``everything`` is the name of the ``**kwargs`` that takes the rest, or ``""``.
    """

    style: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    everything: str


class Binding(NamedTuple):
    """Where the arguments of a process come from.

    ``outputs`` maps an argument to (upstream process, output), ``parameters`` an argument to its value, and
    ``defaults`` are the arguments that are left to their default. In the style ``"data_hyperparameters"``
    ``parameters`` is what the dict ``hyperparameters`` holds, and ``outputs`` is keyed ``process/output``: the dict
    ``data`` holds a dict of outputs for each upstream process.
    """

    style: str
    outputs: dict[str, tuple[str, str]]
    parameters: dict[str, object]
    defaults: tuple[str, ...]


def takes(function: FunctionFacts) -> Takes:
    """What ``function`` takes, from its signature."""
    named = [one for one in function.parameters if one.kind in ("positional", "keyword")]
    everything = next((one.name for one in function.parameters if one.kind == "varkw"), "")
    names = tuple(one.name for one in function.parameters)
    style = DATA_HYPERPARAMETERS if names == ("data", "hyperparameters") else NAMED
    required = tuple(one.name for one in named if not one.has_default)
    optional = tuple(one.name for one in named if one.has_default)
    return Takes(style, required, optional, everything)


def bind(
    process: ProcessConfig,
    takes: Takes,
    upstream: Mapping[str, Collection[str]],
    parameters: Mapping[str, object],
) -> Binding:
    """Bind the arguments of ``process``.

    ``upstream`` maps each direct upstream process to the names of its outputs, and ``parameters`` are the
    global ones, which those of the process override. Raises :class:`ProcessError`, naming everything that
    nothing provides, that two provide, or that the function does not take.
    """
    match = _Match(process, takes, upstream, parameters)
    faults = [*match.clashes, *match.surplus, *(match.missing_message(name) for name in match.missing)]
    if faults:
        raise ProcessError("\n".join(f"process '{process.name}': {fault}" for fault in faults))
    return match.binding


def without(binding: Binding, takes: Takes, ignored: Collection[str]) -> Binding:
    """The part of ``binding`` that counts where arguments of these names are ignored.

    A name is that of a parameter (``**kwargs``, ``data`` and ``hyperparameters`` stand for all that they take), or that
    of an output or parameter among those that they take.
    """
    if not ignored:
        return binding
    named = (*takes.required, *takes.optional)

    def counts(argument: str, name: str, whole: str) -> bool:
        return name not in ignored and not (whole in ignored and (whole != takes.everything or argument not in named))

    is_dicts = binding.style == DATA_HYPERPARAMETERS
    outputs, parameters = ("data", "hyperparameters") if is_dicts else (takes.everything, takes.everything)
    return binding._replace(
        outputs={item: source for item, source in binding.outputs.items() if counts(item, source[1], outputs)},
        parameters={item: value for item, value in binding.parameters.items() if counts(item, item, parameters)},
    )


class _Match:
    """The binding, as far as there is one, and what stands in its way."""

    def __init__(
        self,
        process: ProcessConfig,
        takes: Takes,
        upstream: Mapping[str, Collection[str]],
        parameters: Mapping[str, object],
    ) -> None:
        self._process = process
        self._takes = takes
        self._globals = parameters
        self._providers: dict[str, list[str]] = {}
        for source, names in upstream.items():
            for name in names:
                self._providers.setdefault(name, []).append(source)
        self.clashes: list[str] = []
        self.surplus: list[str] = []
        self.missing: list[str] = []
        self.binding = Binding(takes.style, {}, {}, ())
        if takes.style == DATA_HYPERPARAMETERS:
            self._match_dicts()
        else:
            self._match_names()

    def _match_dicts(self) -> None:
        for name, sources in self._providers.items():
            for source in sources:
                self.binding.outputs[f"{source}/{name}"] = (source, name)
        self.binding.parameters.update({**self._globals, **self._process.parameters})

    def _match_names(self) -> None:
        named = (*self._takes.required, *self._takes.optional)
        defaults = [name for name in named if not self._take(name, with_globals=True)]
        self.missing = [name for name in defaults if name in self._takes.required]
        self.binding = self.binding._replace(defaults=tuple(n for n in defaults if n in self._takes.optional))
        rest = [name for name in (*self._providers, *self._process.parameters) if name not in named]
        for name in dict.fromkeys(rest):
            if self._takes.everything:
                self._take(name, with_globals=False)
            elif name in self._process.parameters:
                told = advice(name, named, "it takes")
                self.surplus.append(f"function '{self._process.function}' takes no parameter '{name}'; {told}")

    def _take(self, name: str, with_globals: bool) -> bool:
        """Take ``name`` from the one that provides it; false if nothing does."""
        sources = self._providers.get(name, [])
        own = name in self._process.parameters
        shared = with_globals and not own and name in self._globals
        if sources and (own or shared):
            kind = "a parameter of the process" if own else "a global parameter"
            self.clashes.append(f"'{name}' is an output of '{sources[0]}' and {kind}; rename one of the two")
        elif own or shared:
            self.binding.parameters[name] = (self._process.parameters if own else self._globals)[name]
        elif sources:
            self._take_output(name, sources)
        return bool(sources) or own or shared

    def _take_output(self, name: str, sources: list[str]) -> None:
        if len(sources) > 1:
            who = " and ".join(f"'{source}'" for source in sources)
            self.clashes.append(f"'{name}' is an output of {who}; rename it in one of them")
        self.binding.outputs[name] = (sources[0], name)

    def missing_message(self, name: str, returned_by: str | None = None) -> str:
        """What to say of an argument that nothing provides."""
        said = f"nothing provides '{name}', which function '{self._process.function}' takes"
        if returned_by is not None:
            edge = f"{returned_by} {self._process.name}"
            return f"{said}; process '{returned_by}' returns it: add '{edge}' to process_adjlist"
        known = [*self._providers, *self._process.parameters, *self._globals]
        near = nearest(name, known)
        if near is not None:
            return f"{said}; did you mean '{near}'?"
        return f"{said}; return it from an upstream process, set it under 'parameters', or give it a default"


def check_code(config: Config, graph: Graph, code: ProjectCode) -> list[Problem]:
    """All that the source says for certain against running ``config``: a pure function of the two.

    Problems point at the process in the configuration, or into the script where the fault is there.
    """
    problems: list[Problem] = []
    scripts: dict[str, dict[str, FunctionFacts]] = {}
    for script in dict.fromkeys(process.script for process in config.processes):
        first = next(process for process in config.processes if process.script == script)
        try:
            scripts[script] = code.functions(script)
        except SourceError as error:
            known = Problem(error.file, error.line, "", error.message)
            problems.append(known if error.line else _at(config, first, str(error)))
    facts: dict[str, FunctionFacts] = {}
    for process in config.processes:
        if process.script in scripts:
            problems.extend(_check_function(config, process, scripts[process.script], facts))
    problems.extend(_check_inputs(config, graph, facts))
    problems.extend(_check_ignored(config, graph, facts))
    return list(dict.fromkeys(problems))


def _at(config: Config, process: ProcessConfig, message: str) -> Problem:
    return Problem(config.path, process.line, f"experiment.pipeline.processes.{process.name}", message)


def _check_function(
    config: Config,
    process: ProcessConfig,
    functions: dict[str, FunctionFacts],
    facts: dict[str, FunctionFacts],
) -> list[Problem]:
    """Whether the function exists and is a process; if so, it is added to ``facts``."""
    function = functions.get(process.function)
    if function is None:
        told = advice(process.function, functions, "its functions are")
        return [_at(config, process, f"no function '{process.function}' in {process.script}; {told}")]
    facts[process.name] = function
    if _is_no_process(function):
        message = "a function that is not a process; write @process() above it (from expops.core import process)"
        return [Problem(process.script, function.line, function.name, message)]
    _, faults = of_source(function)
    if faults:
        return [Problem(process.script, line, function.name, message) for line, message in faults]
    if function.returns_dict is False:
        message = "a process that returns no dict; return its outputs by name: return {'model': model}"
        return [Problem(process.script, function.line, function.name, message)]
    return []


def _is_no_process(function: FunctionFacts) -> bool:
    """Whether none of its decorators can be ``@process``: one from elsewhere could be, under another name."""
    import sys

    for name in function.decorators:
        root = name.partition(".")[0]
        if name in PROCESS_DECORATORS or (root != "expops" and root not in sys.stdlib_module_names):
            return False
    return True


def _check_inputs(config: Config, graph: Graph, facts: Mapping[str, FunctionFacts]) -> list[Problem]:
    """What nothing provides, what two provide, and parameters that a function does not take."""
    outputs = {name: facts[name].returns if name in facts else None for name in graph.names}
    makers = {output: name for name in reversed(graph.names) for output in outputs[name] or ()}
    problems: list[Problem] = []
    for process in config.processes:
        if process.name not in facts or process.name not in outputs:
            continue
        near = {name: outputs[name] for name in graph.upstream(process.name)}
        known = {name: names for name, names in near.items() if names is not None}
        match = _Match(process, takes(facts[process.name]), known, config.parameters)
        faults = [*match.clashes, *match.surplus]
        if len(known) == len(near):
            faults += [match.missing_message(name, _maker(name, process, makers)) for name in match.missing]
        problems.extend(_at(config, process, fault) for fault in faults)
    return problems


def _check_ignored(config: Config, graph: Graph, facts: Mapping[str, FunctionFacts]) -> list[Problem]:
    """Names that are ignored and that the function does not take."""
    problems = []
    for process in config.processes:
        function = facts.get(process.name)
        if function is None:
            continue
        known = [one.name for one in function.parameters]
        taken = takes(function)
        if taken.everything or taken.style == DATA_HYPERPARAMETERS:
            near = [facts[name].returns if name in facts else None for name in graph.upstream(process.name)]
            if None in near:
                continue  # it may take anything
            known += [*process.parameters, *config.parameters, *(name for names in near for name in names or ())]
        in_code = of_source(function)[0].ignore
        for name in dict.fromkeys((*process.ignore, *in_code)):
            if name not in known:
                told = advice(name, known, "it takes")
                message = f"function '{process.function}' takes no '{name}' that could be ignored; {told}"
                in_config = _at(config, process, message)
                here = Problem(process.script, function.line, function.name, message)
                problems.append(in_config if name in process.ignore else here)
    return problems


def _maker(name: str, process: ProcessConfig, makers: Mapping[str, str]) -> str | None:
    maker = makers.get(name)
    return maker if maker != process.name else None
