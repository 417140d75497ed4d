"""``expops cache``: its actions, and ``info``, ``ls`` and ``clear`` themselves."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from .. import wiring
from ..cache.manifest import Manifest
from ..engine.recall import manifest_in
from ..errors import UsageError
from ..kv.address import without_credentials
from ..kv.outbox import GONE, MARKS, waiting
from ..pipeline.config import StoreConfig
from ..pipeline.nearest import advice
from ..runs.model import RunRecord
from . import cache_care, opening
from .documents import moment, write_json
from .parsing import Parser, add_json, add_project, count
from .text import Printer, duration, local_time, plural, size, stdout

_ACTIONS: Final = ("info", "ls", "gc", "verify", "export", "clear", "push", "pull")
# Not `source/`: the list of runs stays, with what they were made from.
_RECORDS: Final = ("result/", "action/", "last/", "key/", "code/")
_BATCH: Final = 1000
_RUNS: Final = 5  # that `info` tells of one by one
_PROJECT: Final = "the project's folder, or one in it (default: the current folder)"
_EXAMPLES = """\
  expops cache info           # where it is, how large, what it has saved
  expops cache ls -n 10       # the ten latest results
  expops cache ls -n 0        # all of them
  expops cache gc --max-size 50GB --keep-runs 10 --dry-run   # what would go; then without --dry-run
  expops cache verify --repair   # read every byte, and remove what is damaged: it is computed again
  expops cache export last train.model model.pkl   # an output as a file; or train/plot.png, a file it wrote
  expops cache clear --yes    # remove all results without asking; the list of runs stays
  expops cache push           # bring to the bucket what this machine has and the bucket has not
  expops cache pull --run last --process train   # bring a run's results and a process's here
"""


class Result(NamedTuple):
    """One result in the cache: its digest, what it holds, the bytes of its own record."""

    digest: str
    manifest: Manifest
    record: int


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "cache",
        "info|ls|gc|verify|clear|push|pull [PROJECT] [options], or export RUN PROCESS.OUTPUT FILE [options]",
        "Look into the cache of a project, care for it, or exchange results with the bucket that it is in.\n"
        "info: where it is, its size, its use; ls: the results, latest first; clear: remove all results.\n"
        "gc: remove what is too old, too large or of use to nobody, longest unused first. verify: read and check\n"
        "everything (exit code 3: something is damaged). export: write an output or a file of a run to a file.\n"
        "push: upload; pull: download, outputs included; all results, or those of runs and processes.",
        _EXAMPLES,
    )
    made.add_argument("action", metavar="|".join(_ACTIONS), help="what to do")
    made.add_argument("words", metavar="PROJECT", nargs="*", help=_PROJECT)
    add_project(made, positional=False)
    made.add_argument("-n", metavar="N", type=count, default=20, help="with ls: how many (default: 20); 0 for all")
    made.add_argument(
        "--run", metavar="RUN", action="append", default=[], help="with push and pull: this run's; may be repeated"
    )
    made.add_argument(
        "--process",
        metavar="PROCESS",
        action="append",
        default=[],
        help="with push and pull: the latest of this process; may be repeated",
    )
    cache_care.add_options(made)
    made.add_argument("-y", "--yes", action="store_true", help="with clear: don't ask")
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Do what is asked."""
    if args.action not in _ACTIONS:
        raise UsageError(f"there is no `cache {args.action}`; {advice(args.action, _ACTIONS, 'there are')}")
    if args.action == "export":
        from .cache_export import export  # not for those who only look

        return export(args)
    if len(args.words) > 1:
        raise UsageError(f"`cache {args.action}` takes one project, not {', '.join(args.words)}")
    args.folder = args.words[0] if args.words else None
    with opening.stores(args) as stores:
        if args.action in ("gc", "verify"):
            return cache_care.care(stores, args)
        if args.action == "clear":
            return _clear(stores, args)
        if args.action in ("push", "pull"):
            from .cache_transfer import transfer  # not for those who only look

            return transfer(stores, args)
        found = list(results(stores))
        if args.action == "ls":
            shown = found[: args.n] if args.n else found
            if args.json:
                write_json({"results": [_result_document(item) for item in shown]}, sys.stdout)
            else:
                _print_results(shown, len(found), stdout())
            return 0
        document = _info(stores, found)
    if args.json:
        write_json(document, sys.stdout)
    else:
        _print_info(document, stdout())
    return 0


def results(stores: opening.Stores) -> Iterator[Result]:
    """All sound results, latest first."""
    found = []
    for name, raw in stores.cache.kv.scan("result/"):
        manifest = manifest_in(raw, "")
        if manifest is not None:
            found.append(Result(name.removeprefix("result/"), manifest, len(raw)))
    return iter(sorted(found, key=lambda item: item.manifest.created, reverse=True))


def _result_document(item: Result) -> dict[str, Any]:
    manifest = item.manifest
    return {
        "path": manifest.path,
        "kind": manifest.kind,
        "result": item.digest,
        "bytes": manifest.size(),
        "created": moment(manifest.created),
        "seconds": round(manifest.seconds, 6),
        "run_id": manifest.run,
        "host": manifest.host,
    }


def _print_results(shown: list[Result], total: int, out: Printer) -> None:
    if not shown:
        out.line("the cache is empty")
        return
    rows = [
        (
            item.manifest.path,
            item.manifest.kind,
            size(item.manifest.size()),
            duration(item.manifest.seconds),
            local_time(item.manifest.created),
            item.manifest.run,
        )
        for item in shown
    ]
    out.table(rows, head=("result", "kind", "size", "took", "created", "run"), right=(2, 3))
    if total > len(shown):
        out.line(f"  and {plural(total - len(shown), 'earlier result')} (-n 0 lists all)", "dim")


def _info(stores: opening.Stores, found: list[Result]) -> dict[str, Any]:
    blobs = [count for _, count in stores.cache.blobs.list()]
    runs = stores.ledger.runs()
    by_process: dict[str, dict[str, Any]] = {}
    for item in found:
        entry = _entry_of(by_process, item.manifest.path)
        entry["processes" if item.manifest.kind == "process" else "steps"] += 1
        entry["bytes"] += item.manifest.size()
    for run in runs:
        for action in stores.ledger.actions(run.run_id):
            if action.outcome == "hit":
                entry = _entry_of(by_process, action.path)
                entry["hits"] += 1
                entry["saved_seconds"] = round(entry["saved_seconds"] + action.saved, 6)
    settings = stores.config.cache
    return {
        "folder": stores.folder,
        "kv": _store_document(settings.kv),
        "objects": _store_document(settings.objects),
        "results": {
            "process": sum(item.manifest.kind == "process" for item in found),
            "step": sum(item.manifest.kind == "step" for item in found),
            "bytes": sum(item.record for item in found),
        },
        "blobs": {"count": len(blobs), "bytes": sum(blobs)},
        "by_process": by_process,
        "by_run": [_run_document(run) for run in reversed(runs[-_RUNS:])],
        **_bucket_document(stores),
        "runs": len(runs),
        "hits": _total(runs, "hit"),
        "executed": _total(runs, "executed") + _total(runs, "failed"),
        "saved_seconds": round(sum(run.saved for run in runs), 6),
    }


def _entry_of(by_process: dict[str, dict[str, Any]], path: str) -> dict[str, Any]:
    empty = {"processes": 0, "steps": 0, "bytes": 0, "hits": 0, "saved_seconds": 0.0}
    return by_process.setdefault(path.partition("/")[0], empty)


def _run_document(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "hits": run.counts.get("hit", 0),
        "executed": run.counts.get("executed", 0) + run.counts.get("failed", 0),
        "saved_seconds": round(run.saved, 6),
    }


def _bucket_document(stores: opening.Stores) -> dict[str, Any]:
    """Of a cache over a bucket: where that is, and how many records have not arrived there."""
    tier = wiring.open_tier(stores.folder, stores.config, lambda message: None)
    if tier is None:
        return {}
    return {"bucket": tier.address, "waiting": len(waiting(stores.cache.kv).keys)}


def _total(runs: list[RunRecord], outcome: str) -> int:
    return sum(run.counts.get(outcome, 0) for run in runs)


def _print_info(document: dict[str, Any], out: Printer) -> None:
    held, blobs = document["results"], document["blobs"]
    rows = [
        ("where", document["folder"]),
        ("stores", f"{document['kv']['type']}, {document['objects']['type']}"),
        (
            "results",
            f"{held['process']:,} of processes, {held['step']:,} of steps, {size(held['bytes'])} of records",
        ),
        ("blobs", f"{blobs['count']:,}, {size(blobs['bytes'])}"),
        (
            "use",
            f"{plural(document['runs'], 'run')}: {plural(document['hits'], 'process hit')}, "
            f"{document['executed']:,} executed, {duration(document['saved_seconds'])} saved",
        ),
    ]
    if "bucket" in document:
        rest = document["waiting"]
        rows.insert(1, ("bucket", document["bucket"] + (f", {plural(rest, 'record')} to be uploaded" if rest else "")))
    out.table(rows)
    if document["by_process"]:
        out.line()
        largest = sorted(document["by_process"].items(), key=lambda item: item[1]["bytes"], reverse=True)
        shares = [
            (
                *(name, f"{entry['processes']:,}", f"{entry['steps']:,}", size(entry["bytes"])),
                *(f"{entry['hits']:,}", duration(entry["saved_seconds"])),
            )
            for name, entry in largest
        ]
        head = ("process", "results", "of steps", "outputs and artifacts", "hits", "saved")
        out.table(shares, head=head, right=(1, 2, 3, 4, 5))
    if document["by_run"]:
        out.line()
        latest = [
            (run["run_id"], f"{run['hits']:,}", f"{run['executed']:,}", duration(run["saved_seconds"]))
            for run in document["by_run"]
        ]
        out.table(latest, head=("latest runs", "hits", "executed", "saved"), right=(1, 2, 3))


def _store_document(settings: StoreConfig) -> dict[str, object]:
    """Type and place of a store, without secrets."""
    secret = ("credentials", "key")
    shown = {name: value for name, value in settings.options.items() if not any(word in name for word in secret)}
    if "url" in shown:
        shown["url"] = without_credentials(str(shown["url"]))
    return {"type": settings.type, **shown}


def _clear(stores: opening.Stores, args: argparse.Namespace) -> int:
    near = wiring.near_stores(stores.folder, stores.config)
    kv, blobs = near or (stores.cache.kv, stores.cache.blobs)
    names, held, freed = [], 0, 0
    for prefix in (*_RECORDS, *((MARKS, GONE) if near else ())):
        for name, raw in kv.scan(prefix):
            names.append(name)
            freed += len(raw)
            held += prefix == "result/"
    digests = dict(blobs.list())
    freed += sum(digests.values())
    what = f"{plural(held, 'result')} and {plural(len(digests), 'blob')}, {size(freed)}"
    if not args.yes and not _agreed(f"remove {what} from {stores.folder}?"):
        print("nothing removed", file=sys.stderr)
        return 1
    for start in range(0, len(names), _BATCH):
        kv.delete(names[start : start + _BATCH])
    # Without this, what runs next would be told to have never run.
    kv.put("cleared", str(time.time()).encode())
    blobs.delete(digests)
    if args.json:
        write_json({"results": held, "blobs": len(digests), "bytes": freed}, sys.stdout)
    else:
        print(f"removed {what}" + ("; the bucket keeps what it has, and runs find it there" if near else ""))
    return 0


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is there to answer: say --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
