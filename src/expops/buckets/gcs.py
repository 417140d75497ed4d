"""How a bucket of Google Cloud Storage is reached. obstore finds Application Default Credentials by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .place import Place


def arguments(place: Place, environment: Mapping[str, str]) -> dict[str, Any]:
    """What ``GCSStore`` is called with."""
    found: dict[str, Any] = {"bucket": place.bucket}
    endpoint = place.endpoint or _with_scheme(environment.get("STORAGE_EMULATOR_HOST", ""))
    if endpoint.startswith("http://"):
        # No server of Google's: an emulator, which knows no accounts.
        account = {"gcs_base_url": endpoint.rstrip("/"), "disable_oauth": True}
        empty = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
        return {**found, "service_account_key": json.dumps({**account, **empty})}
    if endpoint:
        found["base_url"] = endpoint.rstrip("/")
    if place.credentials:
        found["service_account"] = place.credentials
    return found


def _with_scheme(host: str) -> str:
    return host if not host or "://" in host else f"http://{host}"
