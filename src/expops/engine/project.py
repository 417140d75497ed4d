"""A project ready to plan and run: configuration, graph, code and cache, all checked."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from ..cache.files import FileDigests
from ..cache.memo import KVMemo
from ..cache.store import ResultCache
from ..errors import ConfigError, UsageError
from ..hashing.canonical import digest_of
from ..hashing.code import ProjectCode
from ..pipeline.binding import check_code
from ..pipeline.config import Config
from ..pipeline.graph import Graph


class Project(NamedTuple):
    """What planning and running need. ``root`` is the absolute folder."""

    root: str
    config: Config
    graph: Graph
    code: ProjectCode
    cache: ResultCache
    memo: KVMemo
    files: FileDigests
    import_roots: tuple[str, ...]


def open_project(root: str, config: Config, cache: ResultCache, memo: KVMemo) -> Project:
    """Check the code against the configuration and put all together. Raises :class:`ConfigError`."""
    roots = import_roots(root, config)
    code = ProjectCode(root, import_roots=roots, memo=memo, libraries=config.cache.libraries)
    graph = Graph([process.name for process in config.processes], config.edges)
    _check(config, graph, code, memo)
    return Project(root, config, graph, code, cache, memo, FileDigests(memo), roots)


def import_roots(root: str, config: Config) -> tuple[str, ...]:
    """Folders that user code imports from: those of the scripts, the project's own, and its ``src``."""
    folders = [os.path.dirname(os.path.join(root, script)) for script in config.scripts.values()]
    source = os.path.join(root, "src")
    folders += [root, *([source] if os.path.isdir(source) else [])]
    return tuple(dict.fromkeys(folders))


def _check(config: Config, graph: Graph, code: ProjectCode, memo: KVMemo) -> None:
    # A pure function of the configuration and of what the scripts define, so its verdict is remembered.
    scripts = dict.fromkeys(process.script for process in config.processes)
    try:
        facts = [[script, list(code.functions(script).values())] for script in scripts]
    except (UsageError, OSError):
        facts = None
    key = "checked/" + digest_of(json.dumps([config, facts])) if facts is not None else ""
    if key and memo.get(key) is not None:
        return
    problems = check_code(config, graph, code)
    if problems:
        raise ConfigError(problems)
    if key:
        memo.put(key, b"1")
