"""A run as a Workflow Run RO-Crate: files in a folder, and JSON-LD that says how they came about.

What the JSON-LD says is in :mod:`.crate_graph`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..errors import CorruptData
from ..runs.canonical import canonical
from .crate_graph import METADATA, artifact_path, entities
from .document import source_bytes
from .files import Made
from .pylock import requirements

_CONTEXT: Final = "https://w3id.org/ro/crate/1.1/context"


def write_crate(folder: str, document: Mapping[str, Any], files: Sequence[Made], *, licence: str | None = None) -> None:
    """Write the crate of a run into ``folder``, which is empty or not there; ``files`` are its artifacts.

    Raises ``OSError``, and :class:`CorruptData` for a record that is damaged.
    """
    contents = dict(_contents(document, files))
    for path, data in contents.items():
        _write(folder, path, data)
    graph = list(entities(document, contents, files, licence))
    text = json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=2, ensure_ascii=False)
    _write(folder, METADATA, text.encode("utf-8", "backslashreplace"))


def _contents(document: Mapping[str, Any], files: Sequence[Made]) -> Iterator[tuple[str, bytes]]:
    yield "run.json", canonical(document) + b"\n"
    yield "pylock.toml", document["environment"]["pylock"].encode()
    yield "requirements.txt", requirements(document["environment"]).encode()
    sources = dict(document["code"]["files"])
    for group in document["inputs"]:
        for item in group["files"]:
            if item["name"].startswith("project/"):
                sources.setdefault(item["name"].removeprefix("project/"), item["digest"])
    for path, mark in sources.items():
        data = source_bytes(document, mark)
        if data is not None:
            yield path, data
    workflow = document["configuration"]["path"]
    if source_bytes(document, sources.get(workflow, "")) is None:
        # The workflow of a crate must be a file: of a run whose sources are gone, what is known stands for it.
        yield workflow, json.dumps(document["configuration"]["resolved"], indent=1).encode()
    for made in files:
        yield artifact_path(made), made.data


def _write(folder: str, path: str, data: bytes) -> None:
    if os.path.isabs(path) or any(part in ("", ".", "..") for part in path.split("/")):
        raise CorruptData(f"the record names the file {path!r}, which is not inside the crate")
    place = os.path.join(folder, *path.split("/"))
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(data)
