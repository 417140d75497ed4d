"""Records of the ledger from bytes that anybody may have written: what is none of them is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..untrusted import (
    Check,
    inflated,
    is_bool,
    is_count,
    is_digest,
    is_inside,
    is_moment,
    is_name,
    is_number,
    is_seconds,
    is_seed,
    is_text,
    is_unicode,
    json_in,
    list_of,
    map_of,
    object_of,
    one_of,
    row_of,
)
from .model import OUTCOMES, STATUSES, ActionRecord, RunRecord, Unfollowed

_STEPS: Final = 1 << 63
_PROCESSES: Final = 1 << 31  # what systems number processes with


def run_in(raw: bytes, run_id: str) -> RunRecord | None:
    """The record of the run of that id; ``None`` if ``raw`` is none."""
    fields = _json(raw)
    return RunRecord(*fields) if _is_run(fields) and fields[0] == run_id else None


def actions_in(raw: bytes) -> Iterator[ActionRecord]:
    """The actions in a batch."""
    for fields in _rows(raw):
        if _is_action(fields):
            yield _action(fields)


def metrics_in(raw: bytes) -> Iterator[tuple[str, dict[str, dict[int, float]]]]:
    """Processes in a batch, and their metrics."""
    for fields in _rows(raw):
        if _is_series(fields):
            path, series = fields
            yield path, {name: {int(step): value for step, value in found.items()} for name, found in series.items()}


def shared_in(kind: str, raw: bytes) -> Any:
    """What a run refers to, of that kind of ``PROVENANCE``; ``None`` if it is nothing of that kind."""
    try:
        document = json_in(inflated(raw))
    except ValueError:
        return None
    return document if kind in _SHARED and _SHARED[kind](document) else None


def _json(raw: bytes) -> Any:
    try:
        return json_in(raw)
    except ValueError:
        return None


def _rows(raw: bytes) -> list[Any]:
    rows = _json(raw)
    return rows if type(rows) is list else []


def _action(fields: list[Any]) -> ActionRecord:
    record = ActionRecord(*fields)
    return record._replace(
        outputs={name: (mark, size) for name, (mark, size) in record.outputs.items()},
        artifacts=tuple(record.artifacts),
        artifact_digests=tuple(record.artifact_digests),
        resources=(record.resources[0], record.resources[1]),
        unfollowed=tuple([Unfollowed(*found) for found in record.unfollowed]),
    )


def _is_action(fields: Any) -> bool:
    if not _has_action_fields(fields):
        return False
    record = ActionRecord(*fields)
    return len(record.artifacts) == len(record.artifact_digests)


def _is_step(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20 and int(text) < _STEPS


def _is_points(value: Any) -> bool:
    return bool(value) and _are_points(value)


def _is_process(value: Any) -> bool:
    return is_count(value) and value < _PROCESSES


_no_digest: Final = one_of("")


def _is_mark(value: Any) -> bool:
    return is_digest(value) or _no_digest(value)


_are_points: Final = map_of(is_number, names=_is_step)
_is_series: Final = row_of(is_text, map_of(_is_points))
_is_run: Final = row_of(
    *(is_name, one_of(*STATUSES), is_seed, is_moment, is_moment, list_of(is_text), _is_process, is_text, _is_process),
    *(is_text, one_of(True, False, None), is_text, map_of(is_text), list_of(is_text), map_of(is_count), is_seconds),
    *(is_text, list_of(is_text), map_of(is_digest)),
    optional=3,
)
_has_action_fields: Final = row_of(
    *(is_text, one_of("process", "step"), one_of(*OUTCOMES), is_text, is_seconds, is_seconds),
    map_of(row_of(is_text, is_count)),
    *(is_text, is_bool, is_moment, _is_mark, _is_mark, is_text, is_bool, list_of(is_inside), is_text),
    *(list_of(is_text), row_of(is_seconds, is_count), list_of(row_of(is_text, is_count, is_text))),
    optional=3,
)
_is_origin: Final = object_of(
    url=is_unicode,
    optional={
        "dir_info": object_of({"editable": is_bool}),
        "vcs_info": object_of(vcs=is_unicode, commit_id=is_unicode),
        "archive_info": object_of({"hashes": map_of(is_unicode)}),
    },
)
_is_package: Final = object_of(
    {"wheel": is_unicode, "record": is_unicode, "origin": _is_origin}, name=is_unicode, version=is_unicode
)
_is_pool: Final = map_of(lambda value: True)
_is_machine: Final = object_of(
    {"threadpools": list_of(_is_pool)}, cpu=object_of({"flags": list_of(is_text), "model": is_text})
)
_SHARED: Final[dict[str, Check]] = {
    "sources": map_of(_is_mark),
    "configuration": object_of({"processes": list_of(object_of({"tolerance": map_of(is_number)}, name=is_text))}),
    "environment": object_of(
        python=object_of({"implementation": is_unicode, "compiler": is_unicode}, version=is_unicode),
        platform=map_of(is_unicode),
        packages=list_of(_is_package),
    ),
    "inputs": list_of(row_of(map_of(map_of(is_text, names=is_name)), list_of(is_text))),
    "numeric": list_of(_is_machine),
    "changes": object_of(remote=is_text, diff=lambda value: value is None or is_text(value), note=is_text),
}
