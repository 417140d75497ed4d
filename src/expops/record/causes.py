"""How the environment of now differs from that of a record: what may make results differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..runs.environment import environment, normalised

_TELLING: Final = (
    ("python", "version"),
    ("python", "implementation"),
    ("python", "compiler"),
    ("platform", "system"),
    ("platform", "machine"),
    ("platform", "libc"),
)


def environment_causes(document: Mapping[str, Any], numeric: list[dict[str, Any]]) -> list[str]:
    """In words, each difference in Python, platform, the libraries that the code reaches, and arithmetic.

    ``numeric`` is what the workers of the repetition told, like the record's.
    """
    then, now = document["environment"], environment()
    causes = list(_versions(then, now))
    for part, name in _TELLING:
        old, new = then[part].get(name), now[part].get(name)
        if old is not None and old != new:
            causes.append(f"{part} {name}: {old} → {new}")
    return causes + list(_arithmetic(document["numeric"], numeric))


def _versions(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    installed = {package["name"]: package["version"] for package in now["packages"]}
    recorded = {package["name"]: package["version"] for package in then["packages"]}
    for library, version in then["libraries"].items():
        name = normalised(library)
        old, new = recorded.get(name, version), installed.get(name, "not installed")
        if name in recorded and old != new:
            yield f"library {library}: {old} → {new}"


def _arithmetic(then: list[dict[str, Any]], now: list[dict[str, Any]]) -> Iterator[str]:
    """Differences between what the best informed workers of both runs told."""
    if not then or not now:
        return
    old, new = max(then, key=len), max(now, key=len)
    if old["cpu"].get("model") != new["cpu"].get("model"):
        yield f"CPU: {old['cpu'].get('model', 'unknown')} → {new['cpu'].get('model', 'unknown')}"
    flags, others = set(old["cpu"].get("flags", ())), set(new["cpu"].get("flags", ()))
    if flags != others:
        lost, gained = sorted(flags - others), sorted(others - flags)
        parts = [f"without {' '.join(lost)}"] * bool(lost) + [f"with {' '.join(gained)}"] * bool(gained)
        yield f"CPU flags: now {', '.join(parts)}"
    pools, other_pools = _pools(old), _pools(new)
    for name in pools.keys() & other_pools.keys():
        if pools[name] != other_pools[name]:
            yield f"{name}: {pools[name]} → {other_pools[name]}"


def _pools(told: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(pool.get("internal_api")): f"{pool.get('version')}, {pool.get('num_threads')} threads"
        for pool in told.get("threadpools", ())
    }
