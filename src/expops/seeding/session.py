"""Random state of one action: seeded before it, put back after it, and watched in between."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from ..errors import UsageError
from .late import LateImports
from .sources import SOURCES, RandomSource

# Among the names of sources: the action asked for seeds or generators of its own.
GIVEN: Final = "expops"
# Random state is global to an OS process, and so is the stack of the actions that own it.
_stack: Final[list[SeededAction]] = []


def active() -> SeededAction | None:
    """The innermost action under way in this process."""
    return _stack[-1] if _stack else None


class SeededAction:
    """While the ``with`` block runs, each loaded library's random state is the action's own.

    ``seed_for(name)`` gives the seed (``0 <= seed < 2**32``) for the source of that name, and
    ``seed_for(purpose, bits)`` one that user code asks for (:mod:`.purposes`). Afterwards every state is as it was
    before, also after an exception, and :attr:`drew` names the sources whose state was moved. Blocks nest. A library
    that is first loaded inside is seeded as it loads; at the end it gets the state that the enclosing action would have
    given it, or, without one, that in which it was loaded: a skipped block leaves no trace.
    """

    __slots__ = ("_owned", "drew", "given", "os_process", "seed_for")

    def __init__(self, seed_for: Callable[..., int]) -> None:
        self._owned = _Owned(seed_for)
        self.seed_for = seed_for
        #: Generators that user code was given, by purpose, so that it gets the same again; ``None``: it never asked.
        self.given: dict[object, Any] | None = None
        self.os_process = 0
        #: Names of the sources that were moved since they were seeded; set at the end of the block.
        self.drew: tuple[str, ...] = ()

    def __enter__(self) -> SeededAction:
        """Seed every loaded source."""
        self.os_process = os.getpid()
        complete = True
        try:
            for source in SOURCES:
                if source.loaded():
                    _begin_outer(source, missed=True)
                    self._owned.begin(source)
                else:
                    complete = False
        except BaseException:
            self._owned.put_back()
            raise
        _stack.append(self)
        _owners.append(self._owned)
        if not complete:
            _late.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put every state back.

        Raises :class:`~expops.errors.UsageError` if blocks overlap without nesting, as those of two threads
        may; the states are put back all the same.
        """
        nested = active() is self
        if self in _stack:
            while active() is not self:
                _leave()
            self.drew = _leave()
            if self.given is not None:
                self.drew += (GIVEN,)
        if not _stack:
            _late.remove()
        if not nested:
            raise UsageError(
                "two actions overlap: one ended while another that began later, probably in another thread, "
                "was under way; random state belongs to the whole process, so call steps from one thread only"
            )


class _Owned:
    """The sources that one action owns, with what it takes to put them back."""

    __slots__ = ("_begun", "_missed", "_seed_for")

    def __init__(self, seed_for: Callable[[str], int]) -> None:
        self._seed_for = seed_for
        self._begun: dict[str, tuple[RandomSource, Any]] = {}
        self._missed: set[str] = set()

    def begin(self, source: RandomSource, *, missed: bool = False) -> None:
        """Seed ``source`` unless it is owned already; ``missed``: unseeded draws may have been made."""
        if source.name in self._begun:
            return
        seed = self._seed_for(source.name)
        if not 0 <= seed < 2**32:
            raise UsageError(f"the seed {seed} for {source.name} has more than 32 bits or is negative")
        self._begun[source.name] = (source, source.begin(seed))
        if missed:
            self._missed.add(source.name)

    def put_back(self) -> tuple[str, ...]:
        """Put all back; the names of those that were moved, in the order of ``SOURCES``."""
        moved = {name for name, (source, begun) in self._begun.items() if source.end(begun)} | self._missed
        self._begun.clear()
        return tuple(source.name for source in SOURCES if source.name in moved)


_owners: Final[list[_Owned]] = []


def _begin_outer(source: RandomSource, *, missed: bool = False) -> None:
    """Seed a source for each action under way that lacks it, as if that action had loaded it itself."""
    for owner in _owners:
        owner.begin(source, missed=missed)


def _leave() -> tuple[str, ...]:
    """End the innermost action; a source that was loaded past the import hook counts as moved."""
    for source in SOURCES:
        if source.loaded():
            _begin_outer(source, missed=True)
    _stack.pop()
    return _owners.pop().put_back()


def _begin_late(source: RandomSource) -> None:
    if source.loaded():
        _begin_outer(source)


_late: Final = LateImports(SOURCES, _begin_late)
