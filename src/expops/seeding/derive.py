"""Seeds by hash: every action and purpose gets its own, and no two are related by arithmetic.

The formula, pinned by golden vectors in the tests::

    seed = the first ``bits`` bits, big-endian, of
           BLAKE3(canonical({"scheme": "expops.seed/1", "bits": bits, "root": root, "process": process,
                             "step": step, "call": call, "purpose": purpose}))

with ``canonical`` of :mod:`expops.hashing.canonical`: tagged, length-prefixed parts. Neither code, parameters
nor neighbours take part, so that variants of an experiment are compared on the same random numbers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ..errors import UsageError
from ..hashing.canonical import encode
from ..hashing.digest import DIGEST_LENGTH, digest_bytes

# Part of every seed. A change of the formula gets a new scheme, since it changes everyone's results.
SCHEME: Final = "expops.seed/1"
# The canonical bytes of the mapping above, of which a step call takes several: its keys in their order.
_BITS, _CALL, _PROCESS, _PURPOSE, _ROOT, _STEP = (
    encode(key) for key in ("bits", "call", "process", "purpose", "root", "step")
)
_SCHEME: Final = encode("scheme") + encode(SCHEME)
ROOT_BITS: Final = 128
MAX_BITS: Final = 4 * DIGEST_LENGTH


def derive_seed(
    root: int, process: str, step: str = "", call: int | str = 1, *, purpose: str = "", bits: int = 32
) -> int:
    """The seed of one action for one purpose: an integer from 0 up to, not including, ``2**bits``.

    ``process`` is the process path with its partition and seed layer; ``step`` is empty for the process
    itself; ``call`` is the ordinal of the call in that process, or the key that ``seed_by`` names (``1`` and
    ``"1"`` differ).

    Raises :class:`~expops.errors.UsageError` for a root below 0 or of more than 128 bits, and for ``bits``
    outside 1 to 256.
    """
    if not 1 <= bits <= MAX_BITS:
        raise UsageError(f"a seed of {bits} bits can't be derived; ask for 1 to {MAX_BITS}")
    middle, end = _constant(root, process, step)
    body = b"%b%b%b%b%b%b%b" % (_BITS, encode(bits), _CALL, encode(call), middle, encode(purpose), end)
    digest = digest_bytes(b"m7,%d:%b" % (len(body), body))
    return int(digest, 16) >> (MAX_BITS - bits)


@lru_cache(maxsize=1024, typed=True)
def _constant(root: int, process: str, step: str) -> tuple[bytes, bytes]:
    """The parts that all calls of a step share: those between the call and the purpose, and those after it."""
    if root < 0:
        raise UsageError(f"random seed {root} is negative; use an integer from 0 to 2**{ROOT_BITS} - 1")
    if root.bit_length() > ROOT_BITS:
        raise UsageError(f"random seed {root} is too large; use an integer from 0 to 2**{ROOT_BITS} - 1")
    middle = _PROCESS + encode(process) + _PURPOSE
    return middle, _ROOT + encode(root) + _SCHEME + _STEP + encode(step)
