"""Garbage collection: what is too old, too large or of use to nobody leaves a cache (docs/decisions/0016).

The results that were used longest ago go first. When a result was used last, the ledger knows: no hit has to write
that down.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from ..blobs.base import ObjectStore
from ..cache.explain import code_record, key_of
from ..cache.kinds import RESULT
from ..cache.manifest import is_whole, unpack
from ..cache.sources import PREFIX as SOURCE
from ..errors import CorruptData
from ..kv.base import KVStore
from ..kv.enveloped import EnvelopedKV
from ..kv.journal import JournaledKV
from ..runs.ledger import Ledger
from ..runs.model import RunRecord

GRACE: Final = 3600.0  # seconds
SHARED_GRACE: Final = 86_400.0  # where records may come after their blobs as slowly as a network is
_BATCH: Final = 1000
_MARK: Final = 32  # bytes of a record, which hold its checksum
_UNDER_WAY: Final = 7 * 86_400.0  # seconds after which a run that never ended is taken for dead
_DERIVED: Final = ("action/", "key/", "code/", "source/", "record/")
_OF_RUNS: Final = ("run/", "run-actions/", "run-metrics/")
_DIGEST: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_RECORDS: Final = (RESULT, *_DERIVED, "last/", "verified/", *_OF_RUNS)


class Limits(NamedTuple):
    """What may stay: ``size`` in bytes, results used within ``age`` seconds, what the latest ``runs`` need.

    Blobs that were put within ``grace`` seconds stay in any case: somebody may be about to record what names them.
    """

    size: int | None = None
    age: float | None = None
    runs: int | None = None
    grace: float = GRACE


class Entry(NamedTuple):
    """A result: its digest, place and action, when it was used last, the bytes of its record and of its blobs.

    ``mark`` tells its record from a later one.
    """

    digest: str
    mark: bytes
    path: str
    action: str
    used: float
    record: int
    blobs: Mapping[str, int]


class Plan(NamedTuple):
    """What is to go, what of it can't yet, and the bytes before and after. ``runs`` are ids, ``records`` keys."""

    results: list[Entry]
    runs: list[str]
    records: list[str]
    blobs: dict[str, int]
    fresh: int
    before: int
    after: int


def plan(kv: KVStore, blobs: ObjectStore, limits: Limits, *, unsent: Collection[str] = (), now: float = 0.0) -> Plan:
    """What has to go to keep within ``limits``. ``unsent`` are the keys of records that have yet to be uploaded."""
    now = now or time.time()
    ledger = Ledger(kv)
    runs = sorted(ledger.runs(), key=lambda run: run.started, reverse=True)
    kept = [run for number, run in enumerate(runs) if limits.runs is None or number < limits.runs or _lives(run, now)]
    needing = kept if limits.runs is not None else [run for run in kept if _lives(run, now)]
    sizes = {key: len(raw) for kind in _RECORDS for key, raw in kv.scan(kind)}
    entries, broken, foreign = _entries(kv, _last_used(ledger, runs))
    needed = {key.removeprefix(RESULT) for key in unsent}
    for run in needing:
        needed |= {action.result for action in ledger.actions(run.run_id)}
    gone_runs = [run.run_id for run in runs if run not in kept]
    dropped = [key for key in sizes if key.startswith(_OF_RUNS) and key.split("/")[1] in set(gone_runs)]
    there = dict(blobs.list())
    gone = _chosen(entries, needed, limits, sum(sizes.values()) - _sum(sizes, dropped), there, now)
    staying = [entry for entry in entries if entry.digest not in gone]
    records = [*broken, *dropped]
    # Runs under way may count on records that are there, and results of other versions of expops on any of them.
    if not foreign and not any(_lives(run, now) for run in runs):
        records += _unreferenced(kv, sizes, staying, kept)
    records = [key for key in records if key not in unsent]
    referred = named(kv, {RESULT + digest for digest in gone}.union(broken))
    orphans = {digest: size for digest, size in there.items() if digest not in referred}
    settled = {digest: size for digest, size in blobs.settled(limits.grace) if digest in orphans}
    results = [entry for entry in entries if entry.digest in gone]
    freed = _sum(sizes, [*records, *(RESULT + entry.digest for entry in results)]) + sum(settled.values())
    before = sum(sizes.values()) + sum(there.values())
    fresh = sum(orphans.values()) - sum(settled.values())
    return Plan(results, gone_runs, records, settled, fresh, before, before - freed)


def _lives(run: RunRecord, now: float) -> bool:
    return run.status == "running" and now - run.started < _UNDER_WAY


def _sum(sizes: Mapping[str, int], keys: Iterable[str]) -> int:
    return sum(sizes.get(key, 0) for key in keys)


def _last_used(ledger: Ledger, runs: Iterable[RunRecord]) -> dict[str, float]:
    """When the runs have used each result, latest first."""
    used: dict[str, float] = {}
    for run in runs:
        for action in ledger.actions(run.run_id):
            used.setdefault(action.result, max(run.started, run.finished))
    return used


def _entries(kv: KVStore, used: Mapping[str, float]) -> tuple[list[Entry], list[str], list[str]]:
    """All sound results, those that were used longest ago first, and the keys of the damaged ones and of those that
    another version of expops has written, which are not ours to remove."""
    found: list[Entry] = []
    broken: list[str] = []
    foreign: list[str] = []
    for key, raw in kv.scan(RESULT):
        digest = key.removeprefix(RESULT)
        try:
            manifest = unpack(raw)
        except CorruptData:
            (foreign if is_whole(raw) else broken).append(key)
            continue
        last = max(manifest.created, used.get(digest, 0.0))
        found.append(Entry(digest, raw[:_MARK], manifest.path, manifest.action, last, len(raw), manifest.blob_sizes()))
    return sorted(found, key=lambda entry: (entry.used, entry.digest)), broken, foreign


def _chosen(
    entries: Iterable[Entry],
    needed: Collection[str],
    limits: Limits,
    records: int,
    there: Mapping[str, int],
    now: float,
) -> set[str]:
    """The results that go. What nobody names any more is no part of what is to be made smaller."""
    listed = list(entries)
    named = Counter(digest for entry in listed for digest in entry.blobs if digest in there)
    size = records + sum(there[digest] for digest in named)
    gone = set()
    for entry in listed:
        old = limits.age is not None and entry.used < now - limits.age
        large = limits.size is not None and size > limits.size
        if entry.digest in needed or not (old or large):
            continue
        gone.add(entry.digest)
        size -= entry.record
        for digest in entry.blobs:
            if digest in named:
                named[digest] -= 1
                size -= there[digest] if named[digest] == 0 else 0
    return gone


def _unreferenced(
    kv: KVStore, sizes: Mapping[str, int], staying: Iterable[Entry], runs: Iterable[RunRecord]
) -> list[str]:
    """The keys of what only tells of results and runs, of those that have gone.

    What was seen last at a place stays, with the parts of its key: the next execution there is explained by it.
    """
    actions = {entry.action for entry in staying}
    keys = {"key/" + action for action in actions}
    for _, raw in kv.scan("last/"):
        keys.add("key/" + raw.decode("utf-8", "replace").partition(" ")[0])
    codes, sources, records = set(), set(), set()
    for batch in _batches(sorted(keys & sizes.keys())):
        codes |= {"code/" + parts[0].code for parts in map(key_of, kv.get_many(batch).values()) if parts is not None}
    for batch in _batches(sorted(codes)):
        for record in map(code_record, kv.get_many(batch).values()):
            sources |= {SOURCE + content for content in (record.contents.values() if record is not None else ())}
    ledger = Ledger(kv)
    for run in runs:
        records |= {"record/" + address for address in run.provenance.values()}
        shared = ledger.shared(run)
        sources |= {SOURCE + content for content in shared.get("sources", {}).values()}
        for read, _ in shared.get("inputs", []):
            sources |= {SOURCE + content for content in read.get("file", {}).values()}
    wanted = {*(f"action/{action}" for action in actions), *keys, *codes, *sources, *records}
    return [key for key in sizes if key.startswith(_DERIVED) and key not in wanted]


def carry_out(kv: KVStore, blobs: ObjectStore, planned: Plan, limits: Limits, moved: Callable[[int], object]) -> int:
    """Remove what was planned, and give the bytes of the blobs that went. Results go first, so that nobody finds one
    whose blobs are going.

    Which blobs nobody names is found out once more, after results that were recorded meanwhile. ``moved`` is told how
    many things have gone.
    """
    count = 0
    marks = {RESULT + entry.digest: entry.mark for entry in planned.results}
    for batch in _batches([*marks, *planned.records]):
        # A result that was made anew since is another one.
        now = kv.get_many([key for key in batch if key in marks])
        kv.delete([key for key in batch if key not in now or now[key][:_MARK] == marks[key]])
        count += len(batch)
        moved(count)
    settled = dict(blobs.settled(limits.grace))
    wanted = named(kv)
    unwanted = [digest for digest in settled if digest not in wanted]
    for batch in _batches(unwanted):
        blobs.delete(batch)
        count += len(batch)
        moved(count)
    return sum(settled[digest] for digest in unwanted)


def named(kv: KVStore, gone: Collection[str] = ()) -> set[str]:
    """The digests of all blobs that results may name, those of the keys ``gone`` aside.

    Also results that can't be read here count, of other versions of expops or signed with keys that this machine has
    not got: whatever looks like a digest in them is one.
    """
    found: set[str] = set()
    for store in (kv, *_unopened(kv)):
        for key, raw in store.scan(RESULT):
            if key not in gone:
                found.update(digest.decode() for digest in _DIGEST.findall(raw))
    return found


def _unopened(kv: KVStore) -> Iterator[KVStore]:
    """The store in which the envelopes lie, if ``kv`` opens any: also those that it does not accept."""
    if isinstance(kv, JournaledKV):
        kv = kv.beneath
    if isinstance(kv, EnvelopedKV):
        yield kv.beneath


def _batches(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
