"""Manifests: the record under a result key. Compact JSON behind a checksum, so that a flipped bit is a miss.

Small outputs lie in the manifest itself; anything larger is a blob that the manifest names.
"""

from __future__ import annotations

import json
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from ..errors import CorruptData
from ..hashing.digest import digest_bytes
from ..untrusted import LARGEST_RECORD
from .keys import FORMAT
from .wellformed import check_fields

_CHECKSUM: Final = 32
INLINE: Final = 16 * 1024  # bytes; what is smaller costs less in the manifest than as a file of its own


class Blob(NamedTuple):
    """Bytes that lie in the object store."""

    digest: str
    size: int


Part: TypeAlias = bytes | Blob


class StoredValue(NamedTuple):
    """An output: its identity, and where its codec's head and buffers are. ``size`` in bytes, all parts together."""

    fingerprint: str
    codec: str
    head: Part
    buffers: tuple[Part, ...]
    size: int

    def blobs(self) -> list[str]:
        """Digests of the blobs that loading this value needs."""
        return [part.digest for part in (self.head, *self.buffers) if isinstance(part, Blob)]


class Artifact(NamedTuple):
    """A file that the action wrote: its path in the working folder (``/`` between folders), content and mode."""

    path: str
    content: Part
    mode: int


class Metric(NamedTuple):
    """One call of ``log_metric``; ``step`` is ``None`` where it was left to count itself."""

    name: str
    value: float
    step: int | None


class Accepted(NamedTuple):
    """That somebody has declared today's code equivalent to the code that made a result.

    ``path`` is where it counts now, ``origin`` where it was made; ``action`` and ``result`` are the digests that it had
    there; ``when`` is seconds since the epoch; ``reasons`` say how the code differed.
    """

    path: str
    origin: str
    action: str
    result: str
    when: float
    reasons: list[str]


class Manifest(NamedTuple):
    """Everything an execution gave, and where it came from.

    ``discovered`` maps kinds to names and digests; ``created`` is seconds since the epoch; ``seconds`` is how long the
    execution took; ``path`` is the action's place in the run that made it; ``accepted`` is set where another action's
    result was taken over; ``rests`` are the digests of accepted results that steps below it gave.
    """

    action: str
    kind: str
    path: str
    outputs: dict[str, StoredValue]
    metrics: list[Metric]
    artifacts: list[Artifact]
    removed: list[str]
    log: list[tuple[str, str]]
    discovered: dict[str, dict[str, str]]
    seed: str
    seconds: float
    run: str
    created: float
    host: str
    accepted: Accepted | None = None
    rests: tuple[str, ...] = ()

    def size(self) -> int:
        """Bytes of all outputs and artifacts."""
        return sum(value.size for value in self.outputs.values()) + sum(
            item.content.size if isinstance(item.content, Blob) else len(item.content) for item in self.artifacts
        )

    def blobs(self) -> list[str]:
        """Digests of all blobs it names."""
        found = [digest for value in self.outputs.values() for digest in value.blobs()]
        return found + [item.content.digest for item in self.artifacts if isinstance(item.content, Blob)]

    def codecs(self) -> set[str]:
        """Names of the codecs that wrote its outputs."""
        return {value.codec for value in self.outputs.values()}

    def blob_sizes(self) -> dict[str, int]:
        """Bytes of each blob it names, by digest."""
        parts = [part for value in self.outputs.values() for part in (value.head, *value.buffers)]
        parts += [item.content for item in self.artifacts]
        return {part.digest: part.size for part in parts if isinstance(part, Blob)}


_FIELDS: Final = len(Manifest._fields)
_OUTPUTS: Final = Manifest._fields.index("outputs")
_ARTIFACTS: Final = Manifest._fields.index("artifacts")
_ALWAYS: Final = Manifest._fields.index("accepted")  # those from there on are left out where they say nothing
_loads: Final = json.JSONDecoder().decode
_dumps: Final = json.JSONEncoder(separators=(",", ":")).encode


def pack(manifest: Manifest) -> bytes:
    """The bytes to keep under the result key: the fields in their order, after the format's number."""
    fields: list[Any] = list(manifest)
    while not fields[-1] and len(fields) > _ALWAYS:
        fields.pop()
    fields[_OUTPUTS] = {name: _value_out(value) for name, value in manifest.outputs.items()}
    fields[_ARTIFACTS] = [[item.path, _part_out(item.content), item.mode] for item in manifest.artifacts]
    body = _dumps([FORMAT, *fields]).encode()
    return digest_bytes(body)[:_CHECKSUM].encode() + body


def unpack(raw: bytes) -> Manifest:
    """The manifest again. Raises :class:`CorruptData` for bytes that :func:`pack` has not written.

    The checksum has no key, so what it covers may be anybody's: each field is checked.
    """
    if len(raw) > LARGEST_RECORD:
        raise CorruptData(f"a cached result's record has {len(raw):,} bytes, which is too many; it is computed again")
    body = raw[_CHECKSUM:]
    if digest_bytes(body)[:_CHECKSUM].encode() != raw[:_CHECKSUM]:
        raise CorruptData("a cached result's record is damaged (its checksum differs); it is computed again")
    try:
        version, *fields = _loads(body.decode())
        if version != FORMAT:
            raise CorruptData("a cached result was written by another version of expops; it is computed again")
        if not _ALWAYS <= len(fields) <= _FIELDS:
            raise ValueError("it has too few fields, or too many")
        check_fields(fields)
        for index, decode in _DECODERS:
            if index < len(fields) and fields[index]:
                fields[index] = decode(fields[index])
        return Manifest(*fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, Base64Error) as fault:
        raise CorruptData(f"a cached result's record can't be read ({fault}); it is computed again") from fault


def is_whole(raw: bytes) -> bool:
    """Whether the record is as somebody has written it, in whatever version of expops."""
    return digest_bytes(raw[_CHECKSUM:])[:_CHECKSUM].encode() == raw[:_CHECKSUM]


def _part_out(part: Part) -> Any:
    return list(part) if isinstance(part, Blob) else b2a_base64(part, newline=False).decode()


def _part_in(data: Any) -> Part:
    return a2b_base64(data) if isinstance(data, str) else Blob(*data)


def _value_out(value: StoredValue) -> list[Any]:
    buffers = [_part_out(part) for part in value.buffers]
    return [value.fingerprint, value.codec, _part_out(value.head), buffers, value.size]


def _value_in(data: list[Any]) -> StoredValue:
    mark, codec, head, buffers, size = data
    return StoredValue(mark, codec, _part_in(head), tuple([_part_in(part) for part in buffers]), size)


def _outputs_in(data: dict[str, Any]) -> dict[str, StoredValue]:
    return {name: _value_in(value) for name, value in data.items()}


_DECODERS: Final[tuple[tuple[int, Callable[[Any], Any]], ...]] = (
    (_OUTPUTS, _outputs_in),
    (_ARTIFACTS, lambda data: [Artifact(path, _part_in(part), mode) for path, part, mode in data]),
    (Manifest._fields.index("metrics"), lambda data: [Metric(*item) for item in data]),
    (Manifest._fields.index("log"), lambda data: [(stream, text) for stream, text in data]),
    (Manifest._fields.index("accepted"), lambda data: Accepted(*data)),
    (Manifest._fields.index("rests"), tuple),
)
