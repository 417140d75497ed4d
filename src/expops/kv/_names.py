"""Keys as names of objects: safe in every bucket and on every file system, also those that don't tell case apart."""

from __future__ import annotations

import re
from typing import Final

from ..hashing.digest import digest_bytes

RECORDS: Final = "records"
LONG: Final = "long"  # keys that are too long for a name; the object itself says which key is its own
_LEAF: Final = ".kv"  # so that one key may be the beginning of another: a file is no folder
_PART_LENGTH: Final = 200  # of 255 that file systems allow
_LENGTH: Final = 600  # of 1,024 that buckets allow, with their prefix
_UNSAFE: Final = re.compile(rb"[^a-z0-9_-]")


def name_of(key: str) -> str:
    """The name of the object that holds the record of ``key``."""
    path = _encoded(key)
    if len(path) <= _LENGTH and all(len(part) <= _PART_LENGTH for part in path.split("/")):
        return f"{RECORDS}/{path}{_LEAF}"
    return f"{LONG}/{digest_bytes(key.encode('utf-8', 'surrogatepass'))}{_LEAF}"


def key_of(name: str) -> str | None:
    """The key of an object's name; ``None`` if the name does not tell."""
    if not name.startswith(f"{RECORDS}/") or not name.endswith(_LEAF):
        return None
    parts = name[len(RECORDS) + 1 : -len(_LEAF)].split("/")
    try:
        key = b"/".join(_decoded(part) for part in parts).decode("utf-8", "surrogatepass")
    except ValueError:
        return None
    return key if name_of(key) == name else None


def folder_of(prefix: str) -> str:
    """A folder in which all names lie of keys that begin with ``prefix``, except those of long keys."""
    whole, _, _ = prefix.rpartition("/")
    path = _encoded(whole) if "/" in prefix else ""
    short = len(path) <= _LENGTH and all(len(part) <= _PART_LENGTH for part in path.split("/"))
    return f"{RECORDS}/{path}" if path and short else RECORDS


def _encoded(key: str) -> str:
    parts = key.encode("utf-8", "surrogatepass").split(b"/")
    return "/".join([_UNSAFE.sub(_escaped, part).decode("ascii") or "=" for part in parts])


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"=%02x" % found[0][0]


def _decoded(part: str) -> bytes:
    if part == "=":
        return b""
    return re.sub(rb"=([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), part.encode("ascii"))
