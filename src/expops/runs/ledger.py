"""The ledger: every run and action, kept in the KV store in records of bounded size.

Anybody may have written them: what can't be read is left out.

::

    run/<id>                  the run record; ids sort by time
    run-actions/<id>/<n>      actions, in batches in the order in which they ended
    run-metrics/<id>/<n>      metrics, in batches: {process: {name: {step: value}}}
    record/<address>          what many runs share: environments, lists of sources and inputs; compressed JSON
    source/<digest>           the bytes of a small file of a project, compressed
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from ..errors import StorageError, UnknownName
from ..hashing.digest import digest_bytes
from ..kv.base import KVStore
from ..untrusted import inflated
from .model import ActionRecord, Metrics, RunRecord
from .reading import actions_in, metrics_in, run_in, shared_in

_LARGEST_SOURCE: Final = 1 << 20  # bytes; larger files are not kept (see engine/snapshot.py)
_BATCH: Final = 400  # actions to a record, so that it stays well under the 1 MiB that some stores allow


def new_run_id(now: float | None = None) -> str:
    """An identifier that sorts by time and is not drawn twice: ``20260131-142501-3f9a1c``."""
    moment = time.gmtime(now if now is not None else time.time())
    return time.strftime("%Y%m%d-%H%M%S", moment) + "-" + os.urandom(3).hex()


class Ledger:
    """Reads and writes run records."""

    def __init__(self, kv: KVStore) -> None:
        self._kv = kv

    def runs(self) -> list[RunRecord]:
        """All runs, oldest first."""
        # Ids of runs that began in the same second are in no order.
        found = [run_in(raw, name.removeprefix("run/")) for name, raw in self._kv.scan("run/")]
        return sorted((run for run in found if run is not None), key=lambda run: (run.started, run.run_id))

    def get(self, run_id: str) -> RunRecord | None:
        """The run of exactly that id, if the ledger has it and can be read."""
        try:
            raw = self._kv.get_many(["run/" + run_id]).get("run/" + run_id)
        except StorageError:
            return None
        return run_in(raw, run_id) if raw is not None else None

    def find(self, run_id: str) -> RunRecord:
        """The run of that id, of a unique beginning of one, or ``"last"``. Raises :class:`UnknownName`."""
        runs = self.runs()
        if run_id not in ("last", "latest") and self._is_damaged(run_id):
            told = "it is damaged, or somebody else has written it"
            raise UnknownName(f"the record of run '{run_id}' can't be read: {told}; `expops runs` lists the others")
        if not runs:
            raise UnknownName("nothing has run in this project yet; `expops run` does")
        if run_id in ("last", "latest"):
            return runs[-1]
        found = [run for run in runs if run.run_id.startswith(run_id)]
        exact = [run for run in found if run.run_id == run_id]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if found:
            raise UnknownName(f"run '{run_id}' is not unique: {', '.join(run.run_id for run in found)}")
        raise UnknownName(f"there is no run '{run_id}'; the latest is {runs[-1].run_id}, and `expops runs` lists all")

    def _is_damaged(self, run_id: str) -> bool:
        raw = self._kv.get_many(["run/" + run_id]).get("run/" + run_id)
        return raw is not None and run_in(raw, run_id) is None

    def actions(self, run_id: str) -> list[ActionRecord]:
        """The actions of a run, in the order in which they ended."""
        found: dict[str, ActionRecord] = {}
        for record in chain.from_iterable(map(actions_in, self._batches("run-actions", run_id))):
            # A process whose stored output was lost has executed after it had been a hit: the last word counts.
            found.pop(record.path, None)
            found[record.path] = record
        return list(found.values())

    def metrics(self, run_id: str) -> Metrics:
        """The metrics of a run, by process."""
        found: Metrics = {}
        for raw in self._batches("run-metrics", run_id):
            found.update(metrics_in(raw))
        return found

    def shared(self, run: RunRecord) -> dict[str, Any]:
        """What the run refers to, by kind; kinds of which nothing is known are left out."""
        found = self._kv.get_many(["record/" + address for address in run.provenance.values()])
        read = {
            kind: shared_in(kind, found["record/" + address])
            for kind, address in run.provenance.items()
            if "record/" + address in found
        }
        return {kind: document for kind, document in read.items() if document is not None}

    def sources(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The contents of those files of a project that the ledger has whole, by digest."""
        names = ["source/" + digest for digest in dict.fromkeys(digests)]
        found = {}
        for name, raw in self._kv.get_many(names).items():
            data = _source_in(raw)
            if data is not None and digest_bytes(data) == name[7:]:
                found[name[7:]] = data
        return found

    def _batches(self, kind: str, run_id: str) -> Iterator[bytes]:
        return (raw for _, raw in self._kv.scan(f"{kind}/{run_id}/"))

    def write(self, run: RunRecord) -> None:
        """Write or rewrite the record of a run."""
        self._kv.put("run/" + run.run_id, _dump(run))


class Recorder:
    """Writes one run down while it goes on; what was added is safe after each :meth:`flush`."""

    def __init__(self, kv: KVStore, run: RunRecord) -> None:
        self._kv = kv
        self.run = run
        self._written = 0
        self._shared: dict[str, bytes] = {}
        self._actions: list[ActionRecord] = []
        self._metrics: list[tuple[str, Any]] = []

    def add(self, actions: Iterable[ActionRecord], metrics: Metrics) -> None:
        """Take note of actions that ended, and of the metrics of their process."""
        self._actions.extend(actions)
        self._metrics.extend(metrics.items())

    def keep(self, items: Mapping[str, bytes]) -> None:
        """Take note of records that many runs share, by their names in the store."""
        self._shared.update(items)

    def flush(self, run: RunRecord | None = None) -> None:
        """Write down what was added since, and the run record if it is given, in one transaction."""
        items, self._shared = self._shared, {}
        for kind, rows in (("run-actions", self._actions), ("run-metrics", self._metrics)):
            for start in range(0, len(rows), _BATCH):
                items[f"{kind}/{self.run.run_id}/{self._written:08d}"] = _dump(rows[start : start + _BATCH])
                self._written += 1
        if run is not None:
            self.run = run
            items["run/" + run.run_id] = _dump(run)
        if items:
            self._kv.put_many(items)
        self._actions, self._metrics = [], []


def pack_record(document: Any) -> bytes:
    """The bytes of a record that many runs share."""
    return zlib.compress(json.dumps(document, separators=(",", ":"), sort_keys=True).encode())


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _source_in(raw: bytes) -> bytes | None:
    try:
        return inflated(raw, _LARGEST_SOURCE)
    except ValueError:
        return None
