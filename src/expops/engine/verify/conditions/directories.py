"""Directory listings in another order: the file system's, turned round.

``os.walk``, ``glob`` and ``pathlib`` are made of the two functions that are replaced.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any


def install() -> None:
    """Turn the order of ``os.listdir`` and ``os.scandir`` round."""
    real = os.listdir

    def listdir(path: Any = None) -> list[Any]:
        return real(path)[::-1]

    listdir.__module__ = real.__module__
    os.listdir = listdir
    os.scandir = _Reversed  # type: ignore[assignment]


class _Reversed:
    """What ``os.scandir`` gives: an iterator that can be closed."""

    def __init__(self, path: Any = ".") -> None:
        with _real_scandir(path) as entries:
            self._entries = iter(list(entries)[::-1])

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> _Reversed:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Read no more."""
        self._entries = iter(())


_real_scandir = os.scandir
