"""What a random project consists of. Everything in it works on integers, so that its results are known without it.

A **helper** ``h`` of any kind is ``h(x) = (3 * x + constant + sum of its helpers at x + 1) % MODULUS``; kinds differ in
how the source says so. A **body** is a list of statements that alter a variable ``x``; steps and processes have one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MODULUS = 9973
# A module may import those before it. `pk` is a package that gives the names of its modules on.
MODULES = ("lib0", "pk.ma", "pk.mb", "lib1", "model")
FILES = ("data/f0.txt", "data/f1.txt", "data/f2.txt", "data/n0.npy")
FOLDERS = ("data/d0", "data/d1")
VARIABLES = ("SANDBOX_A", "SANDBOX_B")


@dataclass(frozen=True)
class Source:
    """Where a constant comes from: ``literal``, ``file``, ``folder``, ``env`` or ``draw``; ``how`` the spelling."""

    kind: str = "literal"
    name: str = ""
    how: int = 0


@dataclass(frozen=True)
class Use:
    """A use of the helper ``ref``: ``how`` picks the expression, ``imported`` the form of its import."""

    ref: str
    how: int = 0
    imported: int = 0


@dataclass
class Helper:
    name: str
    module: str
    kind: str
    constant: int
    source: Source = Source()
    uses: list[Use] = field(default_factory=list)


@dataclass
class Statement:
    """``verb`` says what it does; the other fields mean what the verb makes of them."""

    verb: str
    number: int = 0
    use: Use = Use("")
    source: Source = Source()
    inner: Statement | None = None


@dataclass
class Step:
    """``takes`` is ``x`` for a step of a number, ``f`` for one of a number and a function, ``h`` of a holder."""

    name: str
    module: str
    takes: str
    body: list[Statement]


@dataclass
class Process:
    """``takes`` maps upstream processes to which of their outputs is taken, ``above`` names those it only follows.

    ``default`` is in the signature, ``given`` in the configuration.
    """

    name: str
    takes: dict[str, str]
    above: set[str]
    default: int
    given: int | None
    takes_global: bool
    big: bool
    body: list[Statement]


@dataclass(repr=False)
class Project:
    """All of it."""

    helpers: dict[str, Helper]
    steps: dict[str, Step]
    processes: dict[str, Process]
    files: dict[str, int | None]
    folders: dict[str, set[int]]
    variables: dict[str, int | None]
    seed: int = 42
    shared: int = 1  # the global parameter `g`
    unused: int = 0  # a global parameter that nobody takes
    holder: int = 1  # the constant of the class Holder
    flipped: bool = False  # the order of processes in the configuration
    noise: dict[str, int] = field(default_factory=dict)  # neutral rewriting, by module
    bystander: int = 0  # a file, a variable and a process that have to do with nothing
    made: int = 0  # how many nested steps were ever made: each has a name of its own

    def __repr__(self) -> str:
        # A failure shows the project's files.
        return f"<{len(self.helpers)} helpers, {len(self.steps)} steps, {len(self.processes)} processes>"

    def readable(self) -> str:
        """All that code may read: files, folders, variables and the seed."""
        return repr(
            (self.files, sorted((name, sorted(held)) for name, held in self.folders.items()), self.variables, self.seed)
        )

    def below(self, name: str) -> list[str]:
        """The helpers that a helper leads to, itself first."""
        found = {name: None}
        pending = [name]
        while pending:
            for use in self.helpers[pending.pop()].uses:
                if use.ref not in found:
                    found[use.ref] = None
                    pending.append(use.ref)
        return list(found)


def statements(body: list[Statement]) -> list[Statement]:
    """All statements of a body, inner ones included."""
    found = []
    for statement in body:
        found.append(statement)
        if statement.inner is not None:
            found += statements([statement.inner])
    return found
