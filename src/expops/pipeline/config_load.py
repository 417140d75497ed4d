"""Finding a project and loading its configuration.

A validated configuration is remembered under the digest of the file, so that an unchanged one costs a read,
a digest and a few ``stat`` calls, and YAML is not even imported.
"""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Final

from ..errors import ConfigError, Problem, ProjectNotFound
from ..hashing.digest import digest_bytes
from .config import CONFIG_PATH, CacheConfig, Config, ProcessConfig, Signing, StoreConfig

if TYPE_CHECKING:
    from ..hashing.code import Memo
    from .config_build import Draft

# Part of every memo key: raise it whenever the same file would be read differently.
_FORMAT: Final = 7


def find_project(start: str) -> str:
    """Absolute path of the project folder that ``start`` is or lies in. Raises :class:`ProjectNotFound`."""
    folder = os.path.abspath(start)
    if not os.path.isdir(folder):
        raise ProjectNotFound(f"{start}: no such folder; name the folder of a project, or `expops create {start}`")
    above = folder
    while not os.path.isfile(os.path.join(above, CONFIG_PATH)):
        if above == os.path.dirname(above):
            raise ProjectNotFound(
                f"no {CONFIG_PATH} in {folder} or any folder above it; "
                "name the folder of a project, or make one with `expops create NAME`"
            )
        above = os.path.dirname(above)
    return above


def load_config(project: str, *, memo: Memo | None = None) -> Config:
    """The configuration of the project in the folder ``project``.

    ``memo`` remembers validated files; without it the file is parsed each time. Raises :class:`ConfigError`
    with all problems, in the order of the file.
    """
    data = _read(os.path.join(project, CONFIG_PATH))
    key = f"config/{_FORMAT}/{digest_bytes(data)}"
    found = _recall(memo.get(key)) if memo is not None else None
    problems: list[Problem] = []
    if found is None:
        from .config_build import draft  # brings the parser and the schema, which only a changed file needs

        found, report = draft(data, CONFIG_PATH)
        problems = report.problems
        if memo is not None and found is not None and not problems:
            memo.put(key, json.dumps(found, separators=(",", ":")).encode())
    config = None
    if found is not None:
        config = _resolve(found, project, problems)
    if problems or config is None:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line))
    return config


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            message = "no such file; make a project with `expops create NAME`, or name the folder of one"
        else:
            message = f"can't be read: {error.strerror}"
        raise ConfigError([Problem(CONFIG_PATH, 0, "", message)]) from error


def _recall(remembered: bytes | None) -> Draft | None:
    if remembered is None:
        return None
    try:
        found: Draft | None = json.loads(remembered)
    except ValueError:
        # A damaged memory is no memory.
        return None
    return found if isinstance(found, dict) else None


def _resolve(found: Draft, project: str, problems: list[Problem]) -> Config:
    """The configuration with its files found, adding to ``problems`` those that are not."""
    folder = os.path.basename(os.path.abspath(project))
    scripts = {key: _file(project, folder, written, problems, script=True) for key, written in found["scripts"].items()}
    data = tuple(dict.fromkeys(_file(project, folder, written, problems) for written in found["data"]))
    processes = tuple(
        ProcessConfig(
            process["name"],
            process["line"],
            scripts.get(process["script"], ""),
            process["function"],
            process["parameters"],
            process["description"],
            process["environment"],
            process["cache"],
            process["version"],
            tuple(process["ignore"]),
            process["tolerance"],
        )
        for process in found["processes"]
    )
    return Config(
        path=CONFIG_PATH,
        name=found["name"] or folder,
        description=found["description"],
        version=found["version"],
        scripts=scripts,
        seed=found["seed"],
        profile=found["profile"],
        data=data,
        parameters=found["parameters"],
        processes=processes,
        edges=tuple([(edge[0], edge[1]) for edge in found["edges"]]),
        cache=CacheConfig(
            StoreConfig(*found["kv"]),
            StoreConfig(*found["objects"]),
            {},
            found["libraries"],
            found["require_stable"],
            found["mode"],
            found["codecs"],
            Signing(*found["signing"]),
        ),
        jobs=found["jobs"],
        environment=found["environment"],
        reporting=found["reporting"],
    )


def _file(
    project: str, folder: str, written: tuple[str, int, str], problems: list[Problem], script: bool = False
) -> str:
    """A file's path relative to the project; it may be written with the project's own folder in front."""
    path, line, key = written
    there = os.path.isfile if script else os.path.exists
    relative = os.path.normpath(path)
    inside = relative.removeprefix(folder + os.sep)
    if not there(os.path.join(project, relative)) and there(os.path.join(project, inside)):
        relative = inside
    if os.path.isabs(relative):
        within = os.path.relpath(relative, os.path.abspath(project))
        relative = relative if within.startswith(os.pardir) else within
    if script and (os.path.isabs(relative) or relative.startswith(os.pardir)):
        problems.append(Problem(CONFIG_PATH, line, key, f"'{path}' lies outside the project; move it into its folder"))
    elif not there(os.path.join(project, relative)):
        message = f"no such file: '{path}'; paths are relative to the project's folder"
        problems.append(Problem(CONFIG_PATH, line, key, message))
    return relative.replace(os.sep, "/")
