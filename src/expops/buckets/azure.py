"""How a container of Azure Blob Storage is reached: by account and key, by connection string, or as ``az`` signs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .place import Place

# The emulator's account, which is the same everywhere and published: no secret.
_EMULATOR: Final = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "http://127.0.0.1:10000/devstoreaccount1",
)


def arguments(place: Place, environment: Mapping[str, str]) -> dict[str, Any]:
    """What ``AzureStore`` is called with."""
    found: dict[str, Any] = {"container_name": place.bucket}
    account = environment.get("AZURE_STORAGE_ACCOUNT_NAME") or environment.get("AZURE_STORAGE_ACCOUNT")
    if account:
        found["account_name"] = account
    found |= _of_connection_string(environment.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    if place.account:
        found["account_name"] = place.account
    if place.endpoint:
        found["endpoint"] = place.endpoint
    if environment.get("AZURE_STORAGE_KEY"):
        found.setdefault("account_key", environment["AZURE_STORAGE_KEY"])
    return found


def _of_connection_string(text: str) -> dict[str, Any]:
    parts = dict(part.strip().split("=", 1) for part in text.split(";") if "=" in part)
    if parts.get("UseDevelopmentStorage", "").lower() == "true":
        return dict(zip(("account_name", "account_key", "endpoint"), _EMULATOR, strict=True))
    found: dict[str, Any] = {}
    for name, given in (
        ("account_name", "AccountName"),
        ("account_key", "AccountKey"),
        ("sas_key", "SharedAccessSignature"),
        ("endpoint", "BlobEndpoint"),
    ):
        if parts.get(given):
            found[name] = parts[given].lstrip("?")
    if "AccountName" in parts and "endpoint" not in found and parts.get("EndpointSuffix"):
        scheme = parts.get("DefaultEndpointsProtocol", "https")
        found["endpoint"] = f"{scheme}://{parts['AccountName']}.blob.{parts['EndpointSuffix']}"
    return found
