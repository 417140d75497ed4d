"""Where arguments come from, at plan time and as far as the source tells before."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from expops.errors import ProcessError
from expops.hashing.code import FunctionFacts, Parameter, ProjectCode
from expops.pipeline.binding import Binding, Takes, bind, check_code, takes
from expops.pipeline.config import ProcessConfig
from expops.pipeline.graph import Graph


def process(**parameters: object) -> ProcessConfig:
    return ProcessConfig("train", 7, "src/main.py", "fit", parameters, "", "", True, {})


def facts(*parameters: Parameter) -> FunctionFacts:
    return FunctionFacts("fit", 1, parameters, ("expops.process",), None, None)


def named(*required: str, optional: tuple[str, ...] = (), everything: str = "") -> Takes:
    return Takes("named", required, optional, everything)


DICTS = Takes("data_hyperparameters", ("data", "hyperparameters"), (), "")


def test_takes() -> None:
    x, y = Parameter("x", "positional", False), Parameter("y", "positional", True)
    z, rest, more = Parameter("z", "keyword", False), Parameter("r", "varkw", False), Parameter("a", "varargs", False)
    data, hyper = Parameter("data", "positional", False), Parameter("hyperparameters", "positional", False)
    assert takes(facts(x, y, more, z, rest)) == Takes("named", ("x", "z"), ("y",), "r")
    assert takes(facts()) == Takes("named", (), (), "")
    assert takes(facts(data, hyper)).style == "data_hyperparameters"
    assert takes(facts(data)).style == "named"
    assert takes(facts(data, hyper, x)).style == "named"
    assert takes(facts(data, hyper, rest)).style == "named"


UPSTREAM = {"load": ("X", "y"), "split": ("X_test",)}


@pytest.mark.parametrize(
    ("own", "signature", "shared", "outputs", "parameters", "defaults"),
    [
        # outputs by name, and only those that are named
        ({}, named("X"), {}, {"X": ("load", "X")}, {}, ()),
        ({}, named("X_test", "y"), {}, {"X_test": ("split", "X_test"), "y": ("load", "y")}, {}, ()),
        ({}, named(), {}, {}, {}, ()),
        # own parameters override global ones; global ones may go unused
        ({"lr": 1}, named("lr"), {"lr": 2, "n": 3}, {}, {"lr": 1}, ()),
        ({}, named("lr"), {"lr": 2, "n": 3}, {}, {"lr": 2}, ()),
        # defaults
        ({}, named(optional=("lr", "X")), {}, {"X": ("load", "X")}, {}, ("lr",)),
        ({"lr": None}, named(optional=("lr",)), {}, {}, {"lr": None}, ()),
        # **kwargs: all outputs and own parameters, no global ones unless named
        (
            {"lr": 1},
            named("X", "g", everything="r"),
            {"g": 2, "h": 3},
            {"X": ("load", "X"), "y": ("load", "y"), "X_test": ("split", "X_test")},
            {"lr": 1, "g": 2},
            (),
        ),
        # (data, hyperparameters): everything in two dicts
        (
            {"lr": 1},
            DICTS,
            {"lr": 2, "h": 3, "X": 4},
            {"load/X": ("load", "X"), "load/y": ("load", "y"), "split/X_test": ("split", "X_test")},
            {"lr": 1, "h": 3, "X": 4},
            (),
        ),
    ],
)
def test_bind(
    own: dict[str, object],
    signature: Takes,
    shared: dict[str, object],
    outputs: dict[str, tuple[str, str]],
    parameters: dict[str, object],
    defaults: tuple[str, ...],
) -> None:
    assert bind(process(**own), signature, UPSTREAM, shared) == Binding(signature.style, outputs, parameters, defaults)


CLASH = {"a": ("x", "y"), "b": ("x",)}


@pytest.mark.parametrize(
    ("own", "signature", "upstream", "shared", "message"),
    [
        (
            {},
            named("X_tset"),
            UPSTREAM,
            {},
            "nothing provides 'X_tset', which function 'fit' takes; did you mean 'X_test'?",
        ),
        (
            {},
            named("zzz"),
            {},
            {},
            "nothing provides 'zzz', which function 'fit' takes; return it from an upstream "
            "process, set it under 'parameters', or give it a default",
        ),
        ({"lrr": 1}, named(optional=("lr",)), {}, {}, "function 'fit' takes no parameter 'lrr'; did you mean 'lr'?"),
        ({"lr": 1}, named(), {}, {}, "function 'fit' takes no parameter 'lr'; it takes: none"),
        ({}, named("x"), CLASH, {}, "'x' is an output of 'a' and 'b'; rename it in one of them"),
        ({}, named(optional=("x",)), CLASH, {}, "'x' is an output of 'a' and 'b'; rename it in one of them"),
        ({}, named(everything="r"), CLASH, {}, "'x' is an output of 'a' and 'b'; rename it in one of them"),
        (
            {"y": 1},
            named("y"),
            CLASH,
            {},
            "'y' is an output of 'a' and a parameter of the process; rename one of the two",
        ),
        (
            {"y": 1},
            named(everything="r"),
            {"a": ("y",)},
            {},
            "'y' is an output of 'a' and a parameter of the process; rename one of the two",
        ),
        ({}, named("y"), CLASH, {"y": 1}, "'y' is an output of 'a' and a global parameter; rename one of the two"),
    ],
)
def test_what_can_not_be_bound(
    own: dict[str, object],
    signature: Takes,
    upstream: Mapping[str, tuple[str, ...]],
    shared: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(ProcessError) as caught:
        bind(process(**own), signature, upstream, shared)
    assert str(caught.value) == f"process 'train': {message}"


def test_a_clash_of_what_is_not_taken_is_none() -> None:
    binding = bind(process(), named("y"), CLASH, {"x": 1})
    assert binding.outputs == {"y": ("a", "y")}
    assert bind(process(), named(everything="r"), {"a": ("y",)}, {"y": 1}).outputs == {"y": ("a", "y")}


def test_all_faults_at_once() -> None:
    with pytest.raises(ProcessError) as caught:
        bind(process(n=1), named("x", "zzz"), CLASH, {})
    assert len(str(caught.value).splitlines()) == 3


CONFIG = """\
scripts: {main: src/main.py, other: src/other.py}
experiment:
  parameters: {seed_count: 3}
  pipeline:
    process_adjlist: |
      load train
    processes:
      - name: load
      - name: train
"""
GOOD = """\
from expops.core import process

@process()
def load():
    return {"X": 1, "y": 2}

@process
def train(X, seed_count, depth=3):
    return {"model": X}
"""


@pytest.fixture
def check(workshop):
    def run(code: str, text: str = CONFIG) -> list[str]:
        (workshop.project / "src/main.py").write_text(code)
        config = workshop.load(text)
        graph = Graph([process.name for process in config.processes], config.edges)
        root = str(workshop.project)
        found = check_code(config, graph, ProjectCode(root, import_roots=(f"{root}/src",)))
        return [str(problem) for problem in found]

    return run


AT = "configs/project_config.yaml:{line}: experiment.pipeline.processes.{name}: "
LOAD, TRAIN = AT.format(line=8, name="load"), AT.format(line=9, name="train")


def test_good_code(check) -> None:
    assert check(GOOD) == []
    assert check(GOOD.replace("from expops.core import process", "from expops import process")) == []
    assert check("import expops as e\n" + GOOD.replace("from expops.core import process", "process = e.process")) == []


def test_no_such_function(check) -> None:
    assert check(GOOD.replace("def train", "def trian")) == [
        f"{TRAIN}no function 'train' in src/main.py; did you mean 'trian'?"
    ]


def test_a_function_that_is_not_a_process(check) -> None:
    told = "a function that is not a process; write @process() above it (from expops.core import process)"
    assert check(GOOD.replace("@process()\n", "")) == [f"src/main.py:3: load: {told}"]
    [problem] = check(GOOD.replace("@process()\n", "@step()\n").replace("process\n", "process, step\n", 1))
    assert problem.endswith(f" load: {told}")
    [problem] = check("import functools\n" + GOOD.replace("@process()\n", "@functools.cache\n"))
    assert problem.endswith(f" load: {told}")


def test_a_decorator_of_the_project_could_be_the_process(check) -> None:
    assert check("from lib import my_process\n" + GOOD.replace("@process()\n", "@my_process\n")) == []


def test_no_dict(check) -> None:
    [problem] = check(GOOD.replace('return {"model": X}', "return [X]"))
    assert problem.startswith("src/main.py:")
    assert problem.endswith(
        "train: a process that returns no dict; return its outputs by name: return {'model': model}"
    )


def test_syntax_error_once_for_its_file(check) -> None:
    [problem] = check("\ndef load(:\n    pass\n")
    assert problem.startswith("src/main.py:2: ")


def test_script_gone(check, workshop) -> None:
    text = CONFIG.replace("- name: train", "- name: train\n        code: other.train")
    config = workshop.load(text)
    (workshop.project / "src/main.py").write_text(GOOD)
    (workshop.project / "src/other.py").unlink()
    graph = Graph(["load", "train"], config.edges)
    [problem] = check_code(config, graph, ProjectCode(str(workshop.project), import_roots=()))
    assert (problem.line, problem.key) == (9, "experiment.pipeline.processes.train")
    assert "src/other.py" in problem.message


def test_a_parameter_that_nothing_provides(check) -> None:
    assert check(GOOD.replace("train(X,", "train(Z, X,")) == [
        f"{TRAIN}nothing provides 'Z', which function 'train' takes; return it from an upstream process, set it under "
        "'parameters', or give it a default"
    ]
    [problem] = check(GOOD.replace("seed_count,", "seed_cuont,"))
    assert problem.endswith("takes; did you mean 'seed_count'?")


def test_a_missing_edge_is_pointed_out(check) -> None:
    assert check(GOOD, CONFIG.replace("load train", "# none")) == [
        f"{TRAIN}nothing provides 'X', which function 'train' takes; process 'load' returns it: add 'load train' to "
        "process_adjlist"
    ]


def test_outputs_that_the_source_does_not_tell_may_be_anything(check) -> None:
    unknown = GOOD.replace('return {"X": 1, "y": 2}', "return make()\n\ndef make():\n    return {'Z': 1}")
    assert check(unknown.replace("train(X,", "train(Z,").replace('{"model": X}', '{"model": Z}')) == []


def test_clashes(check) -> None:
    text = CONFIG.replace("- name: train", "- name: train\n        parameters: {X: 1, dept: 2}")
    assert check(GOOD, text) == [
        f"{TRAIN}'X' is an output of 'load' and a parameter of the process; rename one of the two",
        f"{TRAIN}function 'train' takes no parameter 'dept'; did you mean 'depth'?",
    ]
    two = CONFIG.replace("load train", "load train\n      again train").replace(
        "- name: train", "- name: again\n        code: main.load\n      - name: train"
    )
    [problem] = check(GOOD, two)
    assert problem.endswith("'X' is an output of 'load' and 'again'; rename it in one of them")


def test_everything_at_once(check) -> None:
    code = GOOD.replace("@process()\n", "").replace("def train", "def trian")
    assert len(check(code)) == 2
