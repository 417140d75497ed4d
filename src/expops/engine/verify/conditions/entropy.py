"""Random bytes of the operating system that are the same each time: for generators that nobody has seeded.

Reaches ``os.urandom``, ``secrets``, ``uuid.uuid4``, ``random.SystemRandom``, ``random.Random()``, ``random.seed()`` and
what NumPy's generators start from. C code that asks the system itself is out of reach.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Callable
from typing import Any, Final

_SEED_BYTES: Final = 32


class _Stream:
    """Bytes that a number stands for, one after the other."""

    def __init__(self) -> None:
        self.number = 0
        self.asked = 0
        self.aside: Callable[[], bool] = bool

    def read(self, size: int) -> bytes:
        if self.aside():
            return hashlib.shake_128(f"{self.number}/aside".encode()).digest(size)
        self.asked += 1
        return hashlib.shake_128(f"{self.number}/{self.asked}".encode()).digest(size)


_stream: Final = _Stream()


def begin(number: int) -> None:
    """Start the stream anew, for a process that begins."""
    _stream.number, _stream.asked = number, 0


def install(number: int, importing: Callable[[], bool]) -> None:
    """Put the stream in place of the operating system's, for all code but this package's.

    What is read while ``importing()`` comes from another stream.
    """
    begin(number)
    _stream.aside = importing
    real = os.urandom

    def urandom(size: int, /) -> bytes:
        own = sys._getframe(1).f_globals.get("__name__", "").startswith("expops.")
        return real(size) if own else _stream.read(size)

    os.urandom = urandom
    random._urandom = urandom  # type: ignore[attr-defined]  # noqa: SLF001 (the name that SystemRandom calls)
    _replace_seed()


def _replace_seed() -> None:
    real = random.Random.seed

    def seed(self: Any, a: Any = None, version: int = 2) -> None:
        real(self, int.from_bytes(_stream.read(_SEED_BYTES)) if a is None else a, version)

    random.Random.seed = seed  # type: ignore[method-assign]
    shared: Any = random._inst  # noqa: SLF001 (whose methods the module's functions are)
    random.seed = shared.seed
