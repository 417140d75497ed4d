"""What a worker needs to know of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..cache.store import ResultCache


class Setup(NamedTuple):
    """What a worker needs to know of a run. ``open_cache`` must pickle: it opens the cache in the worker.

    ``data`` are the declared paths, relative to the project;
    ``project`` and ``work`` are absolute folders (of the project, and for this run's working folders); ``import_roots``
    go in front of ``sys.path``; ``libraries`` is the policy for their versions.
    """

    project: str
    project_name: str
    run_id: str
    work: str
    seed: int
    import_roots: tuple[str, ...]
    data: tuple[str, ...]
    libraries: str
    open_cache: Callable[[], ResultCache]
