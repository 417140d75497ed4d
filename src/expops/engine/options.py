"""How to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..cache.memo import KVMemo
from ..cache.store import ResultCache
from ..executors.base import Executor, Message


class Options(NamedTuple):
    """What a run is asked to do. ``targets`` are the processes to run, with what they need; empty for all.

    ``sweep`` names the sweep over seeds that the run is part of, if any.
    ``open_cache`` and ``open_memo`` must pickle; workers open cache and memory with them. ``hidden`` is the project's
    ``.expops`` folder. ``audit``: compare the code that runs with what fingerprints follow.
    """

    seed: int
    jobs: int
    forced: frozenset[str]
    targets: frozenset[str]
    overrides: tuple[str, ...]
    command: tuple[str, ...]
    hidden: str
    audit: bool
    open_cache: Callable[[], ResultCache]
    open_memo: Callable[[], KVMemo]
    make_executor: Callable[[int, Callable[[Message], None]], Executor]
    sweep: str = ""
