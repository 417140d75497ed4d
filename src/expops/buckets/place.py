"""Where a bucket is, and how patient its users are: what a configuration says, before anything is imported for it."""

from __future__ import annotations

from typing import NamedTuple

_SCHEMES = {"gcs": "gs", "s3": "s3", "azure": "az", "folder": "file"}


class Place(NamedTuple):
    """``kind`` is ``gcs``, ``s3``, ``azure`` or ``folder``; ``bucket`` the name of the bucket or container, or the
    folder's absolute path; ``prefix`` is put in front of all names; ``timeout`` is in seconds without an answer."""

    kind: str
    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    account: str = ""
    credentials: str = ""
    timeout: float = 10.0

    def __str__(self) -> str:
        """The address as people write it; it holds no secrets."""
        path = f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket
        return f"{_SCHEMES[self.kind]}://{path}"
