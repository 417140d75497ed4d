"""Earlier and short spellings of the cache section, turned into ``backend`` and ``object_store`` mappings."""

from __future__ import annotations

from typing import Final

from .rules import Report
from .stores import KV_ALIASES, KV_KINDS, OBJECT_ALIASES, OBJECT_KINDS
from .yaml_nodes import Node

# Options that may stand beside ``url``, as they used to beside ``backend: gcs``.
_LOOSE: Final = ("bucket", "prefix", "endpoint", "credentials_json", "gcp_project", "region", "account", "timeout")
_OBJECT_SCHEMES: Final = {"gs": "gcs", "s3": "s3", "az": "azure", "file": "folder"}
_KV_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "redis",
    "postgresql": "postgresql",
    "postgres": "postgresql",
}


def normalise_cache(cache: Node | None, report: Report) -> None:
    """Rewrite the cache section in place."""
    if cache is None:
        return
    if isinstance(cache.value, str):
        inner = Node(cache.value, cache.line, cache.parent, cache.key)
        inner.raw = cache.raw
        cache.value = {"object_store" if "://" in cache.value else "backend": inner}
        if "object_store" in cache.value:
            _whole_cache(cache.value, inner)
    if not isinstance(cache.value, dict):
        return
    entries = cache.value
    url = entries.pop("url", None)
    if url is not None:
        _put(entries, "object_store", url, report)
        _whole_cache(entries, url)
    kv = entries.pop("kv_backend", None)
    backend = entries.get("backend")
    if backend is not None and _names_objects(backend, kv):
        _put(entries, "object_store", entries.pop("backend"), report)
    if kv is not None:
        _put(entries, "backend", kv, report)
    for key in ("backend", "object_store"):
        if key in entries:
            _expand(entries[key], key, report)
    for key in _LOOSE:
        if key in entries:
            _place(entries, key, entries.pop(key), report)


def _whole_cache(entries: dict[str, Node], url: Node) -> None:
    """A folder that stands for the whole cache holds the records, too, as a bucket would."""
    if (
        isinstance(url.value, str)
        and url.value.startswith("file://")
        and not {"backend", "kv_backend"} & entries.keys()
    ):
        entries["backend"] = _part(url, "bucket")


def _put(entries: dict[str, Node], key: str, node: Node, report: Report) -> None:
    there = entries.get(key)
    if there is None:
        entries[key] = node
        return
    first, second = sorted((there, node), key=lambda one: one.line)
    report.at(second, f"line {first.line} says the same thing as '{first.path}'; keep one of the two")


def _names_objects(backend: Node, kv: Node | None) -> bool:
    """Whether ``backend: NAME`` means the object store, as it did before stores were mappings."""
    text = backend.value
    if not isinstance(text, str):
        return False
    scheme, found, _ = text.partition("://")
    if found:
        return scheme in _OBJECT_SCHEMES
    if text in KV_KINDS or (text in KV_ALIASES and text not in OBJECT_ALIASES):
        return False
    # 'local' named both: beside a kv_backend it can only mean the folder.
    return kv is not None if text in KV_ALIASES else text in OBJECT_KINDS or text in OBJECT_ALIASES


def _expand(store: Node, key: str, report: Report) -> None:
    """A store given as a name or URL becomes a mapping."""
    text = store.value
    if not isinstance(text, str):
        return
    scheme, found, rest = text.partition("://")
    if not found:
        store.value = {"type": _part(store, text)}
        return
    schemes = _KV_SCHEMES if key == "backend" else _OBJECT_SCHEMES
    kind = schemes.get(scheme)
    if kind is None:
        known = ", ".join(f"{name}://" for name in schemes)
        report.at(store, f"no store has addresses that begin with {scheme}://; known here: {known}")
        store.value = None
        return
    if kind not in KV_KINDS and kind != "folder" and set("@?") & set(rest):
        # The text is not shown: it may be a secret, and would be wherever the bucket is named.
        report.at(store, f"an address of a bucket is {scheme}://NAME/PREFIX, without credentials and options")
        store.value = None
        return
    store.value = {"type": _part(store, kind)}
    for name, value in _address(kind, text, rest).items():
        if value:
            store.value[name] = _part(store, value)


def _address(kind: str, text: str, rest: str) -> dict[str, str]:
    if kind == "folder":
        return {"path": rest}
    if kind in KV_KINDS:
        return {"url": text}
    bucket, _, prefix = rest.partition("/")
    return {"container" if kind == "azure" else "bucket": bucket, "prefix": prefix.strip("/")}


def _part(store: Node, text: str) -> Node:
    """A value that is written where ``store`` is."""
    node = Node(text, store.line, store.parent, store.key)
    node.raw = text
    return node


def _place(entries: dict[str, Node], key: str, option: Node, report: Report) -> None:
    """Hand an option that stands beside the stores to those that take it."""
    taken = False
    for place, kinds, aliases in (
        ("object_store", OBJECT_KINDS, OBJECT_ALIASES),
        ("backend", KV_KINDS, KV_ALIASES),
    ):
        store = entries.get(place)
        if store is None or not isinstance(store.value, dict) or "type" not in store.value:
            continue
        name = store.value["type"].value
        kind = kinds.get(aliases.get(name, name)) if isinstance(name, str) else None
        if kind is None or key not in (*kind.options, *(("bucket",) if name in ("azure", "az") else ())):
            continue
        if taken and key in ("prefix", "endpoint"):
            continue
        _put(store.value, key, option, report)
        taken = True
    if not taken:
        report.at(option, f"no store here takes '{key}'; write object_store: {{type: gcs, bucket: NAME}}")
