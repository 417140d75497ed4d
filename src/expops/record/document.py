"""The document of a run: all that is known of it, as JSON under a versioned schema (``run.schema.json``)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from .. import __version__
from ..cache.manifest import Artifact, Blob, StoredValue
from ..cache.status import ASKED
from ..engine.recall import Remembered, remembered
from ..errors import CorruptData
from ..hashing.digest import digest_bytes
from ..kv.base import KVStore
from ..runs.canonical import digest, finite
from ..runs.ledger import Ledger
from ..runs.model import ActionRecord, Metrics, RunRecord
from ..runs.secrets import is_secret, redacted
from .pylock import pylock

SCHEMA: Final = "expops.run/1"
# Left out of the digest: what no two runs share, and the bytes for which the digests in `code.files` stand.
UNDIGESTED: Final = ("digest", "measurements", "sources")
_CONFIG: Final = "configs/project_config.yaml"


class Run(NamedTuple):
    """A run as the ledger has it; ``status`` says ``killed`` where the ledger can only say ``running``."""

    record: RunRecord
    status: str
    actions: Sequence[ActionRecord]
    metrics: Metrics


def run_document(run: Run, kv: KVStore) -> dict[str, Any]:
    """The document of a run. What the cache or ledger has not got any more is ``null`` or left out."""
    record = run.record
    ledger = Ledger(kv)
    shared = ledger.shared(record)
    files: dict[str, str] = shared.get("sources") or {}
    contents = ledger.sources(_readable(files, shared))
    known = remembered(kv, run.actions)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "expops": __version__,
        "run": {
            "id": record.run_id,
            "status": run.status,
            "seed": record.seed,
            "command": [redacted(word) for word in record.command],
            "overrides": record.overrides,
            "targets": record.targets,
        },
        "configuration": _configuration(files, shared),
        "code": _code(record, files, contents, shared.get("changes")),
        "inputs": _inputs(shared.get("inputs") or [], contents),
        "environment": _environment(shared.get("environment"), record),
        "numeric": shared.get("numeric") or [],
        "actions": [_action(item, known[item.path]) for item in run.actions],
        "metrics": run.metrics,
        "measurements": _measurements(run),
        "sources": {mark: _content(data) for mark, data in contents.items()},
    }
    whole: dict[str, Any] = finite(document)
    whole["digest"] = document_digest(whole)
    return whole


def document_digest(document: Mapping[str, Any]) -> str:
    """The digest of a document: over all of it but times, resources and the bytes of sources."""
    return digest({name: value for name, value in document.items() if name not in UNDIGESTED})


def source_bytes(document: Mapping[str, Any], mark: str) -> bytes | None:
    """The bytes of a source in the document, by digest. Raises :class:`CorruptData` if they are others."""
    held = document["sources"].get(mark)
    if held is None:
        return None
    data = held["text"].encode() if "text" in held else base64.b64decode(held["base64"])
    if digest_bytes(data) != mark:
        raise CorruptData(f"the record holds other bytes than those of {mark}; it was altered or damaged")
    return data


def check_document(document: Any) -> dict[str, Any]:
    """``document`` if it is a sound run record. Raises :class:`CorruptData`."""
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise CorruptData(f"this is no run record of a kind that is known here (schema {schema!r}, not {SCHEMA!r})")
    try:
        sound = document_digest(document) == document["digest"]
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise CorruptData(f"this is no whole run record: {fault!r}") from fault
    if not sound:
        raise CorruptData("this run record was altered or damaged: its digest is not that of what it says")
    found: dict[str, Any] = document
    return found


def _readable(files: Mapping[str, str], shared: Mapping[str, Any]) -> list[str]:
    read = [mark for found, _ in shared.get("inputs") or [] for mark in found.get("file", {}).values()]
    return [*(mark for path, mark in files.items() if not is_secret(path)), *read]


def _configuration(files: Mapping[str, str], shared: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": _CONFIG, "digest": files.get(_CONFIG), "resolved": shared.get("configuration")}


def _code(
    record: RunRecord, files: Mapping[str, str], contents: Mapping[str, bytes], changes: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "commit": record.git_commit or None,
        "dirty": record.git_dirty,
        "changes": changes,
        "files": files,
        "left_out": {path: _why_left_out(path) for path, mark in files.items() if mark not in contents},
    }


def _why_left_out(path: str) -> str:
    return "its name says that it holds secrets" if is_secret(path) else "too large, edited meanwhile, or not readable"


def _inputs(groups: Sequence[Sequence[Any]], contents: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [
        {
            "processes": processes,
            "files": [
                {"name": name, "digest": mark, "recorded": mark in contents}
                for name, mark in found.get("file", {}).items()
            ],
            "folders": found.get("folder", {}),
            "asked": {kind: found[kind] for kind in ASKED if kind in found},
            "variables": found.get("variable", {}),
        }
        for found, processes in groups
    ]


def _environment(found: dict[str, Any] | None, record: RunRecord) -> dict[str, Any]:
    known = found or {"python": {"version": record.python}, "platform": {}, "packages": []}
    return {**known, "libraries": record.libraries, "pylock": pylock(known)}


def _action(item: ActionRecord, known: Remembered) -> dict[str, Any]:
    described, manifest = known.described, known.manifest
    stored = manifest.outputs if manifest is not None else {}
    sizes = {kept.path: _size(kept) for kept in manifest.artifacts} if manifest is not None else {}
    document: dict[str, Any] = {
        "path": item.path,
        "kind": item.kind,
        "outcome": item.outcome,
        "reason": item.reason,
        "action": item.action,
        "result": item.result,
        "producer": item.producer,
        "stored": item.stored,
        "seed": item.seed,
        "drew": item.drew,
        "outputs": {name: _output(mark, size, stored.get(name)) for name, (mark, size) in item.outputs.items()},
        "artifacts": [
            {"path": path, "digest": mark, "bytes": sizes.get(path)}
            for path, mark in zip(item.artifacts, item.artifact_digests, strict=True)
        ],
        "error": item.error,
        "code": None,
        "takes": None,
        "discovered": manifest.discovered if manifest is not None else None,
    }
    if described is not None:
        document["code"] = {
            "digest": described.key.code,
            "symbols": described.code.symbols,
            "widened": described.code.widened,
            "libraries": described.code.libraries,
        }
        document["takes"] = {
            "inputs": described.key.inputs,
            "parameters": described.key.parameters,
            "closure": described.key.closure,
        }
    return document


def _output(mark: str, size: int, stored: StoredValue | None) -> dict[str, Any]:
    told: dict[str, Any] = {"fingerprint": mark, "bytes": size}
    if stored is not None and stored.fingerprint == mark:
        parts = [stored.head, *stored.buffers]
        told["codec"] = stored.codec
        told["digests"] = [part.digest if isinstance(part, Blob) else digest_bytes(part) for part in parts]
    return told


def _size(item: Artifact) -> int:
    return item.content.size if isinstance(item.content, Blob) else len(item.content)


def _measurements(run: Run) -> dict[str, Any]:
    record = run.record
    return {
        "started": record.started,
        "finished": record.finished or None,
        "seconds": record.seconds,
        "saved_seconds": record.saved,
        "host": record.host,
        "pid": record.pid,
        "jobs": record.jobs,
        "counts": record.counts,
        "actions": {
            item.path: {
                "started": item.started,
                "seconds": item.seconds,
                "saved_seconds": item.saved,
                "cpu_seconds": item.resources[0],
                "peak_memory_bytes": item.resources[1],
            }
            for item in run.actions
        },
    }


def _content(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
