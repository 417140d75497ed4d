"""Buckets for tests: one made anew at each of the servers, with what a process must have in its environment."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from itertools import count
from pathlib import Path
from typing import NamedTuple

from gcs_server import gcs_server
from servers import AZURE_KEY, azure_server, s3_server

KINDS = ("s3", "gcs", "azure", "folder")
_NUMBER = count()


class Cloud(NamedTuple):
    """A server (or folder), and the environment in which it is found."""

    kind: str
    url: str
    environment: dict[str, str]


@contextmanager
def cloud(kind: str, folder: Path) -> Iterator[Cloud]:
    """A server of that kind until the block ends."""
    if kind == "folder":
        yield Cloud(kind, str(folder), {})
    elif kind == "gcs":
        with gcs_server() as (url, _):
            yield Cloud(kind, url, {"STORAGE_EMULATOR_HOST": url})
    elif kind == "s3":
        with s3_server() as url:
            keys = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "s3-secret-of-the-tests"}
            yield Cloud(kind, url, {"AWS_ENDPOINT_URL": url, **keys})
    else:
        with azure_server() as url:
            text = f"AccountName=devstoreaccount1;AccountKey={AZURE_KEY};BlobEndpoint={url};"
            yield Cloud(kind, url, {"AZURE_STORAGE_CONNECTION_STRING": text})


def new_bucket(at: Cloud) -> str:
    """Make a bucket; gives its name (of a folder, the path)."""
    number = next(_NUMBER)
    if at.kind == "folder":
        return os.path.join(at.url, f"bucket{number}")
    if at.kind in ("s3", "gcs"):
        request = urllib.request.Request(f"{at.url}/bucket{number}", method="PUT")
        # By hand, since the library in use makes no buckets; moto checks no signatures.
        urllib.request.urlopen(request, timeout=20).close()
    elif at.kind == "azure":
        _make_container(at.url, f"bucket{number}")
    return f"bucket{number}"


def _make_container(url: str, name: str) -> None:
    date, version = formatdate(usegmt=True), "2021-08-06"
    headers = f"x-ms-date:{date}\nx-ms-version:{version}\n"
    resource = f"/devstoreaccount1/devstoreaccount1/{name}\nrestype:container"
    text = "PUT" + "\n" * 12 + headers + resource
    signature = base64.b64encode(hmac.digest(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256)).decode()
    request = urllib.request.Request(
        f"{url}/{name}?restype=container",
        method="PUT",
        headers={
            "x-ms-date": date,
            "x-ms-version": version,
            "Authorization": f"SharedKey devstoreaccount1:{signature}",
        },
    )
    urllib.request.urlopen(request, timeout=20).close()
