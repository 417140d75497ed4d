"""A KV store in Firestore, for caches that several machines share: one document for each key (docs/decisions/0017).

::

    COLLECTION/ID               value, or how many parts it has; mark; ttl, if it has one
    COLLECTION_parts/ID#MARK-N  the N-th part of a value that is too large for a document

Every write draws a mark: its writer knows it again by that, where the reply was lost, and so do the parts of a value.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

from ..errors import StoreUnavailable
from ._documents import encode, id_of, in_order, key_of, range_of
from ._firestore_api import API, Refused
from ._firestore_api import Target as Target  # given to the store by who makes it

Json: TypeAlias = dict[str, Any]

_BATCH: Final = 500  # documents of a call
_PAGE: Final = 300
_PART: Final = 900 << 10  # bytes of a value in one document, which has at most 1 MiB
_SENT: Final = 5 << 20  # bytes of values, in Base64, in one call: Firestore takes 10 MiB, its emulator 4 decoded
_TRIES: Final = 30


class _Head(NamedTuple):
    """The document of a key."""

    id: str
    key: bytes
    value: bytes
    parts: int  # 0 for a value that is whole
    mark: str
    lives: bool
    updated: str


@dataclass(frozen=True)
class _Draft:
    """What is to be written."""

    key: str
    value: bytes
    ttl: float | None = None
    mark: str = field(default_factory=lambda: os.urandom(16).hex())

    @property
    def id(self) -> str:
        """The document's."""
        return id_of(self.key)


class FirestoreKV:
    """A :class:`~expops.kv.base.KVStore` in a ``collection`` of the database ``target``.

    Values may be of any size. Lifetimes are by the server's clock. :meth:`put_many` is one transaction for at most 500
    documents or 3.75 MiB of values. Calls whose reply is lost are sent again, but for :meth:`replace` by nothing, since
    nothing would tell whose it was: it raises :class:`~expops.errors.StoreUnavailable` then.

    Raises ``ValueError`` for a name that no collection can have.
    """

    def __init__(self, target: Target, *, collection: str = "expops") -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", collection) or re.fullmatch(r"\.\.?|__.*__", collection):
            mend = "use letters, digits, underscores and hyphens"
            raise ValueError(f"'{collection}' is no name for a collection; {mend}")
        self._api = API(target)
        self._collection = collection

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See :meth:`KVStore.get_many`. Values in parts take another round trip."""
        found: dict[str, bytes] = {}
        for heads in self._heads(keys):
            found.update((_text(key), value) for key, value in self._whole(heads))
        return found

    def put(self, key: str, value: bytes) -> None:
        """See :meth:`KVStore.put`."""
        self.put_many({key: value})

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """See :meth:`KVStore.put_many`."""
        # What is large most likely replaces what is, whose parts are to go. Those of what a small one replaces stay.
        large = [key for key, value in items.items() if len(value) > _PART]
        former = {head.id: head for heads in self._heads(large, values=False) for head in heads}
        writes: list[Json] = []
        for key, value in items.items():
            writes += self._writes(_Draft(key, value), former.get(id_of(key)))
        self._commit(writes)

    def create(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.create`."""
        draft = _Draft(key, value, ttl)
        former: _Head | None = None
        for attempt in range(_TRIES):
            if attempt or len(value) > _PART:
                former = self._head(key)
            if former is not None and former.mark == draft.mark:
                return True  # our own write, of which the reply was lost
            if former is not None and former.lives:
                return False
            if self._commit_if(former, self._writes(draft, former)):
                return True
        raise StoreUnavailable(f"Firestore: others write '{key}' all the time; try again")

    def replace(self, key: str, old: bytes, new: bytes | None, ttl: float | None = None) -> bool:
        """See :meth:`KVStore.replace`."""
        there = self._head(key)
        if there is None or (encode(key), old) not in self._whole([there]):
            return False
        if new is None:
            return self._commit_if(there, self._removal(there), again=False)
        draft = _Draft(key, new, ttl)
        if self._commit_if(there, self._writes(draft, there)):
            return True
        now = self._head(key)
        return now is not None and now.mark == draft.mark

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`KVStore.delete`. Asks first which of them have parts."""
        for heads in self._heads(keys, values=False):
            self._commit([write for head in heads for write in self._removal(head)])

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """See :meth:`KVStore.scan`. Reads in pages: what is written meanwhile may or may not show."""
        start = encode(prefix)
        for key, head in in_order(self._between(*range_of(prefix))):
            if key.startswith(start):
                yield from ((_text(found), value) for found, value in self._whole([head]))

    def flush(self) -> None:
        """See :meth:`KVStore.flush`. Nothing is held back."""

    def close(self) -> None:
        """See :meth:`KVStore.close`. After it, the store can be used again: it then connects anew."""
        self._api.close()

    def _heads(self, keys: Iterable[str], *, values: bool = True) -> Iterator[list[_Head]]:
        """The documents of those of ``keys`` that have one, also if it has expired, a list for each round trip."""
        wanted = iter(dict.fromkeys(keys))
        while batch := {id_of(key): encode(key) for key in islice(wanted, _BATCH)}:
            mask = {} if values else {"mask": {"fieldPaths": ["key", "parts", "mark"]}}
            reply = self._api.call("batchGet", {"documents": [self._name(one) for one in batch], **mask})
            found = [_head(item["found"], item["readTime"]) for item in reply if "found" in item]
            yield [head for head in found if head is not None and head.key == batch[head.id]]

    def _head(self, key: str) -> _Head | None:
        return next(iter(next(self._heads([key]))), None)

    def _between(self, low: str, high: str) -> Iterator[tuple[str, bytes, _Head]]:
        operator = "GREATER_THAN_OR_EQUAL"
        while True:
            filters = [_compared(operator, self._name(low)), _compared("LESS_THAN", self._name(high))]
            query = {
                "from": [{"collectionId": self._collection}],
                "where": {"compositeFilter": {"op": "AND", "filters": filters}},
                "orderBy": [{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}],
                "limit": _PAGE,
            }
            reply = self._api.call("runQuery", {"structuredQuery": query})
            page = [item for item in reply if "document" in item]
            heads = [_head(item["document"], item["readTime"]) for item in page]
            yield from ((head.id, head.key, head) for head in heads if head is not None)
            if len(page) < _PAGE:
                return
            low, operator = _id(page[-1]["document"]), "GREATER_THAN"

    def _whole(self, heads: Iterable[_Head]) -> list[tuple[bytes, bytes]]:
        """Keys and values of those that live."""
        found: list[tuple[bytes, bytes]] = []
        for head in heads:
            if head.lives and not head.parts:
                found.append((head.key, head.value))
            elif head.lives and (value := self._joined(head)) is not None:
                found.append((head.key, value))
        return found

    def _joined(self, head: _Head | None) -> bytes | None:
        """The value of one that has parts, which are replaced together; ``None`` if it went away."""
        for _ in range(_TRIES):
            if head is None or not head.lives:
                return None
            if not head.parts:
                return head.value
            names = self._parts(head.id, head.mark, head.parts)
            reply = self._api.call("batchGet", {"documents": names})
            parts = {item["found"]["name"]: _bytes(item["found"], "value") for item in reply if "found" in item}
            if len(parts) == len(names):
                return b"".join(parts[name] for name in names)
            head = self._head(_text(head.key))
        raise StoreUnavailable(f"Firestore: others write '{_text(head.key) if head else ''}' all the time; try again")

    def _writes(self, draft: _Draft, former: _Head | None) -> list[Json]:
        """What puts the draft in place of ``former``: parts, the document itself, and what is no longer needed."""
        fields: Json = {"mark": {"stringValue": draft.mark}}
        parts: list[Json] = []
        if len(draft.value) <= _PART:
            fields["value"] = _encoded(draft.value)
        else:
            pieces = [draft.value[start : start + _PART] for start in range(0, len(draft.value), _PART)]
            names = self._parts(draft.id, draft.mark, len(pieces))
            parts = [_update(name, {"value": _encoded(piece)}) for name, piece in zip(names, pieces, strict=True)]
            fields["parts"] = {"integerValue": str(len(pieces))}
        if draft.ttl is not None:
            fields["ttl"] = {"doubleValue": draft.ttl}
        if key_of(draft.id) is None:
            fields["key"] = _encoded(encode(draft.key))
        obsolete = self._removal(former)[1:] if former is not None and former.mark != draft.mark else []
        return [*parts, _update(self._name(draft.id), fields), *obsolete]

    def _removal(self, head: _Head) -> list[Json]:
        return [{"delete": name} for name in [self._name(head.id), *self._parts(head.id, head.mark, head.parts)]]

    def _commit(self, writes: list[Json]) -> None:
        """All writes in their order, as many as possible at once."""
        for batch in _batches(writes):
            self._api.call("commit", {"writes": batch})

    def _commit_if(self, there: _Head | None, writes: list[Json], *, again: bool = True) -> bool:
        """The same on condition that the key's document is still ``there``; says whether it was."""
        condition = {"updateTime": there.updated} if there is not None else {"exists": False}
        own = f"/{self._collection}/"
        first = next(number for number, write in enumerate(writes) if own in _target(write))
        writes[first] = {**writes[first], "currentDocument": condition}
        try:
            for batch in _batches(writes):
                self._api.call("commit", {"writes": batch}, again=again, conditional=True)
        except Refused:
            return False
        return True

    def _name(self, one: str) -> str:
        return f"{self._api.documents()}/{self._collection}/{one}"

    def _parts(self, one: str, mark: str, count: int) -> list[str]:
        folder = f"{self._api.documents()}/{self._collection}_parts"
        return [f"{folder}/{one}#{mark}-{number}" for number in range(count)]


def _head(document: Json, now: str) -> _Head | None:
    """What the store wrote, as it is ``now``; ``None`` for a document that somebody else wrote."""
    fields, one = document.get("fields", {}), _id(document)
    key = key_of(one)
    if key is None:
        key = _bytes(document, "key")
    mark = str(fields.get("mark", {}).get("stringValue", ""))
    if not mark or id_of(_text(key)) != one:
        return None
    ttl, updated = fields.get("ttl", {}).get("doubleValue"), str(document["updateTime"])
    lives = ttl is None or (_moment(now) - _moment(updated)).total_seconds() < float(ttl)
    parts = int(fields.get("parts", {}).get("integerValue", 0))
    return _Head(one, key, _bytes(document, "value"), parts, mark, lives, updated)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _id(document: Json) -> str:
    return str(document["name"]).rpartition("/")[2]


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")


def _bytes(document: Json, name: str) -> bytes:
    return b64decode(document.get("fields", {}).get(name, {}).get("bytesValue", ""))


def _encoded(value: bytes) -> Json:
    return {"bytesValue": b64encode(value).decode("ascii")}


def _update(name: str, fields: Json) -> Json:
    return {"update": {"name": name, "fields": fields}}


def _target(write: Json) -> str:
    return str(write["delete"] if "delete" in write else write["update"]["name"])


def _compared(operator: str, name: str) -> Json:
    return {"fieldFilter": {"field": {"fieldPath": "__name__"}, "op": operator, "value": {"referenceValue": name}}}


def _batches(writes: Iterable[Json]) -> Iterator[list[Json]]:
    batch: list[Json] = []
    size = 0
    for write in writes:
        fields = write.get("update", {}).get("fields", {})
        length = len(fields.get("value", {}).get("bytesValue", ""))
        if batch and (len(batch) >= _BATCH or size + length > _SENT):
            yield batch
            batch, size = [], 0
        batch.append(write)
        size += length
    if batch:
        yield batch
