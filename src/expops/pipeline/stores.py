"""The cache's two stores: which types there are, their options, and how a node is read as one.

Only spelling is checked here; whether a store can be reached is found out when it is opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from .config import StoreConfig
from .nearest import nearest
from .rules import NAME, Report, Rule, Scalar, Section, check, whole
from .yaml_nodes import Node


class Kind(NamedTuple):
    """A type of store: its options, and the one that it can't do without."""

    options: Mapping[str, Rule]
    required: str = ""


_SPELLINGS: Final = {
    "azure": {"bucket": "container"},
    "firestore": {"project": "gcp_project", "database": "db", "collection": "prefix"},
}
_PORT: Final = whole(1, 65535)
_DATABASE: Final = Scalar(
    "a name or number", lambda value: isinstance(value, str | int) and not isinstance(value, bool)
)
_TIMEOUT: Final = whole(1, 3600)  # seconds without an answer
# What else could stand there, such as keys in front of an @, would be shown wherever the bucket is named.
_BUCKET: Final = Scalar(
    "the name of a bucket (letters, digits, '.', '_', '-')",
    lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._-]+", value) is not None,
)
KV_KINDS: Final = {
    "sqlite": Kind({"path": NAME}),
    "memory": Kind({}),
    "redis": Kind({"url": NAME, "host": NAME, "port": _PORT, "db": _DATABASE, "prefix": NAME}),
    "postgresql": Kind({"url": NAME, "host": NAME, "port": _PORT, "db": _DATABASE, "prefix": NAME}),
    "firestore": Kind(
        {
            "gcp_project": NAME,
            "credentials_json": NAME,
            "endpoint": NAME,
            "db": _DATABASE,
            "prefix": NAME,
            "firebase_api_key": NAME,
            "firebase_api_key_file": NAME,
        }
    ),
    "bucket": Kind({}),
}
OBJECT_KINDS: Final = {
    "folder": Kind({"path": NAME}),
    "gcs": Kind(
        {
            "bucket": _BUCKET,
            "prefix": NAME,
            "endpoint": NAME,
            "credentials_json": NAME,
            "gcp_project": NAME,
            "timeout": _TIMEOUT,
        },
        "bucket",
    ),
    "s3": Kind({"bucket": _BUCKET, "prefix": NAME, "endpoint": NAME, "region": NAME, "timeout": _TIMEOUT}, "bucket"),
    "azure": Kind(
        {"container": _BUCKET, "prefix": NAME, "endpoint": NAME, "account": NAME, "timeout": _TIMEOUT}, "container"
    ),
}
KV_ALIASES: Final = {"local": "sqlite", "gcp": "firestore", "postgres": "postgresql", "rediss": "redis"}
OBJECT_ALIASES: Final = {"local": "folder", "file": "folder", "gs": "gcs", "az": "azure"}


def read_store(
    node: Node | None, kinds: Mapping[str, Kind], aliases: Mapping[str, str], default: str, report: Report
) -> StoreConfig:
    """The store that ``node`` describes; the default if it is missing or, after reporting why, wrong."""
    fallback = StoreConfig(default, {})
    if node is None or node.value is None:
        return fallback
    if not isinstance(node.value, dict):
        report.mistyped(node, "a mapping with a type")
        return fallback
    kind = node.value.get("type")
    if kind is None:
        report.at(node, f"has no type; add one of: {', '.join(kinds)}")
        return fallback
    if not isinstance(kind.value, str):
        report.mistyped(kind, f"one of {', '.join(kinds)}")
        return fallback
    name = aliases.get(kind.value, kind.value)
    if name not in kinds:
        report.at(kind, _unknown(kind.value, kinds))
        return fallback
    return StoreConfig(name, _options(node, name, kinds[name], report))


def _unknown(name: str, kinds: Mapping[str, Kind]) -> str:
    other, where = (OBJECT_KINDS, "object_store") if kinds is KV_KINDS else (KV_KINDS, "backend")
    if name in other:
        return f"'{name}' is not a type of store here; write it under experiment.cache.{where}"
    near = nearest(name, [*KV_KINDS, *OBJECT_KINDS])
    told = f"did you mean '{near}'?" if near else f"there are: {', '.join(kinds)}"
    return f"no type of store is called '{name}'; {told}"


def _options(node: Node, name: str, kind: Kind, report: Report) -> dict[str, object]:
    assert isinstance(node.value, dict)
    given = Node({key: child for key, child in node.value.items() if key != "type"}, node.line, node.parent, node.key)
    assert isinstance(given.value, dict)
    for also, meant in _SPELLINGS.get(name, {}).items():
        if also in given.value and meant not in given.value:
            given.value = {(meant if key == also else key): child for key, child in given.value.items()}
    checked = check(given, Section(kind.options), report)
    assert checked is not None
    if kind.required and kind.required not in given.value:
        report.at(node, f"a store of type {name} needs a {kind.required}; add '{kind.required}: NAME'")
    options = checked.plain()
    assert isinstance(options, dict)
    return options
