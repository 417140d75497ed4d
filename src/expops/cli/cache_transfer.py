"""``expops cache push`` and ``pull``: results between this machine and the bucket that the cache is in."""

from __future__ import annotations

import argparse
import sys

from .. import wiring
from ..cache.kinds import KINDS
from ..cache.upload import Uploader, mark_again
from ..engine.transfer import Pulled, Selection, keys_of, missing_in, pull
from ..errors import StorageError, UsageError
from . import opening
from .documents import write_json
from .text import plural, size
from .uploading import drain, paced, sent


def transfer(stores: opening.Stores, args: argparse.Namespace) -> int:
    """Push or pull what is asked for. Exit code 1 if the bucket can't be used."""
    tier = wiring.open_tier(stores.folder, stores.config, _warn)
    if tier is None:
        mend = "set experiment.cache to its address, such as s3://NAME/PREFIX"
        raise UsageError(f"the cache of this project is not in a bucket, so there is nothing to {args.action}; {mend}")
    if args.action == "push" and stores.config.cache.mode == "read-only":
        raise UsageError(f"{tier.address} is only read (experiment.cache.mode: read-only), so nothing is pushed")
    try:
        return _push(tier, args) if args.action == "push" else _pull(tier, args)
    except StorageError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1


def _push(tier: wiring.Tier, args: argparse.Namespace) -> int:
    selection = Selection(args.run, args.process)
    near = tier.ends.kv
    keys = keys_of(near, selection)
    mark_again(near, keys if any(selection) else missing_in(tier.ends.remote_kv, keys))
    uploader = Uploader(tier.ends, KINDS, _warn)
    drain(uploader, tier.address, _tell)
    if args.json:
        write_json({"pushed": uploader.progress._asdict(), "to": tier.address}, sys.stdout)
    else:
        print(f"pushed {sent(uploader.progress)} to {tier.address}")
    return 0


def _pull(tier: wiring.Tier, args: argparse.Namespace) -> int:
    now_and_then = paced(_tell)

    def moved(pulled: Pulled) -> None:
        now_and_then(f"pulling from {tier.address}: {_words(pulled)} so far")

    ends = tier.ends
    keys = keys_of(ends.remote_kv, Selection(args.run, args.process))
    done = pull(keys, ends.remote_kv, ends.kv, tier.blobs, ends.parallel, _warn, moved)
    if args.json:
        write_json({"pulled": done._asdict(), "from": tier.address}, sys.stdout)
    else:
        print(f"pulled {_words(done)} from {tier.address}")
    return 0


def _words(pulled: Pulled) -> str:
    return f"{plural(pulled.records, 'record')} and {plural(pulled.blobs, 'blob')}, {size(pulled.bytes)}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
