"""Ledger records of actions, from what is known when they end."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Final

from ..cache.explain import why_hit
from ..cache.manifest import Blob, Manifest, StoredValue
from ..cache.store import LookUp
from ..hashing.digest import digest_bytes
from ..runs.model import ActionRecord
from .frames import Frame, SeedPath

HOST: Final = os.uname().nodename


def executed_record(
    frame: Frame,
    kind: str,
    reason: str,
    started: float,
    seconds: float,
    outputs: Mapping[str, StoredValue],
    action: str,
    result: str,
    manifest: Manifest | None,
) -> ActionRecord:
    """The ledger's record of an execution; without a manifest its result was not kept."""
    return ActionRecord(
        path=frame.path,
        kind=kind,
        outcome="executed",
        reason=reason,
        seconds=seconds,
        saved=0.0,
        outputs=output_marks(outputs),
        seed=frame.seeds.seed(),
        drew="" in frame.observed.seed,
        started=started,
        action=action,
        result=result,
        producer=manifest.run if manifest is not None else "",
        stored=manifest is not None,
        artifacts=tuple(item.path for item in manifest.artifacts) if manifest is not None else (),
        error="",
        artifact_digests=artifact_marks(manifest) if manifest is not None else (),
    )


def hit_record(path: str, kind: str, look_up: LookUp, seconds: float, started: float) -> ActionRecord:
    """The ledger's record of a hit. ``look_up`` must have its manifest."""
    manifest = look_up.manifest
    assert manifest is not None
    return ActionRecord(
        path=path,
        kind=kind,
        outcome="hit",
        reason=why_hit(manifest),
        seconds=seconds,
        saved=manifest.seconds,
        outputs=output_marks(manifest.outputs),
        seed=manifest.seed,
        drew="" in manifest.discovered.get("seed", {}),
        started=started,
        action=look_up.action,
        result=look_up.result,
        producer=manifest.run,
        stored=True,
        artifacts=tuple([item.path for item in manifest.artifacts]),
        error="",
        artifact_digests=artifact_marks(manifest),
    )


def output_marks(outputs: Mapping[str, StoredValue]) -> dict[str, tuple[str, int]]:
    """Fingerprint and size by output name."""
    return {name: (value.fingerprint, value.size) for name, value in outputs.items()}


def artifact_marks(manifest: Manifest) -> tuple[str, ...]:
    """Digests of the files that an action wrote, in their order."""
    return tuple(
        [
            item.content.digest if isinstance(item.content, Blob) else digest_bytes(item.content)
            for item in manifest.artifacts
        ]
    )


def ended_record(seed: int, name: str, outcome: str, reason: str, error: str) -> ActionRecord:
    """The ledger's record of a process that has not executed to its end: skipped, or failed outside its own code."""
    own = SeedPath(seed, name).seed()
    return ActionRecord(
        name, "process", outcome, reason, 0.0, 0.0, {}, own, False, time.time(), "", "", "", False, (), error
    )
