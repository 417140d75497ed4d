"""Values into the cache and back: fingerprint, encode, keep small parts at hand and large ones as blobs."""

from __future__ import annotations

from ..blobs.base import ObjectStore
from ..codecs.base import DATA_ONLY
from ..codecs.registry import decode, encode
from ..errors import CannotFingerprint, CorruptData
from ..hashing.canonical import digest_of
from ..hashing.values import BufferDigests, fingerprint
from ..hashing.values import CodeOf as CodeOf
from .manifest import INLINE, Blob, Part, StoredValue


def store_value(value: object, blobs: ObjectStore, code_of: CodeOf | None, *, data_only: bool = False) -> StoredValue:
    """Write ``value`` down; with ``data_only``, no pickle. Raises :class:`~expops.errors.CannotStore` and
    ``StorageError``.

    A buffer is hashed once: for the fingerprint and for the blob's address.
    """
    digests = BufferDigests()
    encoded = encode(value, data_only=data_only)
    head = _keep(memoryview(encoded.head), blobs, digests)
    buffers = tuple([_keep(buffer, blobs, digests) for buffer in encoded.buffers])
    size = len(encoded.head) + sum(buffer.nbytes for buffer in encoded.buffers)
    try:
        identity = fingerprint(value, digests=digests, code_of=code_of)
    except CannotFingerprint:
        # It could be written, so its written form identifies it; at worst its dependants re-run needlessly.
        identity = digest_of(["written", encoded.codec, _identity(head), [_identity(part) for part in buffers]])
    return StoredValue(identity, encoded.codec, head, buffers, size)


def load_value(stored: StoredValue, blobs: ObjectStore, *, data_only: bool = False) -> object:
    """The value again, writable, large buffers memory-mapped where the store can.

    Raises :class:`CorruptData` if a blob is missing or damaged, or, with ``data_only``, if reading it may run code.
    """
    if data_only and stored.codec not in DATA_ONLY:
        raise CorruptData(
            f"it was written as {stored.codec}, which `experiment.cache.codecs: data-only` refuses to read"
        )
    head = stored.head if isinstance(stored.head, bytes) else bytes(_fetch(stored.head, blobs))
    buffers = [
        memoryview(bytearray(part)) if isinstance(part, bytes) else _fetch(part, blobs) for part in stored.buffers
    ]
    return decode(stored.codec, head, buffers)


def _keep(data: memoryview, blobs: ObjectStore, digests: BufferDigests) -> Part:
    if data.nbytes <= INLINE:
        return bytes(data)
    digest = digests.of(data)
    blobs.put(digest, data)
    return Blob(digest, data.nbytes)


def _fetch(blob: Blob, blobs: ObjectStore) -> memoryview:
    try:
        data = blobs.map(blob.digest)
    except KeyError as fault:
        raise CorruptData(f"blob {blob.digest} is missing from the cache") from fault
    if data.nbytes != blob.size:
        raise CorruptData(f"blob {blob.digest} has {data.nbytes} bytes, not {blob.size}")
    return data


def _identity(part: Part) -> str | bytes:
    return part.digest if isinstance(part, Blob) else part
