"""Which records belong to runs, processes or a whole cache, and bringing them and their blobs to this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol

from ..cache.explain import ENDED, code_record, key_of
from ..cache.kinds import RESULT, SHARED
from ..cache.manifest import unpack
from ..cache.sources import PREFIX as SOURCE
from ..cache.store import last_in
from ..cache.upload import Parallel
from ..errors import CorruptData, UnknownName
from ..kv.base import KVStore, Listing
from ..kv.signed import SignedKV
from ..runs.ledger import Ledger
from ..runs.model import RunRecord

_BATCH: Final = 500
_HERE, _BROUGHT, _LOST = "here", "brought", "lost"
_NONE: Final = ("", *ENDED)  # what stands in place of a result where there is none


class Selection(NamedTuple):
    """Runs by id, and processes by name; everything if both are empty."""

    runs: Sequence[str] = ()
    processes: Sequence[str] = ()


class _Fetching(Protocol):
    def bring(self, digest: str) -> bool: ...


class Pulled(NamedTuple):
    """What came to this machine."""

    records: int
    blobs: int
    bytes: int


def keys_of(store: KVStore, selection: Selection) -> list[str]:
    """The keys of the selected records in ``store``. Raises :class:`UnknownName` for what it has not got.

    Of a process, those of the latest results of it and of its steps.
    """
    if not selection.runs and not selection.processes:
        return [key for kind in SHARED for key in _keys(store, kind)]
    found: dict[str, None] = {}
    pairs: list[tuple[str, str]] = []
    for name in selection.runs:
        ledger = Ledger(store)
        record = ledger.find(name)
        run = record.run_id
        found["run/" + run] = None
        found.update(dict.fromkeys(_provenance(ledger, record)))
        for kind in ("run-actions", "run-metrics"):
            found.update(dict.fromkeys(_keys(store, f"{kind}/{run}/")))
        actions = ledger.actions(run)
        found.update(dict.fromkeys("last/" + item.path for item in actions if item.action))
        pairs += [(item.action, item.result) for item in actions]
    for name in selection.processes:
        lasts = store.get_many([f"last/{name}"]) | dict(store.scan(f"last/{name}/"))
        if not lasts:
            raise UnknownName(f"there is no result of a process '{name}' there")
        found.update(dict.fromkeys(lasts))
        pairs += [last for last in map(last_in, lasts.values()) if last is not None]
    found.update(dict.fromkeys(_named_by(store, pairs)))
    return list(found)


def _provenance(ledger: Ledger, run: RunRecord) -> Iterator[str]:
    """What `reproduce` needs of it."""
    yield from ("record/" + address for address in run.provenance.values())
    shared = ledger.shared(run)
    yield from (SOURCE + content for content in shared.get("sources", {}).values())
    for read, _ in shared.get("inputs", []):
        yield from (SOURCE + content for content in read.get("file", {}).values())


def _keys(store: KVStore, prefix: str) -> Iterable[str]:
    return store.keys(prefix) if isinstance(store, Listing) else (key for key, _ in store.scan(prefix))


def _named_by(store: KVStore, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Records of actions and results, and of the code that they ran."""
    actions = dict.fromkeys(action for action, _ in pairs if action)
    yield from (RESULT + result for result in dict.fromkeys(result for _, result in pairs) if result not in _NONE)
    for action in actions:
        yield from ("action/" + action, "key/" + action)
    keys = store.get_many(["key/" + action for action in actions])
    codes = dict.fromkeys("code/" + parts[0].code for parts in map(key_of, keys.values()) if parts is not None)
    yield from codes
    for raw in store.get_many(codes).values():
        record = code_record(raw)
        yield from (SOURCE + content for content in (record.contents.values() if record is not None else ()))


def missing_in(store: KVStore, keys: Sequence[str]) -> list[str]:
    """Those of ``keys`` that ``store`` has not got, or not signed with today's key."""
    if isinstance(store, SignedKV):
        there = store.up_to_date(keys)
    else:
        there = {key for kind in SHARED for key in _keys(store, kind)}
    return [key for key in keys if key not in there]


def pull(
    keys: Iterable[str],
    remote: KVStore,
    near: KVStore,
    blobs: _Fetching,
    parallel: Parallel,
    warn: Callable[[str], object],
    moved: Callable[[Pulled], object],
) -> Pulled:
    """Bring the records of ``keys``, and the blobs that their manifests name, to this machine.

    What it has is not read again. Blobs that are missing or damaged are told to ``warn``. Raises ``StorageError``.
    """
    pulled = Pulled(0, 0, 0)
    rest = iter(keys)
    while batch := list(islice(rest, _BATCH)):
        here = near.get_many(batch)
        values = remote.get_many([key for key in batch if key not in here])
        sizes: dict[str, int] = {}
        for key, raw in {**here, **values}.items():
            if key.startswith(RESULT):
                sizes |= _blob_sizes(raw)
        ways = dict(zip(sizes, parallel(lambda digest: _bring(blobs, digest), sizes), strict=True))
        lost = [digest for digest, way in ways.items() if way == _LOST]
        if lost:
            told = "are missing or damaged in the bucket; what they held is made again when it is needed"
            warn(f"{len(lost)} blobs {told}")
        near.put_many(values)
        brought = [sizes[digest] for digest, way in ways.items() if way == _BROUGHT]
        pulled = Pulled(pulled.records + len(values), pulled.blobs + len(brought), pulled.bytes + sum(brought))
        moved(pulled)
    return pulled


def _bring(blobs: _Fetching, digest: str) -> str:
    try:
        return _BROUGHT if blobs.bring(digest) else _HERE
    except (KeyError, CorruptData):
        return _LOST


def _blob_sizes(raw: bytes) -> dict[str, int]:
    try:
        return unpack(raw).blob_sizes()
    except CorruptData:
        return {}
