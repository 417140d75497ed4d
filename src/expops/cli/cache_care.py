"""``expops cache gc`` and ``expops cache verify``."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from .. import wiring
from ..blobs.base import ObjectStore
from ..cache.upload import Parallel
from ..engine.collect import GRACE, SHARED_GRACE, Limits, carry_out, plan
from ..errors import StorageError, UsageError
from ..kv.base import KVStore
from ..kv.outbox import waiting
from .documents import moment, write_json
from .opening import Stores
from .parsing import Parser, count
from .text import Printer, duration, plural, size, stdout

_DIFFERENCE: Final = 3
_SHOWN: Final = 20
_SIZES: Final = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES_BINARY: Final = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_TIMES: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def add_options(made: Parser) -> None:
    """What limits a cache."""
    made.add_argument("--max-size", metavar="SIZE", type=size_of, help="with gc: bytes that may stay, such as 50GB")
    made.add_argument(
        "--older-than", metavar="AGE", type=seconds_of, help="with gc: results not used for that long go, such as 30d"
    )
    made.add_argument(
        "--keep-runs",
        metavar="N",
        type=count,
        help="with gc: what the latest N runs need stays, and the records of earlier ones go",
    )
    made.add_argument(
        "--grace",
        metavar="AGE",
        type=seconds_of,
        help="with gc and verify: blobs put within that time stay, for runs under way (default: 1h, for stores that "
        "machines share 1d)",
    )
    made.add_argument("--dry-run", action="store_true", help="with gc: say what would go, and remove nothing")
    made.add_argument("--repair", action="store_true", help="with verify: remove what is damaged and what nobody names")
    made.add_argument(
        "--remote", action="store_true", help="with gc and verify: the bucket that the team shares, not this machine"
    )


def size_of(text: str) -> int:
    """Bytes: ``50GB``, ``1.5 TB``, ``200MiB``, ``0``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    units = {name.lower(): factor for name, factor in {**_SIZES, **_SIZES_BINARY}.items()}
    if found is None or found[2].lower() not in units:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size; write it as 50GB, 1.5TB or 200MiB")
    return int(float(found[1]) * units[found[2].lower()])


def seconds_of(text: str) -> float:
    """Seconds: ``30d``, ``12h``, ``1.5w``, ``0s``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.strip())
    if found is None or found[2] not in _TIMES:
        raise argparse.ArgumentTypeError(f"'{text}' is not a time; write it as 30d, 12h, 90min, 45s or 2w")
    return float(found[1]) * _TIMES[found[2]]


class _Place(NamedTuple):
    """The stores to care for, how to ask them for many things at once, and what they are called."""

    kv: KVStore
    blobs: ObjectStore
    parallel: Parallel
    name: str
    unsent: list[str]
    is_shared: bool


def care(stores: Stores, args: argparse.Namespace) -> int:
    """``gc`` or ``verify``. Exit code 1 if a store can't be used."""
    try:
        place = _place(stores, args)
        if args.grace is None:
            args.grace = SHARED_GRACE if place.is_shared else GRACE
        return _gc(place, args) if args.action == "gc" else _verify(place, args)
    except StorageError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1


def _place(stores: Stores, args: argparse.Namespace) -> _Place:
    from ..engine.soundness import one_by_one

    tier = wiring.open_tier(stores.folder, stores.config, _warn)
    if args.remote:
        if tier is None:
            mend = "leave --remote out"
            raise UsageError(f"the cache of this project is not in a bucket; {mend}")
        if stores.config.cache.mode == "read-only" and (args.repair or (args.action == "gc" and not args.dry_run)):
            raise UsageError(f"{tier.address} is only read (experiment.cache.mode: read-only), so nothing is removed")
        ends = tier.ends
        return _Place(ends.remote_kv, ends.remote_blobs, ends.parallel, tier.address, [], True)
    if tier is not None:
        near = wiring.open_near(stores.folder)
        return _Place(near, tier.ends.blobs, one_by_one, stores.folder, waiting(near).keys, False)
    shared = stores.config.cache.kv.type not in ("sqlite", "memory")
    return _Place(stores.cache.kv, stores.cache.blobs, one_by_one, stores.folder, [], shared)


def _gc(place: _Place, args: argparse.Namespace) -> int:
    limits = Limits(args.max_size, args.older_than, args.keep_runs, args.grace)
    _tell(f"looking through {place.name}")
    planned = plan(place.kv, place.blobs, limits, unsent=frozenset(place.unsent))
    removed = sum(planned.blobs.values())
    if not args.dry_run:
        removed = carry_out(place.kv, place.blobs, planned, limits, _paced(lambda n: f"{n:,} things removed so far"))
        place.kv.flush()
    freed = planned.before - planned.after - sum(planned.blobs.values()) + removed
    document = {
        "place": place.name,
        "dry_run": args.dry_run,
        "results": [
            {"path": item.path, "result": item.digest, "used": moment(item.used), "bytes": sum(item.blobs.values())}
            for item in planned.results
        ],
        "runs": planned.runs,
        "records": len(planned.records),
        "blobs": len(planned.blobs),
        "freed_bytes": freed,
        "left_bytes": planned.before - freed,
        "fresh_bytes": planned.fresh,
    }
    if args.json:
        write_json(document, sys.stdout)
    else:
        _print_gc(document, args, stdout())
    return 0


def _print_gc(document: dict[str, Any], args: argparse.Namespace, out: Printer) -> None:
    results = document["results"]
    if results and args.dry_run:
        rows = [(item["path"], item["used"], size(item["bytes"])) for item in results[:_SHOWN]]
        out.table(rows, head=("result", "last used", "blobs"), right=(2,))
        if len(results) > _SHOWN:
            out.line(f"  and {plural(len(results) - _SHOWN, 'later one')}", "dim")
        out.line()
    done = "would remove" if args.dry_run else "removed"
    parts = [plural(len(results), "result"), plural(document["blobs"], "blob")]
    parts += [plural(len(document["runs"]), "run")] if document["runs"] else []
    parts += [f"{plural(document['records'], 'other record')}"] if document["records"] else []
    freed, left = size(document["freed_bytes"]), size(document["left_bytes"])
    stay = "would stay" if args.dry_run else "stay"
    out.line(f"{done} {', '.join(parts)}: {freed}; {left} {stay} in {document['place']}")
    if document["fresh_bytes"]:
        fresh, grace = size(document["fresh_bytes"]), duration(args.grace)
        out.line(f"{fresh} more that no result names were put within {grace}; a later gc removes them")
    if args.max_size is not None and document["left_bytes"] - document["fresh_bytes"] > args.max_size:
        out.line(f"that is more than {size(args.max_size)}: kept runs, runs under way and records need the rest")


def _verify(place: _Place, args: argparse.Namespace) -> int:
    from ..engine.soundness import check, repair

    found = check(place.kv, place.blobs, place.parallel, _paced(lambda n: f"{size(n)} checked so far"), args.grace)
    if args.repair:
        repair(place.kv, place.blobs, found)
        place.kv.flush()
    if args.json:
        document = {
            "place": place.name,
            "results": found.results,
            "blobs": found.blobs,
            "bytes": found.bytes,
            "damaged": found.damaged,
            "dangling": [item._asdict() for item in found.dangling],
            "orphans": {"count": len(found.orphans), "bytes": sum(found.orphans.values())},
            "repaired": args.repair,
        }
        write_json(document, sys.stdout)
    else:
        out = stdout()
        for key, told in found.damaged.items():
            out.line(f"damaged  {key}: {told}")
        for item in found.dangling:
            out.line(f"lost     a result of '{item.path}': {plural(item.lost, 'blob')} missing or damaged")
        checked = f"{plural(found.results, 'result')} and {plural(found.blobs, 'blob')}, {size(found.bytes)}"
        bad = len(found.damaged) + len(found.dangling)
        out.line(f"checked {checked} in {place.name}: " + (f"{plural(bad, 'fault')}" if bad else "all sound"))
        if found.orphans:
            what = f"{plural(len(found.orphans), 'blob')}, {size(sum(found.orphans.values()))}"
            out.line(f"{what}, {'that no result named were removed' if args.repair else 'are named by no result'}")
        if bad:
            mend = "removed: what they held is computed again" if args.repair else "`--repair` removes them"
            out.line(mend)
    return 0 if found.sound or args.repair else _DIFFERENCE


def _paced(words: Callable[[int], str]) -> Callable[[int], None]:
    from .uploading import paced

    tell = paced(_tell)
    return lambda number: tell(words(number))


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
