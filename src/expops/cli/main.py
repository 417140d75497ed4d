"""The command line: finds the command, runs it, and turns errors into messages and exit codes.

Exit codes: 0 done, 1 a process failed, 2 bad usage or configuration, 3 a check found a difference, 130 interrupted.
"""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from .. import __version__
from ..errors import ConfigError, ExpopsError, StorageError, UsageError

if TYPE_CHECKING:
    import argparse

    from .parsing import Parser

INTERRUPTED: Final = 130
_GC_THRESHOLD: Final = 100_000
_BROKEN_PIPE: Final = 141  # what a shell says of a program that SIGPIPE ended

# Name -> (module, what it does). Only the module of the command that is given is imported.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "create": ("create_command", "make a new project from a template"),
    "run": ("run", "run a project; what has not changed comes from the cache"),
    "status": ("status", "say what a run would do, and why, without doing it"),
    "explain": ("explain", "say why a process or step would run, or where its result came from"),
    "accept": ("accept", "keep the results of code that was changed without changing what it does"),
    "runs": ("runs", "list the runs of a project"),
    "show": ("show", "show one run: actions, metrics, artifacts, settings"),
    "diff": ("diff", "compare two runs: results, causes, metrics, settings"),
    "verify": ("verify", "execute recorded results again, under varied conditions, and compare"),
    "reproduce": ("reproduce", "do a recorded run again, and compare"),
    "export": ("export", "write a run as JSON, an RO-Crate, or to MLflow"),
    "cache": ("cache", "look into the cache, or clear it"),
}

EXAMPLES: Final = """\
  expops create my-project        # a first project, ready to run
  expops run my-project           # runs it; the second time, all is cached
  expops status                   # inside a project: what a run would do, and why
  expops run --set train.lr=0.2   # the same run with another parameter
  expops diff last~1 last         # what came out differently
"""


class Command(Protocol):
    """What the module of a command has."""

    def parser(self) -> Parser:
        """The command's arguments and help."""

    def execute(self, args: argparse.Namespace) -> int:
        """Do it; gives the exit code."""


def run_command_line(argv: list[str]) -> int:
    """Run ``expops`` with these arguments; gives the exit code."""
    # A command makes many records and next to no cycles: looking for some costs more than all that it would free.
    gc.set_threshold(_GC_THRESHOLD)
    _never_fail_to_print()
    try:
        return _guarded(argv)
    finally:
        gc.freeze()  # nor are they worth a look as the interpreter ends


def _guarded(argv: list[str]) -> int:
    as_json = "--json" in argv
    try:
        code = _dispatch(argv)
        sys.stdout.flush()
    except UsageError as error:
        return _refuse(error, 2, as_json)
    except StorageError as error:
        return _refuse(error, 1, as_json)
    except KeyboardInterrupt:
        print("expops: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        from .text import let_go_of_stdout  # a rare end

        let_go_of_stdout()
        return _BROKEN_PIPE
    return code


def help_text() -> str:
    """What ``expops --help`` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return (
        "usage: expops COMMAND [options]\n\n"
        "Runs machine-learning experiments as pipelines and never does the same work twice.\n\n"
        "commands:\n" + "\n".join(lines) + "\n\n"
        "examples:\n" + EXAMPLES + "\n"
        "`expops COMMAND --help` says more. A project is looked for in the current folder and above it.\n"
    )


def load_command(name: str) -> Command:
    """The module of a command. Raises :class:`UsageError` for one that does not exist."""
    from importlib import import_module  # the names of modules are data here

    if name not in COMMANDS:
        from ..pipeline.nearest import advice  # for a message

        kind = "option" if name.startswith("-") else "command"
        raise UsageError(f"there is no {kind} '{name}'; {advice(name, COMMANDS, 'the commands are')}")
    module: Command = import_module(f".{COMMANDS[name][0]}", __package__)
    return module


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(help_text(), end="")
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"expops {__version__}")
        return 0
    command = load_command(argv[0])
    try:
        args = command.parser().parse(argv[1:])
    except SystemExit:
        # Only --help ends the parser like that.
        return 0
    args.argv = argv
    return command.execute(args)


def _refuse(error: ExpopsError, code: int, as_json: bool) -> int:
    if isinstance(error, ConfigError):
        for problem in error.problems:
            print(problem, file=sys.stderr)
        count = len(error.problems)
        told = f"{count} problem{'s' if count != 1 else ''} in the configuration"
    else:
        told = str(error)
    print(f"expops: error: {told}", file=sys.stderr)
    if as_json:
        from .documents import error_document, write_json  # not for people

        write_json(error_document(error), sys.stdout)
        sys.stdout.flush()
    return code


def _never_fail_to_print() -> None:
    """Names and reasons may hold what the terminal's encoding can't say."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
