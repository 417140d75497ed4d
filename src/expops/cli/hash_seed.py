"""Python's hash seed in a run without workers: theirs is fixed, and with it the order in which sets are iterated."""

from __future__ import annotations

import os
import sys
from typing import Final, NoReturn

VARIABLE: Final = "PYTHONHASHSEED"
FIXED: Final = "0"
WARNING: Final = (
    "with --jobs 0 under a debugger, sets are iterated in an order of their own in each run, and results may depend on "
    f"it; set {VARIABLE}={FIXED} before you start it"
)


def fix() -> str:
    """Start this program anew with the workers' hash seed, unless it has it; gives a warning where that can't be.

    The seed is read once, as the interpreter starts. A debugger, or a program that calls the command line, would be
    lost by a new start.
    """
    if os.environ.get(VARIABLE) == FIXED:
        return ""
    if _is_program() and not _is_debugged():
        _start_anew()
    return WARNING


def _start_anew() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, VARIABLE: FIXED})


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
