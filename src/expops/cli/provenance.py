"""Where a result came from and what it depends on, for ``expops explain``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..cache.discovery import readable
from ..cache.explain import Described
from ..cache.manifest import Manifest
from ..engine.recall import Remembered
from ..hashing.code.versions import shown
from ..runs.model import RunRecord
from .documents import moment
from .text import Printer, duration, local_time, plural, size

_FEW = 8
_DIGITS = 12  # of a fingerprint or digest
_KINDS = {"file": "files", "folder": "folders", "variable": "environment"}


class Source(NamedTuple):
    """What is known of an action, and whether the result in it is the one that a run would take now.

    ``made`` is the run that made the result, as far as the ledger has it, and ``because`` why it did.
    """

    known: Remembered
    current: bool
    made: RunRecord | None
    because: str


def source_document(source: Source) -> dict[str, Any]:
    """The same for programs."""
    described, manifest = source.known.described, source.known.manifest
    document: dict[str, Any] = {"depends_on": None, "result": None}
    if described is not None:
        document["depends_on"] = {
            "code": described.code.symbols,
            "widened": described.code.widened,
            "libraries": _versions(described, source),
            "parameters": _valued(described, described.key.parameters),
            "inputs": _inputs(described),
            "fingerprints": described.key.inputs,
            "closure": _valued(described, described.key.closure),
        }
    if manifest is not None:
        document["result"] = {
            "current": source.current,
            "run_id": manifest.run,
            "path": manifest.path,
            "reason": source.because,
            "created": moment(manifest.created),
            "git": {"commit": made.git_commit, "dirty": made.git_dirty} if (made := source.made) else None,
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
    described, manifest = source.known.described, source.known.manifest
    if manifest is not None:
        out.line()
        out.line("result" if source.current else "result it had before", "bold")
        out.table(list(_result_rows(manifest, source)))
    if described is not None:
        out.line()
        out.line("depends on", "bold")
        out.table(list(_dependency_rows(described, source)))
        if verbose and described.code.symbols:
            out.line()
            out.line("code", "bold")
            rows = [(name, mark[:_DIGITS]) for name, mark in sorted(described.code.symbols.items())]
            out.table(rows, head=("symbol", "digest"))


def _result_rows(manifest: Manifest, source: Source) -> Iterator[tuple[str, str]]:
    yield "made by", f"run {manifest.run} on {manifest.host}, {local_time(manifest.created)}" if manifest.run else ""
    if manifest.accepted is not None:
        yield "accepted", f"{local_time(manifest.accepted.when)}, as `expops accept` was asked to; since it was made:"
        for reason in manifest.accepted.reasons:
            yield "", reason
    if source.because:
        yield "because", source.because
    if source.made is not None and source.made.git_commit:
        dirty = " with changes that are not committed" if source.made.git_dirty else ""
        yield "git", source.made.git_commit[:12] + dirty
    yield "took", duration(manifest.seconds)
    outputs = [
        f"{name} ({size(value.size)}, fingerprint {value.fingerprint[:_DIGITS]})"
        for name, value in manifest.outputs.items()
    ]
    yield "outputs", ", ".join(outputs) or "none"
    if manifest.artifacts:
        yield "artifacts", _some([item.path for item in manifest.artifacts])


def _accepted_document(manifest: Manifest) -> dict[str, Any] | None:
    accepted = manifest.accepted
    if accepted is None:
        return None
    return {**accepted._asdict(), "when": moment(accepted.when)}


def _dependency_rows(described: Described, source: Source) -> Iterator[tuple[str, str]]:
    manifest = source.known.manifest if source.current else None
    code = described.code
    files = sorted({name.rpartition("::")[0] for name in code.symbols})
    yield "code", f"{plural(len(code.symbols), 'symbol')} in {_some(files)}" if files else "of a library"
    for file, reason in code.widened.items():
        yield "", f"all of {file} counts: {reason}"
    if code.libraries:
        versions = _versions(described, source)
        yield "libraries", ", ".join(f"{name} {shown(version)}" for name, version in sorted(versions.items()))
    for title, values in (
        ("parameters", _valued(described, described.key.parameters)),
        ("closure", _valued(described, described.key.closure)),
    ):
        if values:
            yield title, ", ".join(f"{name}{_told(value)}" for name, value in values.items())
    if described.key.inputs:
        marks = described.key.inputs
        told = [f"{name}{_told(text)} ({marks[name][:_DIGITS]})" for name, text in _inputs(described).items()]
        yield "inputs", ", ".join(told)
    if manifest is None:
        return
    for kind, title in _KINDS.items():
        names = sorted(readable(name) for name in manifest.discovered.get(kind, {}))
        if names:
            yield title, _some(names)
    drew = "" in manifest.discovered.get("seed", {})
    root = f" (random_seed {source.made.seed})" if source.made is not None else ""
    yield "seed", manifest.seed + root if drew else "no: it drew no random numbers"


def _versions(described: Described, source: Source) -> dict[str, str]:
    """Versions in full, of the run that made the result: under a loose policy others may have the same code digest."""
    known = source.made.libraries if source.made is not None and source.current else {}
    return {name: known.get(name, version) for name, version in described.code.libraries.items()}


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
