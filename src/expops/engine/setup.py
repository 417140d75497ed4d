"""What a worker needs to know of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..cache.leases import Holder
from ..cache.memo import KVMemo
from ..cache.store import ResultCache


class Setup(NamedTuple):
    """What a worker needs to know of a run.

    ``open_cache`` and ``open_memo`` must pickle: with them a worker opens the cache, and the memory of what is derived
    from this machine's files. ``data`` are the declared paths, relative to the project; ``project`` and ``work`` are
    absolute folders (of the project, and for this run's working folders); ``import_roots`` go in front of ``sys.path``;
    ``libraries`` is the policy for their versions, ``profile`` the numeric one. ``audit``: compare the code that runs
    with what fingerprints follow. ``holder``: in whose name workers take leases. ``secrets`` are environment variables
    that user code is not to see.
    """

    project: str
    project_name: str
    run_id: str
    work: str
    seed: int
    import_roots: tuple[str, ...]
    data: tuple[str, ...]
    libraries: str
    profile: str
    audit: bool
    holder: Holder
    open_cache: Callable[[], ResultCache]
    open_memo: Callable[[], KVMemo]
    secrets: tuple[str, ...] = ()
