"""Whether what is read as a manifest is one, field by field: anybody may have written it (see :mod:`expops.untrusted`).

On the path of every look-up, so the checks of what all manifests have are written out. Each raises ``ValueError`` or
``TypeError``.
"""

from __future__ import annotations

from typing import Any, Final

from ..untrusted import (
    LARGEST_SIZE,
    is_digest,
    is_inside,
    is_moment,
    is_name,
    is_number,
    is_seconds,
    is_text,
    list_of,
    map_of,
    row_of,
)
from .discovery import KINDS as DISCOVERED

_ACTIONS: Final = ("process", "step")
_STREAMS: Final = ("stdout", "stderr")
_MODES: Final = 0o7777
_STEPS: Final = 1 << 63
_is_found: Final = map_of(is_text, names=is_name)
_is_accepted: Final = row_of(is_name, is_name, is_digest, is_digest, is_moment, list_of(is_text))
_is_digests: Final = list_of(is_digest)


def check_fields(fields: list[Any]) -> None:
    """Check the fields of a manifest in their order, as they come from JSON."""
    action, kind, path, outputs, metrics, artifacts, removed, *others = fields
    log, discovered, seed, seconds, run, created, host, *late = others
    "".join((path, seed, run, host))  # a TypeError unless all of them are text
    if kind not in _ACTIONS or not is_digest(action):
        raise ValueError("it does not say of which action it is")
    if not is_seconds(seconds) or not is_moment(created):
        raise ValueError("its times are none")
    if type(outputs) is not dict or type(discovered) is not dict:
        raise ValueError("its outputs or inputs have no names")
    for value in outputs.values():
        _check_value(value)
    for found in discovered:
        if found not in DISCOVERED or not _is_found(discovered[found]):
            raise ValueError("its inputs are none")
    if metrics or artifacts or removed or log or late:
        _check_rest(metrics, artifacts, removed, log, late)
    elif not type(metrics) is type(artifacts) is type(removed) is type(log) is list:
        raise ValueError("one of its lists is none")


def _check_value(value: Any) -> None:
    if type(value) is not list:
        raise ValueError("an output of it is none")
    mark, codec, head, buffers, size = value
    if type(codec) is not str or type(buffers) is not list or not is_digest(mark):
        raise ValueError("an output of it is none")
    if type(size) is not int or not 0 <= size <= LARGEST_SIZE:
        raise ValueError("the size of an output is none")
    for part in (head, *buffers):
        # Text is Base64, which is checked by decoding it.
        if type(part) is not str and not _is_blob(part):
            raise ValueError("a part of an output is none")


def _is_blob(part: Any) -> bool:
    if type(part) is not list or len(part) != 2 or not is_digest(part[0]):
        return False
    return type(part[1]) is int and 0 <= part[1] <= LARGEST_SIZE


def _check_rest(metrics: Any, artifacts: Any, removed: Any, log: Any, late: list[Any]) -> None:
    if not _are_metrics(metrics):
        raise ValueError("its metrics are none")
    if not _are_artifacts(artifacts) or not _are_paths(removed):
        raise ValueError("its files are none, or not all in the working folder")
    if not _is_log(log):
        raise ValueError("its printed output is none")
    if late and late[0] is not None and not _is_accepted(late[0]):
        raise ValueError("by whom it was accepted is not told")
    if len(late) > 1 and not _is_digests(late[1]):
        raise ValueError("the results that it rests on are none")


def _are_metrics(metrics: Any) -> bool:
    if type(metrics) is not list:
        return False
    for name, value, step in metrics:
        if type(name) is not str or not is_number(value):
            return False
        if step is not None and (type(step) is not int or not 0 <= step < _STEPS):
            return False
    return True


def _are_artifacts(artifacts: Any) -> bool:
    if type(artifacts) is not list:
        return False
    for _, part, mode in artifacts:
        if type(mode) is not int or not 0 <= mode <= _MODES or (type(part) is not str and not _is_blob(part)):
            return False
    paths = [path for path, _, _ in artifacts]
    return _are_paths(paths) and not _clash(paths)


def _are_paths(paths: Any) -> bool:
    return type(paths) is list and all(map(is_inside, paths))


def _clash(paths: list[str]) -> bool:
    """Whether two are of one file, or one is of a file in a place where another needs a folder."""
    files = {path.removesuffix("/") for path in paths}
    folders = {part for path in files for part in _folders(path)}
    return len(files) < len(paths) or not files.isdisjoint(folders)


def _folders(path: str) -> list[str]:
    """All folders that a path leads through."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _is_log(log: Any) -> bool:
    return type(log) is list and all(
        type(entry) is list and len(entry) == 2 and entry[0] in _STREAMS and type(entry[1]) is str for entry in log
    )
