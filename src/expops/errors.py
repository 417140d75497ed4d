"""Every error that expops raises on purpose, in one tree.

::

    ExpopsError
    ├── UsageError                  the caller can mend it; exit code 2
    │   ├── ProjectNotFound         no configs/project_config.yaml here or above
    │   ├── ConfigError             one or more problems in the configuration, all of them
    │   ├── SourceError             a project file that can't be read as Python
    │   └── UnknownName             a process, step, run or template that does not exist
    ├── ExecutionError              a task's outcome can't come back as it was
    │   ├── WorkerDied              its worker process was killed or exited
    │   ├── CannotSend              it, its result or a message can't be pickled or unpickled
    │   └── RemoteError             stands in for an exception that can't be pickled or unpickled
    ├── ProcessError                a process broke its contract (returned no dict, ...); exit code 1
    ├── ValueNotSupported
    │   ├── CannotFingerprint       a value without an identity expops can compute
    │   └── CannotStore             a value that no codec can write
    └── StorageError
        ├── StoreUnavailable        disk full, read-only, locked, network gone
        └── CorruptData             stored bytes are not what their digest or checksum says

A message says what is wrong, where, and the mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ExpopsError(Exception):
    """Base of all errors raised on purpose by expops."""


class UsageError(ExpopsError):
    """The command, call or project is wrong in a way that its author can mend."""


class ProjectNotFound(UsageError):
    """Neither the folder nor one above it is a project."""


class Problem(NamedTuple):
    """One thing wrong in a configuration file.

    ``line`` counts from 1; 0 means that the problem belongs to the file as a whole.
    ``key`` is the dotted path of the offending key, or ``""``.
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """Render as ``file:line: key: message``, leaving out what is unknown."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigError(UsageError):
    """All problems found in a configuration, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[Problem, ...]]]:
        """Pickle by problems: workers send errors to the run loop."""
        return (type(self), (self.problems,))


class SourceError(UsageError):
    """A project file that is not valid Python; ``line`` is 0 where it is unknown."""

    def __init__(self, file: str, line: int, message: str) -> None:
        self.file = file
        self.line = line
        self.message = message
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")

    def __reduce__(self) -> tuple[type[SourceError], tuple[str, int, str]]:
        """Pickle by parts: workers send errors to the run loop."""
        return (type(self), (self.file, self.line, self.message))


class UnknownName(UsageError):
    """A name that the project, its cache or its ledger does not know."""


class ExecutionError(ExpopsError):
    """A task ran, or should have run, in another process, and its outcome can't come back as it was."""


class WorkerDied(ExecutionError):
    """A worker process was killed, crashed or exited while it ran a task."""


class CannotSend(ExecutionError):
    """A task, its result or a message of it can't be pickled, or not unpickled on the other side."""


class RemoteError(ExecutionError):
    """Stands in for an exception that can't travel between processes."""

    def __init__(self, type_name: str, message: str, traceback: str) -> None:
        self.type_name = type_name
        self.message = message
        self.traceback = traceback
        super().__init__(type_name, message, traceback)

    def __str__(self) -> str:
        """Render as the last line of a traceback would."""
        return f"{self.type_name}: {self.message}" if self.message else self.type_name


class ProcessError(ExpopsError):
    """A process broke its contract; shown to its author without expops's own frames."""


class ValueNotSupported(ExpopsError):
    """A value that expops can't handle; the message names the path into the value."""


class CannotFingerprint(ValueNotSupported):
    """A value whose identity can't be computed."""


class CannotStore(ValueNotSupported):
    """A value that no codec can write down and give back unchanged."""


class StorageError(ExpopsError):
    """A store could not do what it was asked."""


class StoreUnavailable(StorageError):
    """The store can't be reached or written now: disk full, read-only, locked, network gone."""


class CorruptData(StorageError):
    """Stored bytes differ from what their digest or checksum promises."""
