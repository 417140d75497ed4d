"""Options of ``@step``, ``@process`` and the configuration that are refused, and in which words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import expops
from expops.errors import ConfigError
from sandbox import Sandbox, outcomes, reasons


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"ignore": "verbose"},
            "ignore must be a list of parameters, not the text 'verbose'; write ignore=['verbose']",
        ),
        ({"ignore": 3}, "ignore must be a list of parameters, such as ['verbose'], not 3"),
        ({"ignore": [3]}, "ignore must be a list of parameters, such as ['verbose'], not [3]"),
        ({"ignore": ["verbos"]}, "ignore names 'verbos', which is no parameter; did you mean 'verbose'?"),
        ({"ignore": ["zzz"]}, "ignore names 'zzz', which is no parameter; its parameters are: x, verbose"),
        ({"seed_by": "fold"}, "seed_by names 'fold', which is no parameter; its parameters are: x, verbose"),
        ({"seed_by": 1}, "seed_by must be the name of a parameter, not 1"),
        ({"seed_by": "x", "ignore": ["x"]}, "'x' is ignored, so the seed can't depend on it; take it out of ignore"),
        ({"version": 1.5}, "version must be a text or a whole number, not 1.5; write version='2'"),
        ({"version": True}, "version must be a text or a whole number, not True; write version='2'"),
        ({"version": ""}, "version must be a text or a whole number, not ''; write version='2'"),
        ({"cache": 1}, "cache must be True or False, not 1"),
        ({"cache": None}, "cache must be True or False, not None"),
        ({"cahce": False}, "@step has no option 'cahce'; did you mean 'cache'?"),
        ({"ttl": 3}, "@step has no option 'ttl'; it has: cache, version, ignore, seed_by"),
    ],
)
def test_options_that_a_step_refuses(options: dict[str, object], message: str) -> None:
    def s(x: int, verbose: int) -> int:
        return x

    with pytest.raises(TypeError) as caught:
        expops.step(**options)(s)  # type: ignore[call-overload]
    where = f"@step of '{s.__qualname__}' ({__file__}:{s.__code__.co_firstlineno}): "
    assert str(caught.value) == where + message


@pytest.mark.parametrize(
    ("decorator", "config", "problem"),
    [
        (
            "@process(version=VERSION)",
            {},
            "version of @process is computed, but a plan reads it without running your code; "
            "write a literal, or set it under the process in the configuration",
        ),
        (
            "@process(**{'cache': False})",
            {},
            "@process takes its options by name, which are cache, version, ignore; "
            "write a literal, or set it under the process in the configuration",
        ),
        ("@process(seed_by='lr')", {}, "src/model.py:4: p: @process has no option 'seed_by'; it is an option of @step"),
        (
            "@process(ignore='verbose')",
            {},
            "src/model.py:4: p: ignore must be a list of parameters, not the text 'verbose'; write ignore=['verbose']",
        ),
        (
            "@process(version=1.5)",
            {},
            "src/model.py:4: p: version must be a text or a whole number, not 1.5; write version='2'",
        ),
        (
            "@process(ignore=['verbos'])",
            {},
            "function 'p' takes no 'verbos' that could be ignored; did you mean 'verbose'?",
        ),
        ("@process", {"ignore": ["zz"]}, "function 'p' takes no 'zz' that could be ignored; it takes: lr, verbose"),
        ("@process", {"ignore": "verbose"}, "experiment.pipeline.processes.p.ignore: expected a list, found the text"),
        ("@process", {"version": True}, "experiment.pipeline.processes.p.version: expected text, found true"),
    ],
)
def test_options_that_a_process_refuses(tmp_path: Path, decorator: str, config: dict[str, Any], problem: str) -> None:
    project = Sandbox(tmp_path)
    project.write(
        "src/model.py",
        f"from expops import process\nVERSION = 1\n\n{decorator}\ndef p(lr, verbose):\n    return {{'y': lr}}\n",
    )
    project.configure([{"name": "p", "parameters": {"lr": 1, "verbose": 0}, **config}])
    with pytest.raises(ConfigError) as caught:
        project.run()
    (found,) = caught.value.problems
    assert problem in str(found)


def test_options_that_the_source_does_not_say_are_refused(tmp_path: Path) -> None:
    project = Sandbox(tmp_path)
    project.write("src/own.py", "import functools, expops\nprocess = functools.partial(expops.process)(cache=False)\n")
    project.write("src/model.py", "from own import process\n\n@process\ndef p():\n    return {'y': 1}\n")
    project.configure(["p"])
    result = project.run()
    assert outcomes(result) == {"p": "failed"}
    assert "the options of @process of 'p' in src/model.py are not what its source says" in result.actions[-1].error


def test_options_edited_after_the_plan_keep_nothing(tmp_path: Path) -> None:
    """The script is rewritten by a process that runs before it: what was planned is not what is loaded."""
    project = Sandbox(tmp_path)
    project.write("src/other.py", "from expops import process\n\n@process\ndef p(x):\n    return {'y': 1}\n")
    project.write(
        "src/model.py",
        """\
        from expops import process

        @process
        def a():
            path = __file__.replace("model.py", "other.py")
            with open(path) as file:
                text = file.read().replace("@process\\n", "@process(cache=False)\\n")
            with open(path, "w") as file:
                file.write(text)
            return {"x": 1}
        """,
    )
    document = os.path.join(tmp_path, "configs", "project_config.yaml")
    project.write(
        os.path.relpath(document, tmp_path),
        """\
        scripts: {main: src/model.py, other: src/other.py}
        experiment:
          pipeline:
            process_adjlist: a p
            processes: [{name: a}, {name: p, code: other.p}]
        """,
    )
    first = project.run()
    assert outcomes(first) == {"a": "executed", "p": "executed"}
    assert not next(action for action in first.actions if action.path == "p").stored
    assert reasons(project.run())["p"] in ("caching is off for it", "never ran before")
