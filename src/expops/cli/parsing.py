"""What all commands share of the command line: the parser, the common options, the types of values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import NoReturn

from ..errors import UnknownName, UsageError
from ..pipeline.nearest import advice, nearest

_SEED_BITS = 128


class Parser(argparse.ArgumentParser):
    """A parser whose errors are :class:`UsageError`, with the nearest option where one is unknown."""

    def __init__(self, name: str, usage: str, summary: str, examples: str) -> None:
        super().__init__(
            prog=f"expops {name}",
            usage=f"expops {name} {usage}".rstrip(),
            description=summary,
            epilog="examples:\n" + examples,
            formatter_class=_Unsized,
            allow_abbrev=False,
        )

    def format_help(self) -> str:
        """The help, as wide as the terminal."""
        self.formatter_class = _Formatter
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments."""
        raise UsageError(f"{message} (`{self.prog} --help` says more)")

    def parse(self, argv: list[str]) -> argparse.Namespace:
        """The arguments. Raises :class:`UsageError` for what they can't be."""
        args, rest = self.parse_known_args(argv)
        if not rest:
            return args
        first = rest[0].partition("=")[0]
        if not first.startswith("-"):
            raise UsageError(f"there is no place for the argument '{rest[0]}' (`{self.prog} --help` says more)")
        known = nearest(first, [option for option in self._option_string_actions if len(option) > 2])
        told = f"did you mean {known}?" if known else f"`{self.prog} --help` lists them"
        raise UsageError(f"{self.prog} has no option {first}; {told}")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help that reads the same in every version of Python: ``-p, --project DIR``."""

    def __init__(self, prog: str, width: int | None = None) -> None:
        super().__init__(prog, max_help_position=32, width=width)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        names = ", ".join(action.option_strings)
        return names if action.nargs == 0 else f"{names} {self._format_args(action, action.dest.upper())}"


class _Unsized(_Formatter):
    """What arguments are checked with as they are added: to ask for the terminal's width, argparse imports a lot."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)


def add_project(parser: argparse.ArgumentParser, *, positional: bool) -> None:
    """The project as ``-p DIR``, and as an argument of its own where no other is expected."""
    where = "the project's folder, or one in it (default: the current folder)"
    if positional:
        parser.add_argument("folder", metavar="PROJECT", nargs="?", help=where)
    parser.add_argument("-p", "--project", metavar="DIR", help="the same, as an option" if positional else where)


def project_folder(args: argparse.Namespace) -> str:
    """The folder from which the project is looked for."""
    given = getattr(args, "folder", None)
    if given is not None and args.project is not None:
        raise UsageError(f"the project is given twice, as {given} and with --project {args.project}")
    folder: str = given or args.project or os.curdir
    return folder


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")


def add_variation(parser: argparse.ArgumentParser) -> None:
    """What varies a run: parameters, the seed, and what is not to come from the cache."""
    add_settings(parser)
    parser.add_argument(
        "--force",
        metavar="PROCESS[/STEP]",
        action="append",
        default=[],
        help="execute it although its result is known; may be repeated",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """What varies results: parameters and the seed."""
    parser.add_argument(
        "--set",
        metavar="PROCESS.PARAMETER=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="give a parameter another value, read as YAML; may be repeated",
    )
    parser.add_argument("--seed", metavar="N", type=seed, help="random seed in place of the configured one")


def add_only(parser: argparse.ArgumentParser) -> None:
    """``--only``."""
    parser.add_argument(
        "--only",
        metavar="PROCESS",
        action="append",
        default=[],
        help="only this process and what it needs; may be repeated",
    )


def seed(text: str) -> int:
    """A seed, of as many bits as a configuration may have."""
    value = _whole(text)
    if value is None or not 0 <= value < 1 << _SEED_BITS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to 2**{_SEED_BITS} - 1")
    return value


def seeds(text: str) -> list[int] | int:
    """Seeds with commas between them, or how many to take."""
    if "," not in text:
        value = _whole(text)
        if value is None or value < 1:
            raise argparse.ArgumentTypeError(f"'{text}' is neither a number of seeds nor seeds such as 1,2,3")
        return value
    found = [seed(part.strip()) for part in text.split(",") if part.strip()]
    if not found or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"'{text}' names no seed, or one twice; write seeds such as 1,2,3")
    return found


def count(text: str) -> int:
    """A number of things, 0 or more."""
    value = _whole(text)
    if value is None or value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 0 or more")
    return value


def not_negative(text: str) -> float:
    """A finite number of 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of 0 or more")
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    """One of some words."""

    def check(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"'{text}' is not known; {advice(text, choices, 'choose from')}")
        return text

    return check


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.lstrip("-").isdigit() and len(text) < 50 else None


def known_process(name: str, names: list[str]) -> str:
    """``name`` if it is a process. Raises :class:`UnknownName` with the nearest one."""
    if name not in names:
        raise UnknownName(f"there is no process '{name}'; {advice(name, names, 'the processes are')}")
    return name
