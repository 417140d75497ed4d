"""What `expops verify` has found of actions: those that came out differently are not to be taken from the cache.

::

    verified/<action>   {"path", "verdict", "variations", "when"}
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from ..kv.base import KVStore
from ..untrusted import is_moment, is_text, json_in, list_of, object_of

PREFIX: Final = "verified/"
UNSTABLE: Final = "unstable"


class Finding(NamedTuple):
    """A verdict on an action.

    ``variations`` are those that it takes for a difference, ``survived`` those that made none; neither where it only
    executed once more as it was.
    """

    action: str
    path: str
    verdict: str
    variations: tuple[str, ...]
    survived: tuple[str, ...]


def load_unstable(kv: KVStore) -> dict[str, str]:
    """Actions that were found unstable, each with the reason not to take their results."""
    found = {}
    for name, raw in kv.scan(PREFIX):
        known = _verdict_in(raw)
        if known is not None and known["verdict"] == UNSTABLE:
            found[name.removeprefix(PREFIX)] = _reason(known)
    return found


def _verdict_in(raw: bytes) -> dict[str, Any] | None:
    """The verdict in a record; ``None`` if it is damaged or none: as if nobody had verified it."""
    try:
        known = json_in(raw)
    except ValueError:
        return None
    return known if _is_verdict(known) else None


def _reason(known: dict[str, Any]) -> str:
    day = time.strftime("%Y-%m-%d", time.localtime(known["when"]))
    names = known["variations"]
    varied = f" (it depends on {', '.join(names)})" if names else ""
    return f"`expops verify` found it unstable on {day}{varied}"


def note(kv: KVStore, findings: Iterable[Finding], *, quick: bool) -> None:
    """Write verdicts down. Who was found unstable stays so until it survives what it was found with."""
    wanted = list(findings)
    known = _variations(kv, [item.action for item in wanted])
    items = {}
    for item in wanted:
        before = known.get(item.action)
        if before is None or item.verdict == UNSTABLE or _is_survived(before, item.survived, quick=quick):
            told = {**item._asdict(), "variations": sorted(item.variations), "when": time.time()}
            items[PREFIX + item.action] = json.dumps({name: told[name] for name in _KEPT}).encode()
    if items:
        kv.put_many(items)


def _variations(kv: KVStore, actions: Iterable[str]) -> dict[str, list[str]]:
    """What it takes for a difference, of those ``actions`` that were found unstable."""
    found = {}
    for name, raw in kv.get_many([PREFIX + action for action in actions]).items():
        known = _verdict_in(raw)
        if known is not None and known["verdict"] == UNSTABLE:
            found[name.removeprefix(PREFIX)] = known["variations"]
    return found


_KEPT: Final = ("path", "verdict", "variations", "when")
_is_verdict: Final = object_of(verdict=is_text, variations=list_of(is_text), when=is_moment)


def _is_survived(variations: Collection[str], survived: Collection[str], *, quick: bool) -> bool:
    return set(variations) <= set(survived) if variations else not quick
