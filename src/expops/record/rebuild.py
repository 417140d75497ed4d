"""A project's folder from the record of a run: its sources and configuration, and its inputs checked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..cache.artifacts import DATA
from ..cache.discovery import Places
from ..cache.files import ABSENT, FileDigests, text_digest
from ..cache.status import FOLDER, LINK, SIZE, TYPE, look
from ..errors import CorruptData, UsageError
from .document import source_bytes
from .pylock import requirements

_SHOWN: Final = 8


class Rebuilt(NamedTuple):
    """A rebuilt project. ``refused`` maps processes that can't run to the reason, ``causes`` say what may make results
    differ."""

    folder: str
    refused: dict[str, str]
    causes: list[str]


def rebuild(document: Mapping[str, Any], folder: str, *, project: str | None, data: str | None) -> Rebuilt:
    """Write the recorded project into ``folder``, which must be empty or not be there.

    ``project`` is where files are that the record has not got, ``data`` its data folder (default: ``data`` in it).
    Raises :class:`UsageError` for a folder in use and for sources that are nowhere, :class:`CorruptData` for a damaged
    record.
    """
    if os.path.isdir(folder) and os.listdir(folder):
        raise UsageError(f"{folder} is not empty; name a folder that is, or one that does not exist yet")
    os.makedirs(folder, exist_ok=True)
    files: dict[str, str] = document["code"]["files"]
    if not files:
        raise UsageError(
            f"the record of run {document['run']['id']} has no sources, so it can't be run again; "
            "they are gone with the cache, or it was made by an earlier version"
        )
    missing = [path for path, mark in files.items() if not _put(document, folder, path, mark, project)]
    if missing:
        told = ", ".join(f"{path} ({document['code']['left_out'].get(path, 'left out')})" for path in missing[:_SHOWN])
        raise UsageError(
            f"the record has not got all sources, and they are not in {project or 'a project'} as they were: {told}; "
            "put them back there as they were, and name the folder with --project"
        )
    for group in document["inputs"]:
        for item in group["files"]:
            path = item["name"].removeprefix("project/")
            if path != item["name"] and path not in files and not _is_data(path):
                _put(document, folder, path, item["digest"], project)
        _put_asked(group["asked"], folder, project)
    _link_data(folder, data or (os.path.join(project, DATA) if project else None))
    _write(folder, "requirements.txt", requirements(document["environment"]).encode())
    refused, causes = _check_inputs(document, folder)
    return Rebuilt(folder, refused, causes)


def _is_data(path: str) -> bool:
    return path == DATA or path.startswith(DATA + "/")


def _put(document: Mapping[str, Any], folder: str, path: str, mark: str, project: str | None) -> bool:
    """Write one file, from the record or, if it is the same there, from the project; whether that worked."""
    data = source_bytes(document, mark)
    place = os.path.join(project, path) if project else ""
    if data is None and place and os.path.isfile(place) and FileDigests().of_file(place) == mark:
        with open(place, "rb") as file:
            data = file.read()
    if data is None:
        return False
    _write(folder, path, data)
    return True


def _put_asked(asked: Mapping[str, Mapping[str, str]], folder: str, project: str | None) -> None:
    """Folders, and from the project files, that were only asked about: what they hold is not known, nor needed."""
    for kind in (SIZE, TYPE):
        for name, answer in asked.get(kind, {}).items():
            path = name.removeprefix("project/")
            if path == name or _is_data(path) or os.path.lexists(_inside(folder, path)):
                continue
            if answer == FOLDER:
                os.makedirs(_inside(folder, path))
            elif project is not None and answer != ABSENT and look(kind, os.path.join(project, path)) == answer:
                os.makedirs(os.path.dirname(_inside(folder, path)), exist_ok=True)
                shutil.copyfile(os.path.join(project, path), _inside(folder, path))


def _inside(folder: str, path: str) -> str:
    if os.path.isabs(path) or any(part in ("", ".", "..") for part in path.split("/")):
        raise CorruptData(f"the record names the file {path!r}, which is not inside the project")
    return os.path.join(folder, *path.split("/"))


def _write(folder: str, path: str, data: bytes) -> None:
    place = _inside(folder, path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(data)


def _link_data(folder: str, data: str | None) -> None:
    if data is None:
        return
    if not os.path.isdir(data):
        if os.path.basename(os.path.normpath(data)) == DATA:
            return  # the project has none, or none any more: what needed it is told of below
        raise UsageError(f"--data {data}: no such folder")
    os.symlink(os.path.abspath(data), os.path.join(folder, DATA))


def _check_inputs(document: Mapping[str, Any], folder: str) -> tuple[dict[str, str], list[str]]:
    """Processes whose inputs are others than the recorded ones, and what else differs."""
    places, digests = Places(os.path.abspath(folder), None), FileDigests()
    refused: dict[str, str] = {}
    causes: list[str] = []
    for group in document["inputs"]:
        faults = [
            told
            for item in group["files"]
            if (told := _fault(item["name"], item["digest"], digests.of_file(places.path(item["name"]))))
        ]
        faults += [
            told
            for name, mark in group["folders"].items()
            if _is_data(name.removeprefix("project/")) or not name.startswith("project/")
            if (told := _fault(name, mark, digests.of_folder(places.path(name))))
        ]
        faults += [
            told
            for kind in (SIZE, TYPE)
            for name, answer in group["asked"].get(kind, {}).items()
            if (told := _other_answer(name, answer, look(kind, places.path(name))))
        ]
        causes += [
            told
            for name, answer in group["asked"].get(LINK, {}).items()
            if (told := _other_answer(name, answer, look(LINK, places.path(name))))
        ]
        if faults:
            more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
            refused.update(dict.fromkeys(group["processes"], "; ".join(faults[:_SHOWN]) + more))
        for name, mark in group["variables"].items():
            if text_digest(os.environ.get(name)) != mark:
                causes.append(f"the environment variable {name} is not what it was")
    return refused, list(dict.fromkeys(causes))


def _other_answer(name: str, recorded: str, now: str) -> str:
    return "" if recorded == now else f"{name.removeprefix('project/')}: {now} (recorded: {recorded})"


def _fault(name: str, recorded: str, now: str) -> str:
    if recorded == now:
        return ""
    shown = name.removeprefix("project/")
    if now == ABSENT:
        return f"{shown} is missing (recorded {recorded[:12]})"
    if recorded == ABSENT:
        return f"{shown} is there (recorded as missing)"
    return f"{shown} has changed (recorded {recorded[:12]}, now {now[:12]})"
