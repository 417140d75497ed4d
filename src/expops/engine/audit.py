"""The audit of code fingerprints: while an action executes, note the code that runs, and compare.

A fingerprint is made by reading. What an action runs that its fingerprint doesn't follow could change without the
action being run again, so each such piece of code is told, and the action's result isn't kept.

What runs while a module of the project is imported is judged as a whole: importing the module must be something that
the fingerprint follows. The functions that the module calls meanwhile count through the names that it binds with them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import CodeType
from typing import Any, Final

from ..errors import UsageError
from ..hashing.code import CodeFingerprint, ProjectCode
from ..runs.model import Unfollowed

_TOOLS: Final = (3, 4, 5, 2, 1)  # identifiers that nobody has claimed first, then those that are seldom in use
_MODULE: Final = "<module>"


def check_available() -> None:
    """Raises :class:`~expops.errors.UsageError` where Python can't tell what it runs."""
    if not hasattr(sys, "monitoring"):
        version = ".".join(map(str, sys.version_info[:3]))
        raise UsageError(
            f"the code audit needs Python 3.12 or newer, and this is {version}; "
            "run it with a newer one: python3.12 -m expops run --audit-code"
        )


class Ran:
    """Code of the project that ran in one action, nested actions included. ``modules`` are files by their import."""

    def __init__(self) -> None:
        self.functions: dict[int, CodeType] = {}
        self.modules: dict[str, CodeType] = {}

    def add(self, other: Ran) -> None:
        """What a nested action ran, the one around it ran."""
        self.functions.update(other.functions)
        self.modules.update(other.modules)


class CodeAudit:
    """Notes what runs in this OS process, in whichever thread, while an action is under way."""

    def __init__(self, code: ProjectCode) -> None:
        self._code = code
        self._stack: list[Ran] = []
        self._files: dict[str, str | None] = {}
        self._imports = 0
        self._monitoring: Any = None
        self._tool = 0

    @contextmanager
    def action(self) -> Iterator[Ran]:
        """Around an action, which may be nested in another."""
        ran = Ran()
        self._stack.append(ran)
        if len(self._stack) == 1:
            self._start()
        else:
            self._monitoring.restart_events()  # what ran in the action around counts anew
        try:
            yield ran
        finally:
            self._stack.pop()
            if self._stack:
                self._stack[-1].add(ran)
            else:
                self._stop()

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Around the execution of a module of the project."""
        self._imports += 1
        try:
            yield
        finally:
            self._imports -= 1
            if not self._imports and self._stack:
                self._monitoring.restart_events()  # the same code may run again, called by the action

    def unfollowed(self, ran: Ran, codes: Iterable[CodeFingerprint]) -> tuple[Unfollowed, ...]:
        """What ran that none of ``codes`` follows: an action's own, and those of its inputs."""
        symbols: set[str] = set()
        modules: set[str] = set()
        for followed in codes:
            symbols.update(followed.symbols)
            modules.update(followed.modules)
        found = {
            Unfollowed(file, code.co_firstlineno, _MODULE) for file, code in ran.modules.items() if file not in modules
        }
        for code in ran.functions.values():
            file = self._file(code.co_filename)
            if file is not None and symbols.isdisjoint(self._code.symbols_of(file, code)):
                found.add(Unfollowed(file, code.co_firstlineno, code.co_qualname))
        return tuple(sorted(found))

    def _start(self) -> None:
        monitoring = self._monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        free = [tool for tool in _TOOLS if monitoring.get_tool(tool) is None]
        if not free:
            raise UsageError("the code audit finds no free tool of sys.monitoring; end other tools, such as coverage")
        self._tool = free[0]
        monitoring.use_tool_id(self._tool, "expops audit")
        # A generator that was begun by another action only resumes in this one.
        for event in (monitoring.events.PY_START, monitoring.events.PY_RESUME):
            monitoring.register_callback(self._tool, event, self._started)
        monitoring.set_events(self._tool, monitoring.events.PY_START | monitoring.events.PY_RESUME)
        monitoring.restart_events()

    def _stop(self) -> None:
        self._monitoring.set_events(self._tool, 0)
        self._monitoring.free_tool_id(self._tool)

    def _started(self, code: CodeType, offset: int) -> Any:
        file = self._file(code.co_filename)
        if file is not None and self._stack:
            if code.co_name == _MODULE:
                self._stack[-1].modules[file] = code
            elif not self._imports:
                self._stack[-1].functions[id(code)] = code
        return self._monitoring.DISABLE

    def _file(self, name: str) -> str | None:
        if name not in self._files:
            self._files[name] = self._code.source_file(name)
        return self._files[name]


def audited(audit: CodeAudit | None) -> AbstractContextManager[Ran | None]:
    """Around an action, with an audit or without."""
    return audit.action() if audit is not None else nullcontext()


def in_words(found: Iterable[Unfollowed]) -> str:
    """``"src/lib.py:12 clean, src/lib.py:30 <module>"``."""
    return ", ".join(f"{file}:{line} {symbol}" for file, line, symbol in found)
