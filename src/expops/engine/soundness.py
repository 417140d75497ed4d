"""Whether a cache is sound: every record, and every byte of every blob that results name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..blobs.base import ObjectStore
from ..cache.kinds import RESULT
from ..cache.manifest import Manifest, is_whole, unpack
from ..cache.upload import Parallel
from ..errors import CorruptData
from ..kv.base import KVStore
from .collect import named

_BATCH = 1000


class Dangling(NamedTuple):
    """A result that can't be loaded: its key, place, and how many of its blobs are missing or damaged."""

    key: str
    path: str
    lost: int


class Findings(NamedTuple):
    """What was looked at and found: ``damaged`` are keys of records and digests of blobs, with words; ``orphans`` are
    blobs that no result names, which is no fault; ``bytes`` were read."""

    results: int
    blobs: int
    bytes: int
    damaged: dict[str, str]
    dangling: list[Dangling]
    orphans: dict[str, int]

    @property
    def sound(self) -> bool:
        """Whether every result can be loaded."""
        return not self.damaged and not self.dangling


def check(
    kv: KVStore, blobs: ObjectStore, parallel: Parallel, moved: Callable[[int], object], grace: float
) -> Findings:
    """Read everything. Blobs that are damaged are put aside. ``moved`` is told how many bytes were read."""
    there = dict(blobs.list())
    damaged: dict[str, str] = {}
    read = 0

    def sound(digest: str) -> str:
        nonlocal read
        told = _fault(blobs, digest)
        read += there[digest]
        moved(read)
        return told

    for digest, told in zip(there, parallel(sound, there), strict=True):
        if told:
            damaged[digest] = str(told)
    manifests = {}
    for key, manifest in _manifests(kv):
        if manifest is None:
            damaged[key] = "a result's record is damaged"
        else:
            manifests[key] = manifest
    # What was stored since the blobs were listed is asked for by name.
    needed = {digest for manifest in manifests.values() for digest in manifest.blobs()}
    whole = (there.keys() | blobs.exists_many(needed - there.keys())) - damaged.keys()
    dangling = [
        Dangling(key, manifest.path, len(lost))
        for key, manifest in manifests.items()
        if (lost := set(manifest.blobs()) - whole)
    ]
    wanted = named(kv)
    orphans = {digest: size for digest, size in blobs.settled(grace) if digest not in wanted and digest in whole}
    return Findings(len(manifests), len(there), read, damaged, dangling, orphans)


def _fault(blobs: ObjectStore, digest: str) -> str:
    try:
        blobs.check(digest)
    except KeyError:
        return ""  # removed since it was listed; whether anybody misses it, its results tell
    except CorruptData as fault:
        return str(fault)
    return ""


def _manifests(kv: KVStore) -> Iterator[tuple[str, Manifest | None]]:
    for key, raw in kv.scan(RESULT):
        try:
            manifest = unpack(raw)
        except CorruptData:
            if not is_whole(raw):  # or else another version of expops has written it
                yield key, None
            continue
        yield key, manifest


def repair(kv: KVStore, blobs: ObjectStore, found: Findings) -> None:
    """Remove what is damaged, results that can't be loaded, and orphans: what they held is computed again."""
    records = [key for key in found.damaged if key.startswith(RESULT)] + [item.key for item in found.dangling]
    for start in range(0, len(records), _BATCH):
        kv.delete(records[start : start + _BATCH])
    wanted = named(kv)
    unwanted = [key for key in found.damaged if not key.startswith(RESULT)]
    blobs.delete([*unwanted, *(digest for digest in found.orphans if digest not in wanted)])


def one_by_one(work: Callable[[str], object], names: Iterable[str]) -> Iterator[object]:
    """:data:`~expops.cache.upload.Parallel` for a store that is near."""
    return map(work, names)
