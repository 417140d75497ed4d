"""Settings to objects: with :mod:`shared_stores`, the only place that names backends."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from .blobs.base import ObjectStore
from .blobs.folder import FolderStore
from .blobs.overlay import OverlayStore
from .cache.file_leases import FileLeases
from .cache.leases import Leases
from .cache.memo import KVMemo
from .cache.store import ResultCache
from .engine.options import Options
from .engine.plan import Planner
from .engine.project import Project, open_project
from .engine.scratch import RunFolder
from .errors import StorageError, UnknownName
from .executors.base import Executor, Message
from .kv.base import KVStore
from .kv.journal import JournaledKV, recover
from .kv.sqlite import SQLiteKV
from .pipeline.config import DATA_ONLY, CacheConfig, Config, StoreConfig
from .pipeline.config_load import find_project, load_config
from .pipeline.nearest import advice
from .pipeline.override import override
from .runs.ledger import Ledger
from .shared_stores import bucket_place, open_bucket, place_of, remote_of, server_kv, signing_keys

if TYPE_CHECKING:
    from .blobs.tiered import TieredStore
    from .cache.upload import Ends

HIDDEN: Final = ".expops"
_EMBEDDED: Final = CacheConfig(StoreConfig("sqlite", {}), StoreConfig("folder", {}), {})
MODES: Final = ("readwrite", "read", "write", "off")


def hidden_folder(root: str) -> str:
    """The project's hidden folder, made if need be, kept out of version control."""
    folder = os.path.join(root, HIDDEN)
    ignore = os.path.join(folder, ".gitignore")
    if not os.path.exists(ignore):
        # Where it can't be made nothing can be kept, of which the stores warn.
        with suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            with open(ignore, "w", encoding="utf-8") as file:
                file.write("*\n")
    return folder


def open_cache(folder: str, config: Config, mode: str, scratch: str) -> ResultCache:
    """The cache in one of :data:`MODES`. Where nothing may be kept, values pass through the ``scratch`` folder.

    Raises :class:`ConfigError` for a backend that this version has not got.
    """
    warnings: dict[str, None] = {}
    if is_tiered(config.cache):
        cache = _tiered_cache(folder, config, warnings.setdefault)
    else:
        cache = ResultCache(_open_kv(folder, config, scratch, warnings.setdefault), _blob_folder(folder, config))
        cache.leases = _plain_leases(folder, config.cache, cache.kv)
    cache.warnings = warnings
    if mode != "readwrite" or not _keeps(folder, mode) or config.cache.mode == "read-only":
        cache.leases = None  # it takes or leaves no results that others could find or have
    if not _keeps(folder, mode):
        cache.blobs = OverlayStore(FolderStore(os.path.join(scratch, "blobs")), cache.blobs)
    cache.require_stable = config.cache.require_stable
    cache.data_only = config.cache.codecs == DATA_ONLY
    cache.read, cache.write = mode in ("readwrite", "read"), mode in ("readwrite", "write")
    return cache


def _plain_leases(folder: str, settings: CacheConfig, kv: KVStore) -> Leases | None:
    if settings.kv.type == "memory":
        return None
    if settings.kv.type == "sqlite":
        return open_leases(os.path.dirname(place_of(folder, settings.kv.options, "cache.sqlite")))
    # Imported here: most caches lie on one machine.
    from .cache.lease_renewal import Renewer
    from .cache.store_leases import StoreLeases

    return StoreLeases(kv, Renewer(kv, waiting=kv.held if isinstance(kv, JournaledKV) else tuple))


def open_leases(folder: str) -> Leases:
    """Leases of those who share the embedded stores in a folder."""
    return FileLeases(os.path.join(folder, "leases"))


def _open_kv(folder: str, config: Config, scratch: str, warn: Callable[[str], object]) -> KVStore:
    settings = config.cache.kv
    if settings.type == "sqlite":
        return _embedded_kv(place_of(folder, settings.options, "cache.sqlite"))
    if settings.type == "memory":
        # Workers are OS processes of their own: what they share for one run lies in its scratch folder.
        return _embedded_kv(os.path.join(scratch, "cache.sqlite"))
    store, journals = server_kv(folder, config, warn), os.path.join(folder, "handover")
    recover(store, journals)
    return JournaledKV(store, journals, eager=False)


def is_tiered(settings: CacheConfig) -> bool:
    """Whether the cache is this machine's over a bucket's, in which a folder counts as one if it holds the records."""
    return settings.objects.type != "folder" or settings.kv.type == "bucket"


def near_stores(folder: str, config: Config) -> tuple[KVStore, FolderStore] | None:
    """Of a cache over a bucket, what is on this machine; ``None`` for other caches."""
    if not is_tiered(config.cache):
        return None
    return SQLiteKV(os.path.join(folder, "cache.sqlite")), FolderStore(os.path.join(folder, "blobs"))


def open_near(folder: str) -> KVStore:
    """The records on this machine of a cache over a bucket, with those that running workers have not handed over."""
    return _embedded_kv(os.path.join(folder, "cache.sqlite"))


def _blob_folder(folder: str, config: Config) -> FolderStore:
    # Of what others may have altered only records are signed, so that blobs are what these name must be seen each time.
    signed = config.cache.kv.type not in ("sqlite", "memory") and bool(signing_keys(folder, config).keys)
    return FolderStore(place_of(folder, config.cache.objects.options, "blobs"), verify=signed)


def _tiered_cache(folder: str, config: Config, warn: Callable[[str], object]) -> ResultCache:
    # Imported here: most caches lie on one machine.
    from .blobs.bucket import BucketStore
    from .blobs.tiered import TieredStore
    from .cache.kinds import KINDS
    from .cache.lease_renewal import Renewer
    from .cache.store_leases import StoreLeases
    from .kv.outbox import waiting
    from .kv.tiered import TieredKV

    uploads = config.cache.mode != "read-only"
    bucket, remote = remote_of(folder, config, warn)
    blobs = os.path.join(folder, "blobs")
    local = _embedded_kv(os.path.join(folder, "cache.sqlite"))
    kv = TieredKV(
        local,
        remote,
        KINDS,
        uploads=uploads,
        warn=lambda fault: warn(goes_on(fault, uploads=uploads)),
    )
    bucket.warn = warn
    cache = ResultCache(kv, TieredStore(FolderStore(blobs), BucketStore(bucket), blobs))
    cache.leases = StoreLeases(kv, Renewer(kv, waiting=lambda: waiting(local).keys))
    return cache


def goes_on(fault: str, *, uploads: bool) -> str:
    """What a run says once of a bucket that can't be used."""
    later = "; a later run or `expops cache push` uploads what it makes" if uploads else ""
    return f"{fault}. The run goes on with what this machine has{later}"


class Tier(NamedTuple):
    """Both sides of a cache over a bucket; ``blobs`` are this machine's, over those of the bucket."""

    ends: Ends
    blobs: TieredStore
    address: str


def open_tier(folder: str, config: Config, warn: Callable[[str], object]) -> Tier | None:
    """Both sides of a project's cache; ``None`` for one without a bucket."""
    near = near_stores(folder, config)
    if near is None:
        return None
    from .blobs.bucket import BucketStore
    from .blobs.tiered import TieredStore
    from .cache.upload import Ends

    bucket, remote = remote_of(folder, config, warn)
    bucket.warn = warn
    blobs = BucketStore(bucket)
    ends = Ends(*near, remote, blobs, lambda work, names: bucket().each(work, names))
    return Tier(ends, TieredStore(near[1], blobs, os.path.join(folder, "blobs")), str(bucket.place))


def open_memo(folder: str) -> KVMemo:
    """Derivations, such as digests by path and stamp: remembered beside the project, wherever its results go."""
    return KVMemo(SQLiteKV(os.path.join(folder, "memo.sqlite")))


def open_folder(folder: str) -> tuple[KVStore, ObjectStore]:
    """Embedded stores in a folder of any name, made if need be."""
    return _embedded_kv(os.path.join(folder, "cache.sqlite")), FolderStore(os.path.join(folder, "blobs"))


def open_replay(folder: str, config: Config, scratch: str, name: str, write: bool) -> ResultCache:
    """A cache for executing again: blobs of the project can be read, all that is written goes to ``scratch``."""
    # Imported here, for the one command that needs it.
    from .engine.verify.replay import ReplayCache

    blobs = OverlayStore(FolderStore(os.path.join(scratch, "blobs")), _blobs(folder, config))
    place = os.path.join(scratch, "stores", name)
    os.makedirs(place, exist_ok=True)
    cache = ReplayCache(_embedded_kv(os.path.join(place, "cache.sqlite")), blobs, write=write)
    cache.data_only = config.cache.codecs == DATA_ONLY
    return cache


def _blobs(folder: str, config: Config) -> ObjectStore:
    if is_tiered(config.cache):
        return _tiered_cache(folder, config, lambda message: None).blobs
    return _blob_folder(folder, config)


class Loaded(NamedTuple):
    """A project with its cache open. ``open_cache`` pickles, for workers; :func:`close` lets all go."""

    project: Project
    folder: str
    seed: int
    scratch: RunFolder | None
    open_cache: Callable[[], ResultCache]

    @property
    def ledger(self) -> Ledger:
        """The project's runs."""
        return Ledger(self.project.cache.kv)


def load_project(
    start: str,
    *,
    mode: str = "readwrite",
    settings: Sequence[str] = (),
    seed: int | None = None,
    embedded: bool = False,
) -> Loaded:
    """Open the project in the folder ``start`` or above it.

    ``settings`` are ``process.parameter=value``; ``seed`` replaces the configuration's; with
    ``embedded``, its stores are those in the hidden folder, whatever the configuration says. Raises
    :class:`~expops.errors.UsageError` for whatever its author can mend, all problems of the configuration at once.
    """
    root = find_project(start)
    folder = hidden_folder(root)
    memo = open_memo(folder)
    config = override(load_config(root, memo=memo), settings)
    if embedded:
        config = config._replace(
            cache=_EMBEDDED._replace(libraries=config.cache.libraries, signing=config.cache.signing)
        )
    scratch = _scratch(folder) if config.cache.kv.type == "memory" or not _keeps(folder, mode) else None
    opener = partial(open_cache, folder, config, mode, scratch.path if scratch else "")
    project = open_project(root, config, opener(), memo)
    chosen = seed if seed is not None else config.seed
    if chosen is None:
        chosen = int.from_bytes(os.urandom(16), "big")
    return Loaded(project, folder, chosen, scratch, opener)


def close(loaded: Loaded) -> None:
    """Write down what is pending and let the stores go."""
    loaded.project.cache.flush()
    loaded.project.memo.close()
    if loaded.project.cache.leases is not None:
        loaded.project.cache.leases.close()  # after all uploads: until then others can't find the results
    # What can't be handed over now stays in its journal; of what is wrong, the flush has warned.
    with suppress(StorageError):
        loaded.project.cache.kv.close()
    if loaded.scratch is not None:
        loaded.scratch.remove()
    if is_tiered(loaded.project.config.cache):
        open_bucket(bucket_place(loaded.folder, loaded.project.config)).close()


def _keeps(folder: str, mode: str) -> bool:
    """Whether what a run stores is kept in the hidden folder, which may be read-only."""
    return mode in ("readwrite", "write") and os.access(os.path.join(folder, ""), os.W_OK)


def _scratch(folder: str) -> RunFolder:
    return RunFolder(os.path.join(folder, "work"), f"scratch-{os.getpid()}-{os.urandom(4).hex()}")


def run_options(
    loaded: Loaded,
    *,
    jobs: int | None = None,
    forced: Sequence[str] = (),
    targets: Sequence[str] = (),
    settings: Sequence[str] = (),
    command: Sequence[str] = (),
    audit: bool = False,
) -> Options:
    """How to run a loaded project. Raises :class:`UnknownName` for processes that it has not got."""
    names = [process.name for process in loaded.project.config.processes]
    for wanted in [*targets, *(path.split("/")[0] for path in forced)]:
        if wanted not in names:
            raise UnknownName(f"there is no process '{wanted}'; {advice(wanted, names, 'the processes are')}")
    return Options(
        seed=loaded.seed,
        jobs=_jobs(jobs, loaded.project.config.jobs),
        forced=frozenset(forced),
        targets=frozenset(targets),
        overrides=tuple(settings),
        command=tuple(command),
        hidden=loaded.folder,
        audit=audit,
        open_cache=loaded.open_cache,
        open_memo=partial(open_memo, loaded.folder),
        make_executor=partial(make_executor, environment=partial(worker_environment, loaded.project.config.profile)),
    )


def planner(loaded: Loaded, forced: Sequence[str] = ()) -> Planner:
    """A planner for a loaded project, for those who only look."""
    project = loaded.project
    return Planner(
        project.config,
        project.graph,
        project.code,
        project.cache,
        project.files,
        project.root,
        loaded.seed,
        forced,
    )


def worker_environment(profile: str) -> dict[str, str]:
    """The environment in which user code runs under a numeric profile."""
    from .seeding import profiles  # a run in which all is cached needs none

    return {**profiles.environment(profile, os.environ), "PYTHONHASHSEED": "0"}


def profile_of(start: str) -> str:
    """The numeric profile of the project that ``start`` is or lies in. Raises as :func:`load_project` does."""
    return load_config(find_project(start)).profile


def make_executor(jobs: int, live: Callable[[Message], None], *, environment: Callable[[], dict[str, str]]) -> Executor:
    """Worker processes; with no jobs, this process itself, where a debugger works and ``live`` hears messages."""
    # Imported here: a run in which all is cached needs neither.
    if jobs == 0:
        from .executors.inline import InlineExecutor

        # Without this, what user code prints would appear when its process ends, and a debugger's prompt with it.
        return InlineExecutor(live=live)
    from .executors.workers import WorkerPool

    return WorkerPool(jobs, env=environment())


def _jobs(asked: int | None, configured: int | None) -> int:
    if asked is not None:
        return asked
    if configured is not None:
        return configured
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1


def _embedded_kv(path: str) -> KVStore:
    """SQLite with a journal in front; what killed runs had journaled is handed over first."""
    store, journals = SQLiteKV(path), path + "-journals"
    recover(store, journals)
    return JournaledKV(store, journals)
