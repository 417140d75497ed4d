"""A run without workers, in this process: what is set before a worker starts must have been set before this one did."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final, NoReturn

_HASH_SEED: Final = "PYTHONHASHSEED"


def fix(environment: Mapping[str, str]) -> str:
    """Start this program anew with the environment of workers, unless it has it; gives a warning where that can't be.

    Most of it is read once, as the interpreter starts or as libraries are loaded. A debugger, or a program that calls
    the command line, would be lost by a new start.
    """
    missing = {name: value for name, value in environment.items() if os.environ.get(name) != value}
    if not missing:
        return ""
    if _is_program() and not _is_debugged():
        _start_anew(environment)
    return _warning(missing)


def _warning(missing: Mapping[str, str]) -> str:
    told = " ".join(f"{name}={value}" for name, value in missing.items())
    if set(missing) == {_HASH_SEED}:
        effect = "sets are iterated in an order of their own in each run, and results may depend on it"
    else:
        effect = "the numeric profile does not hold, and results may differ from those of workers"
    return f"with --jobs 0 under a debugger, {effect}; set {told} before you start it"


def _start_anew(environment: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], dict(environment))


def _is_debugged() -> bool:
    monitoring = getattr(sys, "monitoring", None)  # which debuggers use since Python 3.12
    return sys.gettrace() is not None or bool(monitoring and monitoring.get_tool(monitoring.DEBUGGER_ID))


def _is_program() -> bool:
    """Whether this interpreter was started to run the ``expops`` command, or ``python -m expops``, and nothing else."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return bool(spec.name == "expops.__main__")
    return os.path.basename(getattr(main, "__file__", "")) == "expops"
