"""``expops cache export RUN PROCESS.OUTPUT FILE``: a value out of the cache, as a file for other programs."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any, Final

from ..cache import artifacts
from ..cache.manifest import Manifest
from ..cache.values import load_value
from ..engine.project import import_roots
from ..engine.recall import manifest_in
from ..errors import StorageError, UnknownName, UsageError
from ..pipeline.nearest import advice
from ..runs.model import ActionRecord
from . import opening
from .documents import write_json
from .opening import Stores
from .text import size


def export(args: argparse.Namespace) -> int:
    """Write it. Raises :class:`UsageError` for what can't be written that way, before anything is."""
    if len(args.words) != 3:
        raise UsageError("name the run, the output and the file: expops cache export last train.model model.pkl")
    run, wanted, target = args.words
    args.folder = None
    if os.path.exists(target) and not args.yes:
        raise UsageError(f"{target} is there already; remove it, or say --yes to write over it")
    with opening.stores(args) as stores:
        try:
            written = _write(stores, run, wanted, target)
        except StorageError as fault:
            raise UsageError(f"{wanted} of run {run} can't be read: {fault}; run the project again") from fault
    if args.json:
        write_json({"file": target, "bytes": written}, sys.stdout)
    else:
        print(f"wrote {target}, {size(written)}")
    return 0


def _write(stores: Stores, run: str, wanted: str, target: str) -> int:
    record = stores.ledger.find(run)
    actions = {action.path: action for action in stores.ledger.actions(record.run_id)}
    if "/" in wanted and wanted.partition(".")[0] not in actions:
        process, _, file = wanted.partition("/")
        manifest = _manifest(stores, _action(actions, process, record.run_id))
        return _file(stores, manifest, process, file, target)
    process, _, output = wanted.rpartition(".")
    if not process:
        raise UsageError(f"'{wanted}' names no output; write PROCESS.OUTPUT, or PROCESS/FILE for a file it wrote")
    manifest = _manifest(stores, _action(actions, process, record.run_id))
    if output not in manifest.outputs:
        raise UnknownName(f"'{process}' has no output '{output}'; {advice(output, list(manifest.outputs), 'it has')}")
    # What was pickled may be of the project's own classes.
    sys.path[:0] = [root for root in import_roots(stores.root, stores.config) if root not in sys.path]
    value = load_value(manifest.outputs[output], stores.cache.blobs, data_only=stores.cache.data_only)
    return _put(target, _bytes_of(value, target))


def _action(actions: dict[str, ActionRecord], process: str, run: str) -> ActionRecord:
    if process not in actions:
        raise UnknownName(f"run {run} has no process '{process}'; {advice(process, list(actions), 'it has')}")
    return actions[process]


def _manifest(stores: Stores, action: ActionRecord) -> Manifest:
    manifest = manifest_in(stores.cache.load("result/" + action.result), action.action) if action.result else None
    if manifest is None:
        why = "its result is not in the cache any more" if action.result else f"it has none: it {action.outcome}"
        raise UsageError(f"'{action.path}' of that run can't be exported: {why}; run the project again")
    return manifest


def _file(stores: Stores, manifest: Manifest, process: str, name: str, target: str) -> int:
    files = {item.path: item for item in manifest.artifacts}
    if name not in files:
        raise UnknownName(f"'{process}' wrote no file '{name}'; {advice(name, list(files), 'it wrote')}")
    return _put(target, artifacts.content(files[name].content, stores.cache.blobs))


def _put(target: str, data: bytes) -> int:
    beside = f"{target}.{os.getpid()}.part"
    try:
        with open(beside, "wb") as file:
            file.write(data)
        os.replace(beside, target)
    except OSError as fault:
        raise UsageError(f"{target} can't be written: {fault.strerror}") from fault
    return len(data)


def _bytes_of(value: Any, target: str) -> bytes:
    suffix = os.path.splitext(target)[1].lower()
    if suffix not in _WRITERS:
        raise UsageError(f"{target}: files of that kind can't be written; end its name in {', '.join(_WRITERS)}")
    try:
        return _WRITERS[suffix](value)
    except (TypeError, ValueError, AttributeError, ImportError) as fault:
        kind = type(value).__name__
        mend = "`.pkl` takes any value"
        raise UsageError(f"a {kind} can't be written as {suffix} ({fault}); {mend}") from fault


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()


def _text(value: Any) -> bytes:
    if not isinstance(value, str | bytes):
        raise TypeError("it is no text")
    return value.encode() if isinstance(value, str) else value


def _npy(value: Any) -> bytes:
    import io

    import numpy

    if not isinstance(value, numpy.ndarray | numpy.generic):
        raise TypeError("it is no array")
    file = io.BytesIO()
    numpy.save(file, value, allow_pickle=False)
    return file.getvalue()


def _csv(value: Any) -> bytes:
    data: str = value.to_csv(index=not _plain_index(value))
    return data.encode()


def _parquet(value: Any) -> bytes:
    data: bytes = value.to_parquet(index=None)
    return data


def _plain_index(value: Any) -> bool:
    import pandas

    return isinstance(value.index, pandas.RangeIndex) and value.index.name is None


_WRITERS: Final[dict[str, Callable[[Any], bytes]]] = {
    ".json": _json,
    ".npy": _npy,
    ".csv": _csv,
    ".parquet": _parquet,
    ".txt": _text,
    ".pkl": lambda value: pickle.dumps(value, 5),
}
