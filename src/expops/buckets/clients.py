"""obstore's clients for a place: one to read with, which gives up soon, and one to write with, which takes longer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

import obstore.store

from . import azure, gcs, s3
from .place import Place

_CONNECT_SECONDS: Final = 3.0
_WHOLE_READ: Final = timedelta(hours=1)
_WRITE: Final = 6  # times as long as one waits for an answer, for at most 8 MiB of a write
_RETRIES: Final = {"read": 2, "write": 4}
_SECRET: Final = ("account_key", "sas_key", "secret_access_key", "access_key_id", "session_token")
_SECRET_VARIABLES: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_TOKEN",
    "AZURE_CLIENT_SECRET",
    "GOOGLE_BEARER_TOKEN",
)
_STORES: Final = {
    "gcs": (obstore.store.GCSStore, gcs.arguments),
    "s3": (obstore.store.S3Store, s3.arguments),
    "azure": (obstore.store.AzureStore, azure.arguments),
}


class Clients(NamedTuple):
    """Two clients of one place, and what must not be shown of how it is reached."""

    read: Any
    write: Any
    secrets: tuple[str, ...]


def connect(place: Place, environment: Mapping[str, str] = os.environ) -> Clients:
    """Clients for ``place``; nothing is sent yet. Raises ``OSError`` and obstore's errors for what can't be right."""
    if place.kind == "folder":
        os.makedirs(os.path.join(place.bucket, place.prefix), exist_ok=True)
        folder = obstore.store.LocalStore(os.path.join(place.bucket, place.prefix))
        return Clients(folder, folder, ())
    make, arguments = _STORES[place.kind]
    given = arguments(place, environment)
    if place.prefix:
        given["prefix"] = place.prefix
    plain = str(given.get("endpoint", "")).startswith("http://") or "disable_oauth" in given.get(
        "service_account_key", ""
    )
    seconds = place.timeout
    client = {
        "allow_http": plain,
        "connect_timeout": timedelta(seconds=min(seconds, _CONNECT_SECONDS)),
        "user_agent": "expops",
    }
    reading = {**client, "read_timeout": timedelta(seconds=seconds), "timeout": _WHOLE_READ}
    writing = {**client, "timeout": timedelta(seconds=seconds * _WRITE)}
    secrets = [str(given[name]) for name in _SECRET if given.get(name)]
    secrets += [environment[name] for name in _SECRET_VARIABLES if environment.get(name)]
    return Clients(
        make(**given, client_options=reading, retry_config=_patience("read", 2 * seconds)),
        make(**given, client_options=writing, retry_config=_patience("write", 4 * seconds)),
        tuple(sorted(secrets, key=len, reverse=True)),
    )


def _patience(way: str, seconds: float) -> dict[str, Any]:
    backoff = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=2), "base": 2}
    return {"max_retries": _RETRIES[way], "retry_timeout": timedelta(seconds=seconds), "backoff": backoff}
