"""What `expops verify` has found of actions: those that came out differently are not to be taken from the cache.

::

    verified/<action>   {"path", "verdict", "variations", "when"}
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from ..kv.base import KVStore

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
        with suppress(ValueError, KeyError, TypeError):  # damaged: as if nobody had verified it
            known = json.loads(raw)
            if known["verdict"] == UNSTABLE:
                found[name.removeprefix(PREFIX)] = _reason(known)
    return found


def _reason(known: dict[str, object]) -> str:
    day = time.strftime("%Y-%m-%d", time.localtime(float(str(known["when"]))))
    names = known["variations"]
    varied = f" (it depends on {', '.join(map(str, names))})" if isinstance(names, list) and names else ""
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
        with suppress(ValueError, KeyError, TypeError):  # damaged: as if nobody had verified it
            known = json.loads(raw)
            if known["verdict"] == UNSTABLE:
                found[name.removeprefix(PREFIX)] = list(known["variations"])
    return found


_KEPT: Final = ("path", "verdict", "variations", "when")


def _is_survived(variations: Collection[str], survived: Collection[str], *, quick: bool) -> bool:
    return set(variations) <= set(survived) if variations else not quick
