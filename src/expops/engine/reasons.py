"""Why an action runs: what the cache knows, and what only the ledger or the code as it is now can tell."""

from __future__ import annotations

from ..cache.discovery import Surroundings, names_of
from ..cache.explain import SEED_CHANGED, CodeRecord, Described, code_reasons, why_discovered
from ..cache.manifest import Manifest
from ..cache.store import LookUp, ResultCache
from ..errors import SourceError
from ..hashing.code import CodeFingerprint, ProjectCode
from ..runs.ledger import Ledger


def reasons_of(
    cache: ResultCache, described: Described, look_up: LookUp, around: Surroundings, seed: int
) -> tuple[str, ...]:
    """All causes that are known; ``seed`` is the root seed of this run."""
    found = cache.reasons(described, look_up, around)
    if SEED_CHANGED not in found:
        return found
    before = cache.before(look_up)
    run = Ledger(cache.kv).get(before.run) if before is not None else None
    if run is None or run.seed == str(seed):
        return found
    return tuple([f"random seed {run.seed} → {seed}" if reason == SEED_CHANGED else reason for reason in found])


def since(code: ProjectCode, before: CodeRecord | None, manifest: Manifest | None, around: Surroundings) -> list[str]:
    """Why a step that ran would not be served from the cache with the same arguments, as far as files tell."""
    found = [] if before is None else _code_since(code, before)
    if manifest is not None:
        # What it read in the working folder of its process, and which seed it would get, is known only in a run.
        seen = {kind: names for kind, names in manifest.discovered.items() if kind != "seed"}
        lasting = {kind: {n: d for n, d in names.items() if not n.startswith("work/")} for kind, names in seen.items()}
        found += why_discovered(lasting, around.values(names_of(lasting)))
    return found


def _code_since(code: ProjectCode, before: CodeRecord) -> list[str]:
    now = current(code, before)
    if now is None:
        return [f"{before.root} is not there any more"]
    return [] if now.symbols == before.symbols and now.counted == before.counted else code_reasons(now, before)


def current(code: ProjectCode, before: CodeRecord) -> CodeFingerprint | None:
    """The fingerprint that the function of a code record has now; ``None`` if it can't be found or read."""
    try:
        return code.named(before.root) if "::" in before.root else None
    except SourceError:
        return None
