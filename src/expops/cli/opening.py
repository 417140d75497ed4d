"""Projects and their stores, opened for a command; what keeps them from opening is a matter of usage."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .. import wiring
from ..cache.store import ResultCache
from ..engine.scratch import remove_tree
from ..errors import StorageError, UsageError
from ..pipeline.config import Config
from ..pipeline.config_load import find_project, load_config
from ..runs.ledger import Ledger
from .parsing import project_folder


class Stores(NamedTuple):
    """A project's cache and ledger, without its code: they can be read whatever state the code is in."""

    root: str
    folder: str
    config: Config
    cache: ResultCache

    @property
    def ledger(self) -> Ledger:
        """The project's runs."""
        return Ledger(self.cache.kv)


@contextmanager
def project(args: argparse.Namespace, *, mode: str = "readwrite") -> Iterator[wiring.Loaded]:
    """The project that ``args`` name, ready to plan and run, with what they vary."""
    start = project_folder(args)
    with _refusing(start):
        loaded = wiring.load_project(start, mode=mode, settings=args.settings, seed=args.seed)
    try:
        yield loaded
    finally:
        wiring.close(loaded)


@contextmanager
def stores(args: argparse.Namespace) -> Iterator[Stores]:
    """The cache and ledger of the project that ``args`` name."""
    start = project_folder(args)
    with _refusing(start):
        root = find_project(start)
        folder = wiring.hidden_folder(root)
        config = load_config(root)
        scratch = os.path.join(folder, "work", f"scratch-{os.getpid()}-{os.urandom(4).hex()}")
        cache = wiring.open_cache(folder, config, "readwrite", scratch)
    try:
        yield Stores(root, folder, config, cache)
    finally:
        cache.kv.close()
        if os.path.isdir(scratch):
            remove_tree(scratch)


def root_of(start: str) -> str:
    """The project that ``start`` is or lies in. Raises :class:`~expops.errors.ProjectNotFound`."""
    return find_project(start)


@contextmanager
def _refusing(start: str) -> Iterator[None]:
    """Nothing has begun yet, so a store that can't be opened is an error of usage like any other."""
    try:
        yield
    except (StorageError, OSError) as fault:
        raise UsageError(f"the project in {os.path.abspath(start)} can't be opened: {fault}") from fault
