"""The two-level cache: action key ▸ what was discovered last time ▸ result key ▸ manifest.

Both levels (processes and steps) and every backend go through this class. Entries are content-addressed and written
once, a manifest after all of its blobs, so no transaction across stores is needed.

Records in the KV store::

    action/<action>    names discovered by earlier executions, latest first: a list of {kind: [name]}; the results of
                       other code that were accepted as the action's stand there under "accepted"
    result/<result>    the manifest
    last/<path>        digests of action and result of the action that was last seen at that place
    key/…  code/…      the parts of keys, to explain the next miss
    source/<content>   text of a file of code, to show what has changed in it
    cleared            when all results were removed, in seconds since the epoch
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from ..blobs.base import ObjectStore
from ..codecs.base import DATA_ONLY
from ..errors import CorruptData, StorageError
from ..hashing.code import CodeFingerprint
from ..kv.base import KVStore
from ..untrusted import LARGEST_RECORD, is_moment
from . import explain, sources
from .discovery import Names, Surroundings, names_of
from .explain import CodeRecord, Described, code_record, why, why_discovered
from .keys import result_digest
from .manifest import Manifest, pack, unpack
from .variants import ACCEPTED, pack_variants, variants_in

if TYPE_CHECKING:
    from .leases import Leases

# On the path of every hit, so in one match: digests of action and result, or why there is no result.
_LAST: Final = re.compile(f"([0-9a-f]{{64}}) ([0-9a-f]{{64}}|{'|'.join(explain.ENDED)})".encode())
_PREFETCH: Final = 2000
_ALONG: Final = 100


class Last(NamedTuple):
    """Digests of the action and the result that were last seen at a path."""

    action: str
    result: str


class LookUp(NamedTuple):
    """What the cache knows of an action: result and manifest if it is a hit, else what is needed to record it."""

    action: str
    result: str
    manifest: Manifest | None
    variants: list[Names] | None  # None: not asked for, since the first guess was right
    last: Last | None


class ResultCache:
    """Looks results up and records them.

    ``read`` and ``write`` say whether results are taken and kept; ``warnings`` collects, once each, what went wrong and
    did not stop anything. With ``require_stable``, actions that ``expops verify`` found unstable are not to be taken;
    with ``data_only``, results whose reading may run code are as if they weren't there. ``leases`` are for who executes
    what others may want as well; ``None`` where nobody else can find the results.
    """

    def __init__(
        self, kv: KVStore, blobs: ObjectStore, *, read: bool = True, write: bool = True, require_stable: bool = False
    ) -> None:
        self.kv = kv
        self.blobs = blobs
        self.read = read
        self.write = write
        self.require_stable = require_stable
        self.data_only = False
        self.leases: Leases | None = None
        self._refused: set[str] = set()
        self._unstable: dict[str, str] | None = None
        self.warnings: dict[str, None] = {}
        self._raw: dict[str, bytes | None] = {}
        self._seen: dict[str, bytes] = {}
        self.code: sources.Code | None = None  # where the text of code comes from, for those who record
        self._code_kept: set[str] = set()
        self._parts: dict[str, bytes | None] = {}
        self._ahead: Iterator[str] = iter(())
        self._sources_kept: set[str] = set()
        self._code_ran: dict[str, str] = {}
        self._cleared: str | None = None
        self._unread = False

    def prefetch(self, paths: Iterable[str]) -> None:
        """Fetch in two round trips what the actions at ``paths`` will ask for if nothing has changed since."""
        names = ["last/" + path for path in paths]
        found = self._get(names)
        self._raw.update(dict.fromkeys(names))
        self._raw.update(found)
        self._prefetch_results(found)

    def prefetch_below(self, path: str, *, known: bool = True) -> None:
        """Fetch in a few round trips what the steps below ``path`` will ask for if nothing has changed since.

        What was prefetched before is let go. Nothing is ``known`` of a path at which no action was seen.
        """
        if not known:
            self._raw = {}
            return
        prefix = f"last/{path}/" if path else "last/"
        try:
            self._raw = dict(islice(self.kv.scan(prefix), _PREFETCH)) if self.read else {}
        except StorageError:
            self._raw = {}
        self._prefetch_results(self._raw)

    def prefetch_actions(self, actions: Iterable[tuple[str, str, str]]) -> None:
        """Fetch in one round trip what looking up actions will ask for that are not :meth:`at_hand`: given as paths,
        and digests of action and code."""
        names: list[str] = []
        for path, action, code in actions:
            names += ["action/" + action, "last/" + path, "result/" + result_digest(action, {})]
            names += ["code/" + code, "cleared"] if self._last(path) is None else []
        names = [name for name in dict.fromkeys(names) if name not in self._raw]
        if names and self.read:
            self._raw.update(dict.fromkeys(names))
            self._raw.update(self._get(names))

    def _prefetch_results(self, found: Mapping[str, bytes | None]) -> None:
        lasts = [last for last in map(last_in, found.values()) if last is not None]
        wanted = [name for last in lasts for name in ("action/" + last.action, "result/" + last.result)]
        self._raw.update(self._get(wanted))
        self._parts = {}
        self._ahead = ("key/" + last.action for last in lasts)

    def look_up(self, path: str, action: str, around: Surroundings) -> LookUp:
        """Find the result of the action of that digest, given what its discovered inputs hold now."""
        return self.at_hand(path, action, around) or self._search(path, action, around, self._last(path))

    def at_hand(self, path: str, action: str, around: Surroundings) -> LookUp | None:
        """The hit that was prefetched, if what was seen last at ``path`` is one of the action."""
        last = self._last(path)
        if self.read and last is not None and last.action == action:
            manifest = self._manifest(action, self._raw.get("result/" + last.result))
            if manifest is not None and _still(manifest, around):
                return LookUp(action, last.result, manifest, None, last)
        return None

    def look_again(self, path: str, action: str, around: Surroundings) -> LookUp:
        """:meth:`look_up` of what others may have recorded since: nothing that was fetched before counts."""
        fetched, self._raw = self._raw, {}
        try:
            return self._search(path, action, around, None)
        finally:
            self._raw = fetched

    def unstable(self, action: str) -> str:
        """Why neither to take nor to keep results of the action; ``""`` if there is no such reason."""
        if not self.require_stable:
            return ""
        if self._unstable is None:
            from .stability import load_unstable  # only where it is required

            try:
                self._unstable = load_unstable(self.kv)
            except StorageError as fault:
                self.warn(f"what was found unstable can't be read, so it may be taken from the cache: {fault}")
                self._unstable = {}
        return self._unstable.get(action, "")

    def _search(self, path: str, action: str, around: Surroundings, last: Last | None) -> LookUp:
        entry, last_name = "action/" + action, "last/" + path
        # An action that discovered nothing is the usual case: its result is asked for in the same look-up, and it has
        # no entry of its own.
        plain = result_digest(action, {})
        known = self._known([entry, last_name, "result/" + plain])
        last = last or last_in(known.get(last_name))
        variants = variants_in(known.get(entry))
        if not self.read:
            return LookUp(action, "", None, variants, last)
        # Latest first; one that discovered nothing, which matches always, comes last unless it is known to be later.
        discovered = [_names(variant) for variant in variants]
        results = [result_digest(action, around.values(names)) if names else plain for names in discovered]
        results += [plain] if plain not in results else []
        missing = [name for result in results if result != plain and (name := "result/" + result) not in known]
        known |= self._known(missing) if missing else {}
        for result in results:
            manifest = self._manifest(action, known.get("result/" + result))
            if manifest is not None:
                return LookUp(action, result, manifest, variants, last)
        return LookUp(action, "", None, variants, last)

    def _last(self, path: str) -> Last | None:
        """What was last seen at a path, if it was prefetched."""
        return last_in(self._raw.get("last/" + path))

    def last(self, path: str) -> Last | None:
        """What was last seen at a path."""
        return last_in(self.load("last/" + path))

    def manifest(self, last: Last) -> Manifest | None:
        """The manifest of a result that was seen."""
        name = "result/" + last.result
        return self._manifest(last.action, self._known([name]).get(name))

    def load(self, name: str) -> bytes | None:
        """A record by its name; ``None`` where there is none."""
        return self._get([name]).get(name)

    def seen(self, path: str, look_up: LookUp) -> None:
        """Remember that the result was used at ``path``, for the next explanation; written at :meth:`flush`."""
        if look_up.last != (look_up.action, look_up.result) and self.write:
            self._seen["last/" + path] = f"{look_up.action} {look_up.result}".encode()

    def record(self, path: str, described: Described, look_up: LookUp, manifest: Manifest) -> str:
        """Keep a result whose blobs are stored already; gives the result's digest."""
        result = result_digest(look_up.action, manifest.discovered)
        if not self.write:
            return result
        packed = pack(manifest)
        if len(packed) > LARGEST_RECORD:
            told = f"its output and metrics take {len(packed):,} bytes, and {LARGEST_RECORD:,} at most are kept"
            self.warn(f"the result of '{path}' is not cached, since {told}: print less, or write to a file")
            self.unkept(path, look_up, "!unkept")
            return result
        self._seen.pop("last/" + path, None)
        variants, refuted = self._merged(look_up, result, manifest)
        for digest in refuted:
            self.forget(digest)
        items = {
            "last/" + path: f"{look_up.action} {result}".encode(),
            "key/" + look_up.action: described.key_record(),
            "result/" + result: packed,
        }
        if variants != [{}]:
            items["action/" + look_up.action] = pack_variants(variants)
        if described.code.digest not in self._code_kept:
            items |= self._code_items(described.code, path)
        # What was prefetched may not hide what is known by now.
        self._raw.update({name: raw for name, raw in items.items() if name in self._raw})
        self._put(items)
        self._parts.pop("key/" + look_up.action, None)
        return result

    def _merged(self, look_up: LookUp, result: str, manifest: Manifest) -> tuple[list[Names], list[str]]:
        """What to remember under the action from now on, and the accepted results that don't hold any more.

        That is those that discovered other inputs than an execution now has, and the one that it was forced to replace.
        """
        names: Names = names_of(manifest.discovered)
        accepted = [result] if manifest.accepted is not None else []
        others: list[Names] = []
        refuted: list[str] = []
        for variant in self._variants(look_up):
            marked = [digest for digest in variant.get(ACCEPTED, ()) if digest != result]
            if _names(variant) == names:
                accepted += marked
            elif marked and manifest.accepted is None:
                refuted += marked
            else:
                others.append(variant)
        replaced = look_up.manifest is not None and look_up.manifest.accepted is not None
        if replaced and look_up.result != result and manifest.accepted is None:
            refuted.append(look_up.result)
        first = {**names, ACCEPTED: accepted} if accepted else names
        return [first, *others], refuted

    def _code_items(self, code: CodeFingerprint, path: str) -> dict[str, bytes]:
        """What to keep of a fingerprint and its files, once in an OS process."""
        self._code_kept.add(code.digest)
        self._code_ran[code.digest] = path
        contents = sources.contents(code, self.code) if self.code is not None else {}
        parts = CodeRecord(code.symbols, code.libraries, code.counted, code.widened, contents, path)
        items = {"code/" + code.digest: parts.pack()}
        new = {file: content for file, content in contents.items() if content not in self._sources_kept}
        if new and self.code is not None:
            self._sources_kept.update(new.values())
            there = self._get([sources.PREFIX + content for content in new.values()])
            items |= sources.records({f: c for f, c in new.items() if sources.PREFIX + c not in there}, self.code)
        return items

    def unkept(self, path: str, look_up: LookUp, ended: str) -> None:
        """Remember that an execution at ``path`` has left no result, and why: one of ``explain.ENDED``.

        Where an earlier result is known, the next execution is explained by what has changed since that.
        """
        if self.write and (look_up.last is None or look_up.last.result in explain.ENDED):
            self._seen["last/" + path] = f"{look_up.action} {ended}".encode()

    def _variants(self, look_up: LookUp) -> list[Names]:
        if look_up.variants is not None:
            return look_up.variants
        return variants_in(self.load("action/" + look_up.action))

    def forget(self, result: str) -> None:
        """Drop a result whose blobs turned out to be missing or damaged."""
        self._raw.pop("result/" + result, None)
        try:
            self.kv.delete(["result/" + result])
        except StorageError as fault:
            self.warn(f"the cache can't be written, so a damaged result stays in it: {fault}")

    def reasons(self, described: Described, look_up: LookUp, around: Surroundings) -> tuple[str, ...]:
        """Why the action of this look-up is a miss: all causes that are known."""
        last = look_up.last
        if last is None:
            return (self._unseen(described, look_up),)
        if last.result in explain.ENDED:
            return (explain.ENDED[last.result],)
        same = last.action == look_up.action
        before = self.manifest(last)
        discovered: list[str] = []
        if before is not None and before.discovered:
            discovered = why_discovered(before.discovered, around.values(names_of(before.discovered)))
        if not same:
            return (*why(described, last.action, self._part), *discovered)
        if before is None:
            return (explain.PICKLED if look_up.action in self._refused else explain.GONE,)
        return tuple(discovered) or (explain.NOT_TAKEN,)

    def _unseen(self, described: Described, look_up: LookUp) -> str:
        """What is known of an action that has left no trace at its place."""
        if self._unread:
            return explain.UNREADABLE
        if look_up.variants and any(look_up.variants):
            return explain.ELSEWHERE
        if described.key.kind == "step" and self.ran_at(described.code.digest):
            return explain.NEW_INPUTS
        if self._cleared is None:
            self._cleared = _day(self._known(["cleared"]).get("cleared"))
        if self._cleared:
            return f"never ran since the cache was cleared on {self._cleared}"
        return explain.NEVER_RAN

    def ran_at(self, code: str) -> str:
        """The path of an action that ran the code of that digest, ``""`` if none is known; asked for once."""
        if code not in self._code_ran:
            record = code_record(self._known(["code/" + code]).get("code/" + code))
            self._code_ran[code] = record.path if record is not None else ""
        return self._code_ran[code]

    def before(self, look_up: LookUp) -> Manifest | None:
        """The result that was last seen where the action of this look-up is."""
        return self.manifest(look_up.last) if look_up.last is not None else None

    def flush(self) -> None:
        """Write down what :meth:`seen` has collected."""
        seen, self._seen = self._seen, {}
        if seen:
            self._put(seen)
        try:
            self.kv.flush()
        except StorageError as fault:
            self.warn(f"the cache can't be written now; the next run hands over what is kept for it: {fault}")

    def settle(self) -> None:
        """:meth:`flush` for those who wait elsewhere, which may go on beside what comes next here."""
        if self.leases is None:
            self.flush()
        else:
            self.leases.settle(self.flush)

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
        if manifest.action != action:
            return None
        if self.data_only and not manifest.codecs() <= DATA_ONLY:
            self._refused.add(action)
            return None
        return manifest

    def _known(self, names: list[str]) -> dict[str, bytes]:
        fetched = self._get([name for name in names if name not in self._raw])
        for name in names:
            if (raw := self._raw.get(name)) is not None:
                fetched[name] = raw
        return fetched

    def _part(self, name: str) -> bytes | None:
        """A ``key/`` or ``code/`` record. What makes one step call run anew often does so for others too: the records
        that those need are fetched along with it."""
        if name not in self._parts:
            names = [name, *islice(self._ahead, _ALONG)]
            self._parts.update(dict.fromkeys(names))
            self._parts.update(self._get(names))
        return self._parts[name]

    def _get(self, names: list[str]) -> dict[str, bytes]:
        if not names:
            return {}
        try:
            return self.kv.get_many(names)
        except StorageError as fault:
            self._unread = True
            self.warn(f"the cache can't be read, so nothing is taken from it: {fault}")
            return {}

    def _put(self, items: Mapping[str, bytes]) -> None:
        try:
            self.kv.put_many(items)
        except StorageError as fault:
            self.warn(f"the cache can't be written, so results are not kept: {fault}")


def _still(manifest: Manifest, around: Surroundings) -> bool:
    """Whether all that the execution discovered holds the same now."""
    discovered = manifest.discovered
    return not discovered or around.values(names_of(discovered)) == discovered


def _names(variant: Names) -> Names:
    return {kind: names for kind, names in variant.items() if kind != ACCEPTED} if ACCEPTED in variant else variant


def last_in(raw: bytes | None) -> Last | None:
    """What a ``last/`` record says; ``None`` if it is none, which others may have written."""
    found = _LAST.fullmatch(raw) if raw else None
    return Last(found[1].decode(), found[2].decode()) if found is not None else None


def _day(raw: bytes | None) -> str:
    """What the record of the last clearing says, in words."""
    try:
        moment = float(raw) if raw else -1.0
    except ValueError:
        return ""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment)) if is_moment(moment) else ""
