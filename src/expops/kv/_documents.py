"""Keys as ids of Firestore's documents, in an order that is that of the keys.

An id is ``k`` and the key's bytes: digits, letters and ``:;<=>?@[\\]^_`` as they are, ``-`` for the slash, every other
byte below them as ``!xx`` and above them as ``~xx``. So ids compare as keys do, are ASCII, and are none that Firestore
keeps for itself. Of a key that is longer than :data:`LONGEST` bytes, which an id can't hold, the id has the beginning
and, behind ``~~``, a digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, TypeVar

from ..hashing.digest import digest_bytes

T = TypeVar("T")

LONGEST: Final = 440  # bytes, of which each may take three in an id, which has at most 1,500
_LONG: Final = "~~"
_END: Final = "\x7f"  # greater than every character of an id
_OTHER: Final = re.compile(rb"[^0-z]")
_TOKEN: Final = re.compile(r"[!~]([0-9a-f]{2})|(.)", re.DOTALL)


def encode(key: str) -> bytes:
    """The key's bytes, which compare as its code points do."""
    return key.encode("utf-8", "surrogatepass")


def id_of(key: str) -> str:
    """The id of the document that holds the value of ``key``."""
    raw = encode(key)
    if len(raw) <= LONGEST:
        return "k" + _escaped(raw)
    return f"k{_escaped(raw[:LONGEST])}{_LONG}{digest_bytes(raw)}"


def key_of(name: str) -> bytes | None:
    """The bytes of the key of an id; ``None`` if the id does not tell, as that of a long key."""
    if not name.startswith("k") or _LONG in name:
        return None
    raw = b"".join(_byte(found) for found in _TOKEN.finditer(name, 1))
    return raw if "k" + _escaped(raw) == name else None


def range_of(prefix: str) -> tuple[str, str]:
    """The ids from, and up to and not including which all documents are whose keys begin with ``prefix``.

    There may be others among them if ``prefix`` is longer than :data:`LONGEST` bytes.
    """
    raw = encode(prefix)
    if len(raw) <= LONGEST:
        return "k" + _escaped(raw), "k" + _escaped(raw) + _END
    start = "k" + _escaped(raw[:LONGEST]) + _LONG
    return start, start + _END


def in_order(found: Iterable[tuple[str, bytes, T]]) -> Iterator[tuple[bytes, T]]:
    """Keys and what goes with them in the order of the keys, of ``found``: id, key and that, in the order of ids.

    Only long keys with one beginning are out of order, and side by side.
    """
    for _, group in groupby(found, key=lambda item: item[0].partition(_LONG)[0]):
        yield from sorted(((key, one) for _, key, one in group), key=lambda item: item[0])


def _escaped(raw: bytes) -> str:
    return _OTHER.sub(_token, raw).decode("ascii")


def _token(found: re.Match[bytes]) -> bytes:
    byte = found[0][0]
    if byte == ord("/"):
        return b"-"
    return b"%b%02x" % (b"!" if byte < ord("0") else b"~", byte)


def _byte(found: re.Match[str]) -> bytes:
    if found[1] is not None:
        return bytes([int(found[1], 16)])
    return b"/" if found[2] == "-" else found[2].encode("utf-8")
