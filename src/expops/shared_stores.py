"""Settings to the stores that machines share: buckets and servers, behind signatures if there are keys for them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Final

from .errors import ConfigError, Problem
from .hashing.canonical import digest_of
from .kv.address import without_credentials
from .kv.base import KVStore
from .kv.breaker import CircuitBreaker
from .pipeline.config import CONFIG_PATH, CacheConfig, Config, StoreConfig
from .pipeline.signing_keys import Keys, read_keys

if TYPE_CHECKING:
    from .buckets.bucket import Bucket
    from .buckets.place import Place

_READABLE: Final = 40  # characters of a project's name in names on a server


def remote_of(folder: str, config: Config, warn: Callable[[str], object]) -> tuple[OpenBucket, KVStore]:
    """The bucket, and the KV store that goes with it."""
    from importlib.util import find_spec

    if find_spec("obstore") is None:
        mend = "a library that it needs is not installed (obstore); pip install 'expops[bucket]'"
        raise ConfigError([Problem(CONFIG_PATH, 0, "experiment.cache", mend)])
    from .kv.bucket import BucketKV

    bucket = open_bucket(bucket_place(folder, config))
    kind = config.cache.kv.type
    if kind == "bucket":
        return bucket, _signed(BucketKV(bucket), folder, config, str(bucket.place), warn)
    if kind in ("redis", "postgresql", "firestore"):
        return bucket, server_kv(folder, config, warn)
    raise unavailable("cache.backend", kind, "bucket, redis, postgresql or firestore")


def server_kv(folder: str, config: Config, warn: Callable[[str], object]) -> KVStore:
    """The KV store on a server. Raises :class:`ConfigError` for one that this version has not got."""
    settings = _of_project(config).kv
    return _signed(_shared_kv(folder, settings), folder, config, _server_name(settings), warn)


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
    raise unavailable("cache.backend", settings.type, "sqlite, redis, postgresql, firestore or bucket")


def _signed(store: KVStore, folder: str, config: Config, place: str, warn: Callable[[str], object]) -> KVStore:
    """A store that is shared, behind signatures if there are keys for them. Most caches are not shared."""
    keys, doubt = signing_keys(folder, config)
    if doubt:
        warn(doubt)
    if not keys:
        from .kv.enveloped import UnsignedKV

        return UnsignedKV(store, place=place)
    from .kv.signed import SignedKV

    scope = str(_of_project(config).kv.options.get("prefix", _own_name(config.name)))
    return SignedKV(store, keys, scope=scope, place=place, warn=warn)


def signing_keys(folder: str, config: Config) -> Keys:
    """The keys of the team. Raises :class:`ConfigError` for those that can't be used."""
    return read_keys(config.cache.signing, os.path.dirname(folder))


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


class OpenBucket:
    """A bucket that is opened, and its client imported, when it is first needed."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._bucket: Bucket | None = None
        self._lock = Lock()
        self.warn: Callable[[str], object] = lambda message: None

    def __call__(self) -> Bucket:
        """The bucket. Raises ``StoreUnavailable``."""
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
def open_bucket(place: Place) -> OpenBucket:
    """One for all who use it: what does not answer one of them is not asked by the others."""
    return OpenBucket(place)


def bucket_place(folder: str, config: Config) -> Place:
    """Where the project's bucket, or the folder in place of one, is."""
    from .buckets.place import Place

    kind, options = config.cache.objects
    # Several projects may be in one bucket: each below its own name.
    prefix = "/".join(part for part in (str(options.get("prefix", "")).strip("/"), _own_name(config.name)) if part)
    return Place(
        kind,
        place_of(folder, options, "shared") if kind == "folder" else str(options.get("bucket") or options["container"]),
        prefix,
        endpoint=str(options.get("endpoint", "")),
        region=str(options.get("region", "")),
        account=str(options.get("account", "")),
        credentials=_credentials(folder, options),
        timeout=float(str(options.get("timeout", Place._field_defaults["timeout"]))),
    )


def unavailable(key: str, name: str, there: str) -> ConfigError:
    """What to tell of a backend that there isn't."""
    message = f"the backend '{name}' is not available in this version of expops; use '{there}', or leave it out"
    return ConfigError([Problem(CONFIG_PATH, 0, f"experiment.{key}", message)])


def _server_name(settings: StoreConfig) -> str:
    """What messages call a server: its address, without credentials."""
    if settings.type == "firestore":
        return f"Firestore ({settings.options.get('gcp_project') or 'the default project'})"
    return without_credentials(_address(settings)) or settings.type


def place_of(folder: str, options: dict[str, object], default: str) -> str:
    """The path that the options of a store name, or the default in the project's hidden ``folder``."""
    path = str(options.get("path", default))
    return os.path.join(folder, os.path.expanduser(path))
