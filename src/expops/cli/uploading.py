"""What a run has made on its way to the bucket: while it goes on, and at its end, with progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .. import wiring
from ..errors import StorageError
from .text import plural, size

if TYPE_CHECKING:
    from ..cache.upload import Progress, Uploader
    from .watchers import PlainWatcher

_EVERY: Final = 2.0  # seconds between uploads during a run
_SHOWN: Final = 5.0  # seconds between lines of progress


class Uploads:
    """Whether the rest is uploaded at the end; who was interrupted leaves it for later."""

    wanted = True


@contextmanager
def uploading(loaded: wiring.Loaded, watcher: PlainWatcher) -> Iterator[Uploads]:
    """Upload what the block makes, if the project's cache is in a bucket that may be written to."""
    uploads = Uploads()
    config = loaded.project.config
    tier = wiring.open_tier(loaded.folder, config, watcher.warned) if config.cache.mode == "read-write" else None
    if tier is None:
        yield uploads
        return
    # Only where there is something to upload.
    from ..cache.kinds import KINDS
    from ..cache.upload import Background, Uploader

    uploader = Uploader(tier.ends, KINDS, watcher.warned)
    background = Background(uploader, _EVERY)
    try:
        yield uploads
    finally:
        background.end()
    if not uploads.wanted:
        uploader.stopped.set()
        return
    try:
        if uploader.waits():
            watcher.close()  # the run is over, and its view would hide how the upload gets on
            drain(uploader, tier.address, watcher.note)
            watcher.note(f"uploaded {sent(uploader.progress)} to {tier.address}")
    except StorageError as fault:
        watcher.warned(wiring.goes_on(str(fault), uploads=True))
    except KeyboardInterrupt:
        uploader.stopped.set()
        watcher.warned("the upload was interrupted; a later run or `expops cache push` goes on with it")


def drain(uploader: Uploader, address: str, tell: Callable[[str], object]) -> None:
    """Upload all that waits, and tell how far it is. Raises ``StorageError`` and ``KeyboardInterrupt``."""
    now_and_then = paced(tell)
    uploader.moved = lambda progress: now_and_then(f"uploading to {address}: {sent(progress)} so far")
    uploader.drain()


def paced(tell: Callable[[str], object]) -> Callable[[str], None]:
    """``tell`` for lines of progress, of which one in a few seconds is enough."""
    shown = time.monotonic()

    def now_and_then(line: str) -> None:
        nonlocal shown
        if time.monotonic() - shown > _SHOWN:
            shown = time.monotonic()
            tell(line)

    return now_and_then


def sent(progress: Progress) -> str:
    """What was sent, in words."""
    return f"{plural(progress.records, 'record')} and {plural(progress.blobs, 'blob')}, {size(progress.bytes)}"
