"""Settings to objects: the only place that names backends."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from .blobs.base import ObjectStore
from .blobs.folder import FolderStore
from .blobs.overlay import OverlayStore
from .cache.memo import KVMemo
from .cache.store import ResultCache
from .engine.options import Options
from .engine.plan import Planner
from .engine.project import Project, open_project
from .engine.scratch import RunFolder
from .errors import ConfigError, Problem, StorageError, UnknownName
from .executors.base import Executor, Message
from .hashing.canonical import digest_of
from .kv.base import KVStore
from .kv.breaker import CircuitBreaker
from .kv.journal import JournaledKV, recover
from .kv.sqlite import SQLiteKV
from .pipeline.config import CONFIG_PATH, DATA_ONLY, CacheConfig, Config, StoreConfig
from .pipeline.config_load import find_project, load_config
from .pipeline.nearest import advice
from .pipeline.override import override
from .runs.ledger import Ledger

if TYPE_CHECKING:
    from .blobs.tiered import TieredStore
    from .buckets.bucket import Bucket
    from .buckets.place import Place
    from .cache.upload import Ends

HIDDEN: Final = ".expops"
_READABLE: Final = 40  # characters of a project's name in names on a server
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
    if is_tiered(config.cache):
        cache = _tiered_cache(folder, config)
    else:
        cache = ResultCache(*_plain_stores(folder, _of_project(config), scratch))
    if not _keeps(folder, mode):
        cache.blobs = OverlayStore(FolderStore(os.path.join(scratch, "blobs")), cache.blobs)
    cache.require_stable = config.cache.require_stable
    cache.data_only = config.cache.codecs == DATA_ONLY
    cache.read, cache.write = mode in ("readwrite", "read"), mode in ("readwrite", "write")
    return cache


def _plain_stores(folder: str, settings: CacheConfig, scratch: str) -> tuple[KVStore, ObjectStore]:
    return _open_kv(folder, settings, scratch), FolderStore(_place(folder, settings.objects.options, "blobs"))


def _open_kv(folder: str, settings: CacheConfig, scratch: str) -> KVStore:
    if settings.kv.type == "sqlite":
        return _embedded_kv(_place(folder, settings.kv.options, "cache.sqlite"))
    if settings.kv.type == "memory":
        # Workers are OS processes of their own: what they share for one run lies in its scratch folder.
        return _embedded_kv(os.path.join(scratch, "cache.sqlite"))
    store, journals = _shared_kv(folder, settings.kv), os.path.join(folder, "handover")
    recover(store, journals)
    return JournaledKV(store, journals)


def is_tiered(settings: CacheConfig) -> bool:
    """Whether the cache is this machine's over a bucket's, in which a folder counts as one if it holds the records."""
    return settings.objects.type != "folder" or settings.kv.type == "bucket"


def near_stores(folder: str, config: Config) -> tuple[KVStore, FolderStore] | None:
    """Of a cache over a bucket, what is on this machine; ``None`` for other caches."""
    if not is_tiered(config.cache):
        return None
    return SQLiteKV(os.path.join(folder, "cache.sqlite")), FolderStore(os.path.join(folder, "blobs"))


def _tiered_cache(folder: str, config: Config) -> ResultCache:
    # Imported here: most caches lie on one machine.
    from .blobs.bucket import BucketStore
    from .blobs.tiered import TieredStore
    from .cache.kinds import KINDS
    from .kv.tiered import TieredKV

    uploads = config.cache.mode != "read-only"
    bucket, remote = _remote(folder, config)
    blobs = os.path.join(folder, "blobs")
    kv = TieredKV(
        _embedded_kv(os.path.join(folder, "cache.sqlite")),
        remote,
        KINDS,
        uploads=uploads,
        warn=lambda fault: cache.warn(goes_on(fault, uploads=uploads)),
    )
    cache = ResultCache(kv, TieredStore(FolderStore(blobs), BucketStore(bucket), blobs))
    bucket.warn = cache.warn
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

    bucket, remote = _remote(folder, config)
    bucket.warn = warn
    blobs = BucketStore(bucket)
    ends = Ends(*near, remote, blobs, lambda work, names: bucket().each(work, names))
    return Tier(ends, TieredStore(near[1], blobs, os.path.join(folder, "blobs")), str(bucket.place))


class _OpenBucket:
    """A bucket that is opened, and its client imported, when it is first needed."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._bucket: Bucket | None = None
        self._lock = Lock()
        self.warn: Callable[[str], object] = lambda message: None

    def __call__(self) -> Bucket:
        with self._lock:
            if self._bucket is None:
                from .buckets.bucket import Bucket

                self._bucket = Bucket(self.place)
            self._bucket.warn = self.warn
            return self._bucket

    def close(self) -> None:
        """Let its threads go; it can be used again."""
        with self._lock:
            if self._bucket is not None:
                self._bucket.close()


@lru_cache(maxsize=32)
def _open_bucket(place: Place) -> _OpenBucket:
    """One for all who use it: what does not answer one of them is not asked by the others."""
    return _OpenBucket(place)


def _remote(folder: str, config: Config) -> tuple[_OpenBucket, KVStore]:
    """The bucket, and the KV store that goes with it."""
    from importlib.util import find_spec

    if find_spec("obstore") is None:
        mend = "a library that it needs is not installed (obstore); pip install 'expops[bucket]'"
        raise ConfigError([Problem(CONFIG_PATH, 0, "experiment.cache", mend)])
    from .kv.bucket import BucketKV

    bucket = _open_bucket(_bucket_place(folder, config))
    kind = config.cache.kv.type
    if kind == "bucket":
        return bucket, BucketKV(bucket)
    if kind in ("redis", "postgresql", "firestore"):
        return bucket, _shared_kv(folder, _of_project(config).kv)
    raise _unavailable("cache.backend", kind, "bucket, redis, postgresql or firestore")


def _bucket_place(folder: str, config: Config) -> Place:
    from .buckets.place import Place

    kind, options = config.cache.objects
    # Several projects may be in one bucket: each below its own name.
    prefix = "/".join(part for part in (str(options.get("prefix", "")).strip("/"), _own_name(config.name)) if part)
    return Place(
        kind,
        _place(folder, options, "shared") if kind == "folder" else str(options.get("bucket") or options["container"]),
        prefix,
        endpoint=str(options.get("endpoint", "")),
        region=str(options.get("region", "")),
        account=str(options.get("account", "")),
        credentials=_credentials(folder, options),
        timeout=float(str(options.get("timeout", Place._field_defaults["timeout"]))),
    )


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
        return _tiered_cache(folder, config).blobs
    return FolderStore(_place(folder, config.cache.objects.options, "blobs"))


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
        config = config._replace(cache=_EMBEDDED._replace(libraries=config.cache.libraries))
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
    # What can't be handed over now stays in its journal; of what is wrong, the flush has warned.
    with suppress(StorageError):
        loaded.project.cache.kv.close()
    if loaded.scratch is not None:
        loaded.scratch.remove()
    if is_tiered(loaded.project.config.cache):
        _open_bucket(_bucket_place(loaded.folder, loaded.project.config)).close()


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


def _shared_kv(folder: str, settings: StoreConfig) -> KVStore:
    """A KV store on a server."""
    # Their clients are imported only where they are configured; who has not got them is told how to.
    try:
        if settings.type == "redis":
            from .kv.redis import RedisKV

            return CircuitBreaker(RedisKV(_address(settings), prefix=str(settings.options["prefix"])))
        if settings.type == "postgresql":
            from .kv.postgresql import PostgreSQLKV

            return CircuitBreaker(PostgreSQLKV(_address(settings), table=str(settings.options["prefix"])))
        if settings.type == "firestore":
            from .kv.firestore import FirestoreKV, Target

            options = settings.options
            target = Target(
                str(options.get("gcp_project", "")),
                str(options.get("db", "(default)")),
                str(options.get("endpoint", "")),
                _credentials(folder, options),
            )
            return CircuitBreaker(FirestoreKV(target, collection=str(options["prefix"])))
    except ModuleNotFoundError as fault:
        mend = f"a library that it needs is not installed ({fault.name}); pip install 'expops[{settings.type}]'"
        raise ConfigError([Problem(CONFIG_PATH, 0, "experiment.cache.backend", mend)]) from fault
    except ValueError as fault:
        raise ConfigError([Problem(CONFIG_PATH, 0, "experiment.cache.backend", str(fault))]) from fault
    raise _unavailable("cache.backend", settings.type, "sqlite, redis, postgresql, firestore or bucket")


def _of_project(config: Config) -> CacheConfig:
    """The settings of the cache, with a place of the project's own on a server that several projects share."""
    kv = config.cache.kv
    if kv.type in ("sqlite", "memory", "bucket") or "prefix" in kv.options:
        return config.cache
    prefix = f"expops_{_own_name(config.name)}" if config.name else "expops"
    return config.cache._replace(kv=kv._replace(options={**kv.options, "prefix": prefix}))


def _own_name(name: str) -> str:
    """A project's name in names on a server."""
    readable = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_READABLE]
    # A digest only where the name itself is not to be told from the readable one.
    return readable if readable == name else f"{readable}_{digest_of(name)[:8]}"


def _address(settings: StoreConfig) -> str:
    options = settings.options
    if "url" in options:
        return str(options["url"])
    port = f":{options['port']}" if "port" in options else ""
    # What a PostgreSQL address leaves out comes from PGHOST, PGDATABASE and so on.
    host = options.get("host", "" if settings.type == "postgresql" else "127.0.0.1")
    return f"{settings.type}://{host}{port}/{options.get('db', '')}"


def _credentials(folder: str, options: dict[str, object]) -> str:
    path = str(options.get("credentials_json", ""))
    return os.path.join(os.path.dirname(folder), os.path.expanduser(path)) if path else ""


def _place(folder: str, options: dict[str, object], default: str) -> str:
    path = str(options.get("path", default))
    return os.path.join(folder, os.path.expanduser(path))


def _unavailable(key: str, name: str, there: str) -> ConfigError:
    message = f"the backend '{name}' is not available in this version of expops; use '{there}', or leave it out"
    return ConfigError([Problem(CONFIG_PATH, 0, f"experiment.{key}", message)])
