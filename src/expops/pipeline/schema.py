"""The configuration's schema in its canonical form, as data.

Earlier spellings are no part of it: :mod:`.spellings` turns them into this form first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..hashing.code.versions import POLICIES
from .config import CODECS, PROFILES, SHARING
from .rules import (
    BOOLEAN,
    DISTANCE,
    NAME,
    TEXT,
    VERSION,
    Anything,
    Custom,
    Items,
    Names,
    Section,
    choice,
    whole,
)

_COMPONENT: Final = "not supported by this version of expops; write the process as a function and name it in 'code'"
_CHART: Final = "not supported by this version of expops; draw in a process and save the figure to a file"
_FAN_OUT: Final = "not supported by this version of expops; remove it, and list one process for each part"

PROCESS: Final = Section(
    {
        "name": NAME,
        "description": TEXT,
        "code": NAME,
        "parameters": Anything(mapping=True),
        "environment": NAME,
        "cache": BOOLEAN,
        "version": VERSION,
        "ignore": Items(NAME),
        "tolerance": Names(DISTANCE),
    },
    unsupported={
        "data_parallelism": _FAN_OUT,
        "seed_parallelism": _FAN_OUT,
        "data_aggregation": _FAN_OUT,
        "seed_aggregation": _FAN_OUT,
        "partition": _FAN_OUT,
        "partitions": _FAN_OUT,
        "component": _COMPONENT,
        "input_transform": _COMPONENT,
        "output_mapping": _COMPONENT,
        "metrics": _COMPONENT,
        "iterative_logging": _COMPONENT,
        "probe_paths": _CHART,
        "chart_type": _CHART,
        "type": _CHART,
    },
    spellings=("code_function", "hyperparameters", "script"),
)

CACHE: Final = Section(
    {
        "backend": Custom(),
        "object_store": Custom(),
        "libraries": choice(*POLICIES),
        "require_stable": BOOLEAN,
        "mode": choice(*SHARING),
        "codecs": choice(*CODECS),
        "signing": Custom(),
    },
    spellings=(
        "url",
        "kv_backend",
        "bucket",
        "prefix",
        "endpoint",
        "credentials_json",
        "gcp_project",
        "region",
        "account",
        "timeout",
    ),
)

ROOT: Final = Section(
    {
        "metadata": Section({"name": NAME, "description": TEXT, "version": VERSION}),
        "scripts": Names(NAME),
        "environment": Names(Anything()),
        "reproducibility": Section(
            {"random_seed": whole(0, 2**128 - 1, empty=True), "profile": choice(*PROFILES)},
            spellings=("seed",),
        ),
        "data": Section({"paths": Items(NAME)}, spellings=("path",)),
        "experiment": Section(
            {
                "cache": CACHE,
                "pipeline": Section({"process_adjlist": Custom(), "processes": Items(PROCESS)}),
                "parameters": Anything(mapping=True),
            }
        ),
        "execution": Section({"jobs": whole(1)}),
        "reporting": Anything(mapping=True),
    },
    spellings=("model",),
)


def _keys(section: Section, path: str) -> Iterator[tuple[str, str]]:
    for key in (*section.fields, *section.spellings):
        yield key, path
    for key, rule in section.fields.items():
        inner = rule.item if isinstance(rule, Items) else rule
        if isinstance(inner, Section):
            yield from _keys(inner, f"{path}.{key}" if path else key)


def places() -> dict[str, str]:
    """Where each key belongs, for keys that belong in one place only."""
    found: dict[str, set[str]] = {}
    for key, path in _keys(ROOT, ""):
        found.setdefault(key, set()).add(path or "the top level")
    return {key: next(iter(paths)) for key, paths in found.items() if len(paths) == 1}
