"""Where a result came from and what it depends on, for ``expops explain``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..cache.discovery import readable
from ..cache.explain import Described
from ..cache.manifest import Manifest
from .documents import moment
from .records import Remembered
from .text import Printer, duration, local_time, plural, size

_FEW = 8
_KINDS = {"file": "files", "folder": "folders", "variable": "environment"}


class Source(NamedTuple):
    """What is known of an action, and whether the result in it is the one that a run would take now."""

    known: Remembered
    current: bool


def source_document(source: Source) -> dict[str, Any]:
    """The same for programs."""
    described, manifest = source.known
    document: dict[str, Any] = {"depends_on": None, "result": None}
    if described is not None:
        document["depends_on"] = {
            "code": described.code.symbols,
            "widened": described.code.widened,
            "libraries": described.code.libraries,
            "parameters": _valued(described, described.key.parameters),
            "inputs": _inputs(described),
            "closure": _valued(described, described.key.closure),
        }
    if manifest is not None:
        document["result"] = {
            "current": source.current,
            "run_id": manifest.run,
            "path": manifest.path,
            "created": moment(manifest.created),
            "host": manifest.host,
            "seconds": round(manifest.seconds, 6),
            "seed": manifest.seed,
            "drew": "" in manifest.discovered.get("seed", {}),
            "discovered": manifest.discovered,
            "outputs": {
                name: {"fingerprint": value.fingerprint, "bytes": value.size}
                for name, value in manifest.outputs.items()
            },
            "artifacts": [item.path for item in manifest.artifacts],
            "accepted": _accepted_document(manifest),
        }
    return document


def print_source(source: Source, out: Printer, *, verbose: bool) -> None:
    """The same for people."""
    described, manifest = source.known
    if manifest is not None:
        out.line()
        out.line("result" if source.current else "result it had before", "bold")
        out.table(list(_result_rows(manifest)))
    if described is not None:
        out.line()
        out.line("depends on", "bold")
        out.table(list(_dependency_rows(described, manifest if source.current else None)))
        if verbose and described.code.symbols:
            out.line()
            out.line("code", "bold")
            out.table([(name,) for name in sorted(described.code.symbols)])


def _result_rows(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "made by", f"run {manifest.run} on {manifest.host}, {local_time(manifest.created)}" if manifest.run else ""
    if manifest.accepted is not None:
        yield "accepted", f"{local_time(manifest.accepted.when)}, as `expops accept` was asked to; since it was made:"
        for reason in manifest.accepted.reasons:
            yield "", reason
    yield "took", duration(manifest.seconds)
    outputs = [f"{name} ({size(value.size)})" for name, value in manifest.outputs.items()]
    yield "outputs", ", ".join(outputs) or "none"
    if manifest.artifacts:
        yield "artifacts", _some([item.path for item in manifest.artifacts])


def _accepted_document(manifest: Manifest) -> dict[str, Any] | None:
    accepted = manifest.accepted
    if accepted is None:
        return None
    return {**accepted._asdict(), "when": moment(accepted.when)}


def _dependency_rows(described: Described, manifest: Manifest | None) -> Iterator[tuple[str, str]]:
    code = described.code
    files = sorted({name.rpartition("::")[0] for name in code.symbols})
    yield "code", f"{plural(len(code.symbols), 'symbol')} in {_some(files)}" if files else "of a library"
    for file, reason in code.widened.items():
        yield "", f"all of {file} counts: {reason}"
    if code.libraries:
        yield "libraries", ", ".join(f"{name} {version}" for name, version in sorted(code.libraries.items()))
    for title, values in (
        ("parameters", _valued(described, described.key.parameters)),
        ("inputs", _inputs(described)),
        ("closure", _valued(described, described.key.closure)),
    ):
        if values:
            yield title, ", ".join(f"{name}{_told(value)}" for name, value in values.items())
    if manifest is None:
        return
    for kind, title in _KINDS.items():
        names = sorted(readable(name) for name in manifest.discovered.get(kind, {}))
        if names:
            yield title, _some(names)
    drew = "" in manifest.discovered.get("seed", {})
    yield "seed", manifest.seed if drew else "no: it drew no random numbers"


def _told(value: str) -> str:
    return f" = {value}" if value else ""


def _valued(described: Described, marks: Any) -> dict[str, str]:
    """Short texts by name, empty where a value has none."""
    return {name: described.values.get(name, "") for name in marks}


def _inputs(described: Described) -> dict[str, str]:
    return {
        name: f"output of {described.labels[name]}" if name in described.labels else described.values.get(name, "")
        for name in described.key.inputs
    }


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_FEW])
    return shown + f" and {len(names) - _FEW} more" if len(names) > _FEW else shown
