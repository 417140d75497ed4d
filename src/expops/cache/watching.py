"""Who watches: one observer for the OS process, and the threads in which it is at work itself."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .observe import Observer

_current: Observer | None = None
# Other threads go on reading while this one takes the digest of a file, so the pause is each thread's own.
_busy: set[int] = set()


def watch(observer: Observer | None) -> Observer | None:
    """Make ``observer`` record from now on (``None``: nobody); gives back the one before."""
    global _current
    before, _current = _current, observer
    return before


def watcher() -> Observer | None:
    """The observer that is to hear what this thread does now, if any is."""
    if _current is None or not _current.stack or get_ident() in _busy:
        return None
    return _current


@contextmanager
def unwatched() -> Iterator[None]:
    """What this thread does within the block is nobody's."""
    ident = get_ident()
    outermost = ident not in _busy
    _busy.add(ident)
    try:
        yield
    finally:
        if outermost:
            _busy.discard(ident)
