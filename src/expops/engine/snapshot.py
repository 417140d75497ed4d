"""The small files of a project and its configuration as records, so that a run can be repeated without a commit."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..cache import artifacts
from ..cache.sources import PREFIX
from ..hashing.digest import digest_bytes
from ..pipeline.config import Config
from ..runs.secrets import is_secret, redacted
from .project import Project

LARGEST: Final = 1 << 20  # bytes of one file
_LARGEST_RECORD: Final = 900_000  # some stores allow 1 MiB for a value
_MOST: Final = 16 << 20  # bytes of all inputs of one run


def source_records(project: Project, files: Mapping[str, str]) -> dict[str, bytes]:
    """Records of those of ``files`` (path and digest) that may be kept and have not been edited since."""
    found: dict[str, bytes] = {}
    for path, digest in files.items():
        if not _is_secret(project, path):
            found.update(_record(project, path, digest))
    return found


def small_inputs(project: Project, names: Iterable[str], known: Mapping[str, str]) -> dict[str, bytes]:
    """Records of the small files among ``names`` that are part of the project but not of its data."""
    found: dict[str, bytes] = {}
    total = 0
    data = (artifacts.DATA, *project.config.data)
    for name in sorted(names):
        path = name.removeprefix("project/")
        if path == name or path in known or _is_secret(project, path) or any(_within(path, folder) for folder in data):
            continue
        record = _record(project, path, "")
        total += sum(map(len, record.values()))
        if total <= _MOST:
            found.update(record)
    return found


def without_secrets(configuration: bytes) -> bytes:
    """The configuration file without the credentials of its stores: a run made again has stores of its own."""
    return redacted(configuration.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _is_secret(project: Project, path: str) -> bool:
    return is_secret(path) or path == keys_file(project)


def keys_file(project: Project) -> str:
    """The file of the project that holds signing keys, relative to its folder; ``""`` if there is none."""
    signing = project.config.cache.signing
    if signing.source != "file":
        return ""
    place = os.path.relpath(os.path.join(project.root, os.path.expanduser(signing.name)), project.root)
    return "" if place.startswith(os.pardir) else place.replace(os.sep, "/")


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _record(project: Project, path: str, digest: str) -> dict[str, bytes]:
    place = os.path.join(project.root, path)
    try:
        if not os.path.isfile(place) or os.path.getsize(place) > LARGEST:
            return {}
        with open(place, "rb") as file:
            content = file.read()
    except OSError:
        return {}
    if path == project.config.path:
        content = without_secrets(content)
    held = digest_bytes(content)
    packed = zlib.compress(content)
    # What was edited since is not what runs, and a run says so by itself.
    return {PREFIX + held: packed} if digest in ("", held) and len(packed) <= _LARGEST_RECORD else {}


def resolved(config: Config) -> dict[str, Any]:
    """A configuration as plain data: what it means, whatever way it was written."""
    document: dict[str, Any] = _plain(config)
    for process in document["processes"]:
        del process["line"]  # where it stands, not what it says
    del document["cache"]["signing"]["line"]
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(item) for name, item in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return redacted(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)
