"""Keys: what an action and its result are known by. Readable, frozen values first, digests second."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from ..hashing.canonical import digest_of, encode
from ..hashing.digest import DIGEST_LENGTH, digest_bytes

# Part of every key. Raise it whenever the meaning of a key, a fingerprint or a manifest changes: results under the
# old number are then never found again, which costs one re-run; not raising it may hand out wrong results.
FORMAT: Final = 1


class ActionKey(NamedTuple):
    """What is known of an action before it executes.

    ``kind`` is "process" or "step"; ``name`` is the process's name or the step's qualified name; ``code`` is the
    digest of its code fingerprint, library versions included; ``inputs`` and ``parameters`` map argument names to
    value fingerprints; ``closure`` maps the variables that a step closes over to theirs. ``version`` is the author's,
    as far as ``code`` does not hold it already. ``profile`` is the numeric profile, where libraries may be affected by
    it and it is not the default.
    """

    kind: str
    name: str
    code: str
    inputs: Mapping[str, str]
    parameters: Mapping[str, str]
    closure: Mapping[str, str]
    version: str = ""
    profile: str = ""

    def digest(self) -> str:
        """The address of this action."""
        identity = _identity(self.kind, self.name, self.code)
        version = [self.version] if self.version else []
        profile = [["profile", self.profile]] if self.profile else []
        return digest_of([identity, self.inputs, self.parameters, self.closure, *version, *profile])


@lru_cache(maxsize=4096)
def _identity(kind: str, name: str, code: str) -> str:
    # The same for all calls of one function, so worked out once.
    return digest_of(["action", FORMAT, kind, name, code])


def result_digest(action: str, discovered: Mapping[str, Mapping[str, str]]) -> str:
    """The address of a result: the action, and the values of the inputs it was seen to read besides.

    ``discovered`` maps kinds ("file", "folder", "variable", "seed") to names and the digests of their values.
    """
    if not discovered and len(action) == DIGEST_LENGTH:
        return digest_bytes(b"%b%b%b" % (_HEAD, action.encode(), _TAIL))
    return digest_of(["result", FORMAT, action, discovered])


# Most actions discover nothing: around the action, the canonical bytes are then always the same.
_HEAD, _TAIL = encode(["result", FORMAT, "0" * DIGEST_LENGTH, {}]).split(b"0" * DIGEST_LENGTH)
