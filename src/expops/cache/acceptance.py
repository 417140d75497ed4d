"""Results of other code that somebody has declared right for today's: taken over under its key, and taken back.

The key has the code in it, so that nothing else can ever find such a result: no later code, no other input.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..errors import CorruptData
from .explain import Described
from .manifest import Accepted, Manifest, unpack
from .store import Last, LookUp, ResultCache


class Found(NamedTuple):
    """An accepted result and its digest."""

    result: str
    manifest: Manifest
    accepted: Accepted


def take_over(
    cache: ResultCache, described: Described, before: Last, made: Manifest, accepted: Accepted
) -> tuple[Last, Manifest]:
    """Keep ``made``, the result ``before``, as that of another action too; gives what it is known by there.

    ``made`` has the discovered inputs that are to count from now on.
    """
    action = described.key.digest()
    manifest = made._replace(action=action, accepted=accepted)
    look_up = LookUp(action, "", None, None, before)
    return Last(action, cache.record(accepted.path, described, look_up, manifest)), manifest


def acceptance(path: str, origin: str, before: Last, reasons: list[str]) -> Accepted:
    """That the result ``before``, made at ``origin``, is accepted at ``path`` now."""
    return Accepted(path, origin, before.action, before.result, time.time(), reasons)


def all_accepted(cache: ResultCache) -> Iterator[Found]:
    """All results that are accepted."""
    for digest, manifest in _sound(cache):
        if manifest.accepted is not None:
            yield Found(digest, manifest, manifest.accepted)


def _sound(cache: ResultCache) -> Iterator[tuple[str, Manifest]]:
    for name, raw in list(cache.kv.scan("result/")):
        try:
            manifest = unpack(raw)
        except CorruptData:
            continue  # whoever looks it up is told
        yield name.removeprefix("result/"), manifest


def reject(cache: ResultCache, found: Collection[Found]) -> None:
    """Take them back, with all that rests on them: the next run executes, for the reasons that were accepted."""
    results = {item.result for item in found}
    for digest, manifest in _sound(cache):
        if digest in results or not results.isdisjoint(manifest.rests):
            cache.forget(digest)
    # One may have been taken over again since: the latest first, back to what was made.
    for item in sorted(found, key=lambda item: item.accepted.when, reverse=True):
        _put_back(cache, item)


def _put_back(cache: ResultCache, found: Found) -> None:
    accepted = found.accepted
    if cache.last(accepted.path) != Last(found.manifest.action, found.result):
        return
    name = "last/" + accepted.path
    if accepted.origin == accepted.path:
        cache.kv.put(name, f"{accepted.action} {accepted.result}".encode())
    else:
        cache.kv.delete([name])
