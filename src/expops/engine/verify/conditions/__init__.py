"""Brings varied conditions about in a fresh worker. Nothing is put back: the worker ends when it has served."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from . import clock, directories, entropy, leftovers, memory, threads


class Conditions(NamedTuple):
    """What one worker is to find, besides its environment variables; ``None`` leaves a thing as it is.

    ``clock`` and ``threads`` are settings of those modules; ``entropy`` numbers the stream of bytes that stands for the
    operating system's; ``reverse`` turns the order of directory listings round; ``leftovers`` seeds the random state
    that is lying about; ``memory`` is the byte that recycled memory holds.
    """

    clock: clock.Clock | None = None
    entropy: int | None = None
    threads: threads.Threads | None = None
    reverse: bool = False
    leftovers: int | None = None
    memory: int | None = None


def install(conditions: Conditions, importing: Callable[[], bool]) -> None:
    """Bring about what lasts as long as the worker.

    While ``importing()``, a library is being loaded, which happens in whichever process needs it first: what it asks
    of clock and entropy meanwhile shifts nothing for the process.
    """
    if conditions.clock is not None:
        clock.install(conditions.clock, importing)
    if conditions.entropy is not None:
        entropy.install(conditions.entropy, importing)
    if conditions.threads is not None:
        threads.install(conditions.threads)
    if conditions.reverse:
        directories.install()
    if conditions.memory is not None:
        memory.install(conditions.memory)


def before_process(conditions: Conditions, libraries: Collection[str]) -> None:
    """Bring about what each process is to find anew; ``libraries`` are the distributions that its code reaches."""
    if conditions.entropy is not None:
        entropy.begin(conditions.entropy)
    if conditions.clock is not None:
        clock.begin(conditions.clock)
    if conditions.leftovers is not None:
        leftovers.leave(conditions.leftovers, libraries)
