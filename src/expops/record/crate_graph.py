"""The JSON-LD of a Workflow Run RO-Crate.

Profiles: Process Run Crate, Workflow Run Crate and Provenance Run Crate 0.5, Workflow RO-Crate 1.0, RO-Crate 1.1. The
configuration is the workflow, each process one of its steps, the function behind it a tool, each execution an action.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

from ..engine.names import folder_name
from ..hashing.digest import digest_bytes
from ..runs.canonical import canonical
from .files import Made

METADATA: Final = "ro-crate-metadata.json"
_WORKFLOW_CRATE: Final = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES: Final = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    _WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
_FORMAL: Final = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
_ENGINE: Final = "#expops"
_STATUS: Final = {
    "done": "CompletedActionStatus",
    "hit": "CompletedActionStatus",
    "executed": "CompletedActionStatus",
    "running": "ActiveActionStatus",
}
_TYPES: Final = {"bool": "Boolean", "int": "Integer", "float": "Float"}
_MEDIA: Final = {".py": "text/x-python", ".yaml": "application/yaml", ".json": "application/json", ".png": "image/png"}

Entity: TypeAlias = dict[str, Any]


def artifact_path(made: Made) -> str:
    """Where an artifact is in the crate."""
    return f"artifacts/{folder_name(made.process)}/{made.path}"


def entities(
    document: Mapping[str, Any], contents: Mapping[str, bytes], files: Sequence[Made], licence: str | None
) -> Iterator[Entity]:
    """All entities of the crate of a run. ``contents`` are its files by path, ``files`` those that are artifacts."""
    for entity in _entities(document, contents, files, licence):
        yield {name: _compact(value) for name, value in entity.items() if value not in (None, [])}


def _compact(value: Any) -> Any:
    """A list of one as its item, as compacted JSON-LD has it."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _entities(
    document: Mapping[str, Any], contents: Mapping[str, bytes], files: Sequence[Made], licence: str | None
) -> Iterator[Entity]:
    run = _Run(document, contents, files)
    licence_id = licence or "#licence"
    yield {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": [_id("https://w3id.org/ro/crate/1.1"), _id(_WORKFLOW_CRATE)],
        "about": _id("./"),
    }
    yield _root(run, licence_id)
    yield {"@id": licence_id, "@type": "CreativeWork", "name": licence or "No licence is given; ask the authors"}
    for uri, (name, version) in PROFILES.items():
        yield {"@id": uri, "@type": "CreativeWork", "name": name, "version": version}
    yield {
        "@id": _ENGINE,
        "@type": ["ComputerLanguage", "SoftwareApplication"],
        "name": "expops",
        "softwareVersion": document["expops"],
        "url": _id("https://pypi.org/project/expops/"),
    }
    yield _workflow(run)
    yield from _run_actions(run)
    for position, item in enumerate(run.actions):
        yield from _process(run, position, item)
    yield from _parameters(run)
    yield from _files(run)
    yield from _inputs(run)


class _Run(NamedTuple):
    document: Mapping[str, Any]
    contents: Mapping[str, bytes]
    files: Sequence[Made]

    @property
    def resolved(self) -> Mapping[str, Any]:
        return self.document["configuration"]["resolved"] or {}

    @property
    def processes(self) -> dict[str, Mapping[str, Any]]:
        return {item["name"]: item for item in self.resolved.get("processes", ())}

    @property
    def actions(self) -> list[Mapping[str, Any]]:
        return [item for item in self.document["actions"] if item["kind"] == "process"]

    @property
    def workflow(self) -> str:
        return _uri(self.document["configuration"]["path"])

    @property
    def name(self) -> str:
        return self.resolved.get("name") or "expops project"

    def began(self) -> str:
        return _moment(self.document["measurements"]["started"])

    def ended(self) -> str:
        times = self.document["measurements"]
        return _moment(times["finished"] or times["started"])

    def made_by(self, process: str) -> list[Entity]:
        return [_id(_uri(artifact_path(made))) for made in self.files if made.process == process]

    def parameters_of(self, process: str) -> dict[str, Any]:
        found: dict[str, Any] = self.processes.get(process, {}).get("parameters", {})
        return found


def _id(uri: str) -> Entity:
    return {"@id": uri}


def _ids(uris: Sequence[str]) -> list[Entity]:
    return [_id(uri) for uri in uris]


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/~")


def _local(kind: str, *names: str) -> str:
    return f"#{kind}/" + "/".join(quote(name.encode("utf-8", "surrogateescape"), safe="") for name in names)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _status(outcome: str) -> str:
    return "http://schema.org/" + _STATUS.get(outcome, "FailedActionStatus")


def _root(run: _Run, licence: str) -> Entity:
    run_id = run.document["run"]["id"]
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{run.name}, run {run_id}",
        "description": run.resolved.get("description") or f"A run of the expops project {run.name}",
        "datePublished": run.ended(),
        "license": _id(licence),
        "identifier": f"blake3:{run.document['digest']}",
        "conformsTo": _ids(list(PROFILES)),
        "hasPart": _ids([_uri(path) for path in run.contents]),
        "mainEntity": _id(run.workflow),
        "mentions": [_id("#run"), *_ids([_local("execution", item["path"]) for item in run.actions])],
    }


def _workflow(run: _Run) -> Entity:
    names = [item["path"] for item in run.actions]
    return {
        "@id": run.workflow,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": run.name,
        "description": run.resolved.get("description") or f"The pipeline of the expops project {run.name}",
        "programmingLanguage": _id(_ENGINE),
        "encodingFormat": "application/yaml",
        "version": run.resolved.get("version")
        or run.document["code"]["commit"]
        or run.document["configuration"]["digest"],
        "conformsTo": _id("https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"),
        "hasPart": _ids([_local("tool", name) for name in names]),
        "step": _ids([_local("step", name) for name in names]),
        "input": _ids([_local("parameter", name, key) for name in names for key in run.parameters_of(name)]),
    }


def _run_actions(run: _Run) -> Iterator[Entity]:
    document = run.document
    values = [_local("value", item["path"], key) for item in run.actions for key in run.parameters_of(item["path"])]
    results = [made for item in run.actions for made in run.made_by(item["path"])]
    yield {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run {document['run']['id']}",
        "description": " ".join(document["run"]["command"]),
        "instrument": _id(run.workflow),
        "startTime": run.began(),
        "endTime": run.ended(),
        "actionStatus": _status(document["run"]["status"]),
        "object": [*_ids(values), *_ids(_input_ids(run))],
        "result": [_id("run.json"), *results],
    }
    yield {
        "@id": "#orchestration",
        "@type": "OrganizeAction",
        "name": f"expops {document['expops']} ran {run.name}",
        "instrument": _id(_ENGINE),
        "object": _ids([_local("control", item["path"]) for item in run.actions]),
        "result": _id("#run"),
        "startTime": run.began(),
        "endTime": run.ended(),
    }


def _process(run: _Run, position: int, item: Mapping[str, Any]) -> Iterator[Entity]:
    name = item["path"]
    process = run.processes.get(name, {})
    parameters = run.parameters_of(name)
    times = run.document["measurements"]["actions"][name]
    yield {
        "@id": _local("step", name),
        "@type": "HowToStep",
        "name": name,
        "position": str(position),
        "workExample": _id(_local("tool", name)),
    }
    yield {
        "@id": _local("tool", name),
        "@type": "SoftwareApplication",
        "name": f"{process.get('function', name)} in {process.get('script', 'an unknown script')}",
        "description": process.get("description") or f"The function behind the process {name}",
        "softwareVersion": (item["code"] or {}).get("digest") or run.document["code"]["commit"],
        "input": _ids([_local("parameter", name, key) for key in parameters]),
    }
    yield {
        "@id": _local("control", name),
        "@type": "ControlAction",
        "name": f"expops orchestrated {name}",
        "instrument": _id(_local("step", name)),
        "object": _id(_local("execution", name)),
    }
    yield {
        "@id": _local("execution", name),
        "@type": "CreateAction",
        "name": f"{name}: {item['outcome']}",
        "description": item["error"] or item["reason"],
        "instrument": _id(_local("tool", name)),
        "startTime": _moment(times["started"]),
        "endTime": _moment(times["started"] + times["seconds"]),
        "actionStatus": _status(item["outcome"]),
        "object": [*_ids([_local("value", name, key) for key in parameters]), *_ids(_input_ids(run, name))],
        "result": [*run.made_by(name), *_ids([_local("output", name, output) for output in item["outputs"]])],
        "error": item["error"] or None,
    }
    for output, told in item["outputs"].items():
        yield {
            "@id": _local("output", name, output),
            "@type": "PropertyValue",
            "name": f"{name}.{output}",
            "propertyID": "fingerprint",
            "value": told["fingerprint"],
        }


def _parameters(run: _Run) -> Iterator[Entity]:
    for item in run.actions:
        for key, value in run.parameters_of(item["path"]).items():
            formal, actual = _local("parameter", item["path"], key), _local("value", item["path"], key)
            yield {
                "@id": formal,
                "@type": "FormalParameter",
                "additionalType": _TYPES.get(type(value).__name__, "Text"),
                "name": f"{item['path']}.{key}",
                "conformsTo": _id(_FORMAL),
                "workExample": _id(actual),
            }
            yield {
                "@id": actual,
                "@type": "PropertyValue",
                "name": f"{item['path']}.{key}",
                "value": value if isinstance(value, str | int | float) else canonical(value).decode(),
                "exampleOfWork": _id(formal),
            }


def _files(run: _Run) -> Iterator[Entity]:
    for path, data in run.contents.items():
        if _uri(path) == run.workflow:
            continue
        suffix = "." + path.rpartition(".")[2]
        yield {
            "@id": _uri(path),
            "@type": "File",
            "name": path,
            "contentSize": str(len(data)),
            "identifier": f"blake3:{digest_bytes(data)}",
            "encodingFormat": _MEDIA.get(suffix, "text/plain" if _is_text(data) else "application/octet-stream"),
        }


def _is_text(data: bytes) -> bool:
    return b"\0" not in data[:8192]


def _input_ids(run: _Run, process: str | None = None) -> list[str]:
    """What a process has read, or any of them: files of the crate, or entities that say what others held."""
    found = [
        _input_id(run, item["name"])
        for group in run.document["inputs"]
        if process is None or process in group["processes"]
        for item in group["files"]
    ]
    return list(dict.fromkeys(found))


def _input_id(run: _Run, name: str) -> str:
    path = name.removeprefix("project/")
    return _uri(path) if path != name and path in run.contents else _local("input", name)


def _inputs(run: _Run) -> Iterator[Entity]:
    """The files that were read and are not in the crate, by name and digest."""
    told = {
        uri: item
        for group in run.document["inputs"]
        for item in group["files"]
        if (uri := _input_id(run, item["name"])).startswith("#")
    }
    for uri, item in told.items():
        yield {
            "@id": uri,
            "@type": "CreativeWork",
            "name": item["name"].removeprefix("project/"),
            "identifier": f"blake3:{item['digest']}",
            "description": "An input that is not part of this crate",
        }
