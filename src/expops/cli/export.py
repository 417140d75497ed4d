"""``expops export``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from ..cache.manifest import Manifest
from ..engine.recall import remembered
from ..errors import UsageError
from ..record.files import Made, artifacts_of
from ..runs.canonical import canonical
from . import opening
from .documents import stdout_on_stderr
from .parsing import Parser, add_project, one_of
from .record_files import stored_document
from .records import find_run

FORMATS: Final = ("json", "pylock", "ro-crate", "mlflow")
_EXAMPLES = """\
  expops export last -o run.json                          # all that is known of the run, for `expops reproduce`
  expops export last --format ro-crate -o crate           # a Workflow Run RO-Crate in a new folder
  expops export last --format mlflow -o mlruns            # parameters, metrics and artifacts, to a folder
  expops export last --format mlflow -o http://host:5000  # ... or to a tracking server
  expops export last --format pylock -o pylock.toml       # the packages that it ran with
"""


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "export",
        "RUN [options]",
        "Write a recorded run for others: as JSON with its sources, as a Workflow Run RO-Crate, to MLflow.",
        _EXAMPLES,
    )
    made.add_argument("run", metavar="RUN", help="a run's id or its beginning, or `last`")
    add_project(made, positional=False)
    made.add_argument("--format", metavar="FORMAT", type=one_of(*FORMATS), default="json", help=_formats())
    made.add_argument(
        "-o",
        "--output",
        "--to",
        metavar="PATH",
        help="the file or folder to write, or MLflow's server (default: standard output, for json and pylock)",
    )
    made.add_argument("--license", metavar="URL", help="with ro-crate: the licence under which it is shared")
    return made


def _formats() -> str:
    return f"{', '.join(FORMATS)} (default: {FORMATS[0]})"


def execute(args: argparse.Namespace) -> int:
    """Write it."""
    with opening.stores(args) as stores:
        document = stored_document(stores, args.run)
        if args.format == "json":
            return _write(args, canonical(document) + b"\n")
        if args.format == "pylock":
            return _write(args, document["environment"]["pylock"].encode())
        if args.output is None:
            what = "a new folder" if args.format == "ro-crate" else "a folder or a server's URL"
            raise UsageError(f"--format {args.format} needs -o with {what}")
        files = list(artifacts_of(_manifests(stores, args.run), stores.cache.blobs))
    with stdout_on_stderr():
        where = _write_crate(args, document, files) if args.format == "ro-crate" else _log(args, document, files)
    print(f"run {document['run']['id']} is in {where}")
    return 0


def _manifests(stores: opening.Stores, name: str) -> dict[str, Manifest]:
    run = find_run(stores.ledger, name)
    done = [item for item in stores.ledger.actions(run.run_id) if item.kind == "process"]
    known = remembered(stores.cache.kv, done)
    return {path: item.manifest for path, item in known.items() if item.manifest is not None}


def _write(args: argparse.Namespace, data: bytes) -> int:
    if args.output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return 0
    try:
        with open(args.output, "wb") as file:
            file.write(data)
    except OSError as fault:
        raise UsageError(f"{args.output} can't be written: {fault.strerror or fault}") from fault
    return 0


def _write_crate(args: argparse.Namespace, document: Mapping[str, Any], files: list[Made]) -> str:
    from ..record.ro_crate import write_crate  # only for this format

    folder: str = args.output
    if os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise UsageError(f"{folder} is there and not empty; name a new folder")
    try:
        write_crate(folder, document, files, licence=args.license)
    except OSError as fault:
        raise UsageError(f"{folder} can't be written: {fault.strerror or fault}") from fault
    return folder


def _log(args: argparse.Namespace, document: Mapping[str, Any], files: list[Made]) -> str:
    from ..record.mlflow_run import log_run  # only for this format

    return log_run(args.output, document, files)
