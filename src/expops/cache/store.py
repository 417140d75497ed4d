"""The two-level cache: action key ▸ what was discovered last time ▸ result key ▸ manifest.

Both levels (processes and steps) and every backend go through this class. Entries are content-addressed and written
once, a manifest after all of its blobs, so no transaction across stores is needed.

Records in the KV store::

    action/<action>    names discovered by earlier executions, latest first: a list of {kind: [name]}
    result/<result>    the manifest
    last/<path>        [action, result] of the action that was last seen at that place
    key/…  code/…      the parts of keys, to explain the next miss
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ..blobs.base import ObjectStore
from ..errors import CorruptData, StorageError
from ..kv.base import KVStore
from .discovery import Names, Surroundings, names_of
from .explain import Described, why, why_discovered
from .keys import result_digest
from .manifest import Manifest, pack, unpack

_VARIANTS: Final = 16  # ways in which one action may discover different inputs; the oldest are forgotten


class Last(NamedTuple):
    """Digests of the action and the result that were last seen at a path."""

    action: str
    result: str


class LookUp(NamedTuple):
    """What the cache knows of an action: result and manifest if it is a hit, else what is needed to record it."""

    action: str
    result: str
    manifest: Manifest | None
    variants: list[Names]
    last: Last | None


class ResultCache:
    """Looks results up and records them.

    ``read`` and ``write`` say whether results are taken and kept; ``warnings`` collects, once each, what went wrong and
    did not stop anything.
    """

    def __init__(self, kv: KVStore, blobs: ObjectStore, *, read: bool = True, write: bool = True) -> None:
        self.kv = kv
        self.blobs = blobs
        self.read = read
        self.write = write
        self.warnings: dict[str, None] = {}
        self._raw: dict[str, bytes | None] = {}
        self._seen: dict[str, bytes] = {}

    def prefetch(self, paths: Iterable[str]) -> None:
        """Fetch in two round trips what the actions at ``paths`` will ask for if nothing has changed since."""
        names = ["last/" + path for path in paths]
        found = self._get(names)
        self._raw.update(dict.fromkeys(names))
        self._raw.update(found)
        wanted = []
        for raw in found.values():
            action, result = json.loads(raw)
            wanted += ["action/" + action, "result/" + result]
        self._raw.update(self._get(wanted))

    def look_up(self, path: str, action: str, around: Surroundings) -> LookUp:
        """Find the result of the action of that digest, given what its discovered inputs hold now."""
        entry, last_name = "action/" + action, "last/" + path
        # An action that discovered nothing is the usual case: ask for its result in the same look-up.
        plain = [] if entry in self._raw else ["result/" + result_digest(action, {})]
        known = self._known([entry, last_name, *plain])
        last = _last(known.get(last_name))
        variants: list[Names] = json.loads(raw) if (raw := known.get(entry)) else []
        if not self.read:
            return LookUp(action, "", None, variants, last)
        results = [result_digest(action, around.values(names)) for names in variants]
        known |= self._known([name for result in results if (name := "result/" + result) not in known])
        for result in results:
            manifest = self._manifest(action, known.get("result/" + result))
            if manifest is not None:
                return LookUp(action, result, manifest, variants, last)
        return LookUp(action, "", None, variants, last)

    def seen(self, path: str, look_up: LookUp) -> None:
        """Remember that the result was used at ``path``, for the next explanation; written at :meth:`flush`."""
        if look_up.last != (look_up.action, look_up.result) and self.write:
            self._seen["last/" + path] = json.dumps([look_up.action, look_up.result]).encode()

    def record(self, path: str, described: Described, look_up: LookUp, manifest: Manifest) -> str:
        """Keep a result whose blobs are stored already; gives the result's digest."""
        result = result_digest(look_up.action, manifest.discovered)
        if not self.write:
            return result
        names = names_of(manifest.discovered)
        variants = [names, *(other for other in look_up.variants if other != names)][:_VARIANTS]
        items = described.components()
        items["action/" + look_up.action] = json.dumps(variants).encode()
        items["last/" + path] = json.dumps([look_up.action, result]).encode()
        items["result/" + result] = pack(manifest)
        self._put(items)
        return result

    def forget(self, result: str) -> None:
        """Drop a result whose blobs turned out to be missing or damaged."""
        self._raw.pop("result/" + result, None)
        self.kv.delete(["result/" + result])

    def reasons(self, described: Described, look_up: LookUp, around: Surroundings) -> list[str]:
        """Why the action of this look-up is a miss."""
        if look_up.last is None or look_up.last.action != look_up.action:
            return why(described, look_up.last.action if look_up.last else None, self._load)
        raw = self._load("result/" + look_up.last.result)
        before = self._manifest(look_up.action, raw)
        if before is None:
            return ["its stored result is gone"]
        now = around.values(names_of(before.discovered))
        return why_discovered(before.discovered, now) or ["its result was not to be taken from the cache"]

    def flush(self) -> None:
        """Write down what :meth:`seen` has collected."""
        seen, self._seen = self._seen, {}
        if seen:
            self._put(seen)

    def warn(self, message: str) -> None:
        """Note a fault that costs time, not correctness."""
        self.warnings.setdefault(message)

    def _manifest(self, action: str, raw: bytes | None) -> Manifest | None:
        if raw is None:
            return None
        try:
            manifest = unpack(raw)
        except CorruptData as fault:
            self.warn(str(fault))
            return None
        return manifest if manifest.action == action else None

    def _known(self, names: list[str]) -> dict[str, bytes]:
        fetched = self._get([name for name in names if name not in self._raw])
        for name in names:
            if (raw := self._raw.get(name)) is not None:
                fetched[name] = raw
        return fetched

    def _load(self, name: str) -> bytes | None:
        return self._get([name]).get(name)

    def _get(self, names: list[str]) -> dict[str, bytes]:
        if not names:
            return {}
        try:
            return self.kv.get_many(names)
        except StorageError as fault:
            self.warn(f"the cache can't be read, so nothing is taken from it: {fault}")
            return {}

    def _put(self, items: Mapping[str, bytes]) -> None:
        try:
            self.kv.put_many(items)
        except StorageError as fault:
            self.warn(f"the cache can't be written, so results are not kept: {fault}")


def _last(raw: bytes | None) -> Last | None:
    return Last(*json.loads(raw)) if raw else None
