"""Records behind signatures, for stores that others can write to (docs/decisions/0015).

::

    16 bytes   format
    32 bytes   HMAC-SHA-256 of a fixed text, the scope, the key and the value, each behind its length
    value

Scope and key are signed too, so that a record can't stand for another. Neither its expiry nor its age is.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from .base import KVStore
from .enveloped import SIGNED, EnvelopedKV

_HASH: Final = "sha256"
_HEAD: Final = len(SIGNED) + 32
_DOMAIN: Final = b"expops record"
_BATCH: Final = 500

_ADVICE: Final = (
    "records that none of this machine's signing keys has signed are not used; what they held is computed again. "
    "Those from before there were these keys are signed by `expops cache push` on the machines that made them; "
    "others were forged or altered"
)


class SignedKV(EnvelopedKV):
    """A :class:`~expops.kv.base.KVStore` whose values in ``store`` are signed: what isn't is as if it weren't there.

    The first of ``keys`` signs, all of them verify. ``scope`` tells this project's records from those of others that
    have the same keys. ``warn`` is told once that there was something else.
    """

    def __init__(
        self,
        store: KVStore,
        keys: Sequence[bytes],
        *,
        scope: str = "",
        place: str = "the store",
        warn: Callable[[str], object] = lambda message: None,
    ) -> None:
        if not keys:
            raise ValueError("nothing can be signed without a key")
        super().__init__(store, place=place)
        self._warn = warn
        self._warned = False
        self._keys = tuple(keys)
        self._prefix = _sized(_DOMAIN) + _sized(_encode(scope))

    def up_to_date(self, keys: Iterable[str]) -> set[str]:
        """Those of ``keys`` whose records are signed with the first key, and stay valid when the others are retired."""
        found: set[str] = set()
        rest = iter(keys)
        while batch := list(islice(rest, _BATCH)):
            raw = self._store.get_many(batch)
            found |= {key for key, data in raw.items() if _same(data, next(self._forms(key, data[_HEAD:])))}
        return found

    def _forms(self, key: str, value: bytes) -> Iterator[bytes]:
        return (SIGNED + self._signature(by, key, value) + value for by in self._keys)

    def _opened(self, key: str, raw: bytes) -> bytes | None:
        value = raw[_HEAD:]
        if any(_same(form, raw) for form in self._forms(key, value)):
            return value
        if not self._warned:
            self._warned = True
            self._warn(f"{self._place}: {_ADVICE}")
        return None

    def _signature(self, by: bytes, key: str, value: bytes) -> bytes:
        return hmac.digest(by, self._prefix + _sized(_encode(key)) + _sized(value), _HASH)


def _same(one: bytes, other: bytes) -> bool:
    return hmac.compare_digest(one, other)  # in a time that does not tell where they differ


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(8, "big") + part
