"""Changes of code shown line by line, for ``expops explain``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..cache.code_diff import SymbolDiff, code_diffs
from ..cache.explain import CodeRecord, code_record, key_of
from ..hashing.code import CodeFingerprint, ProjectCode
from ..kv.base import KVStore
from .text import Printer, plural

_SYMBOLS = 3
_LINES = 12
_STYLES = {"-": "red", "+": "green"}


def since_action(kv: KVStore, action: str, now: CodeFingerprint, code: ProjectCode) -> list[SymbolDiff]:
    """What has changed in the code since the action of that digest ran."""
    load = loader(kv)
    parts = key_of(load("key/" + action))
    before = code_record(load("code/" + parts[0].code)) if parts is not None else None
    return since_record(kv, before, now, code)


def since_record(
    kv: KVStore, before: CodeRecord | None, now: CodeFingerprint | None, code: ProjectCode
) -> list[SymbolDiff]:
    """What has changed in the code since a record of it was made."""
    return code_diffs(now, before, code, loader(kv)) if before is not None and now is not None else []


def loader(kv: KVStore) -> Callable[[str], bytes | None]:
    """A record of the store by name."""
    return lambda name: kv.get_many([name]).get(name)


def print_changes(found: Sequence[SymbolDiff], out: Printer, *, verbose: bool) -> None:
    """Changed lines under the name of each symbol; a few of them, unless ``verbose``."""
    for item in found if verbose else found[:_SYMBOLS]:
        file, _, name = item.symbol.rpartition("::")
        lines = item.lines if verbose else item.lines[:_LINES]
        out.line(f"  {file}, {name.strip('<>')}:", "dim")
        for line in lines:
            out.line(f"    {line}".rstrip(), _STYLES.get(line[:1], ""))
        if len(lines) < len(item.lines):
            out.line(f"    … and {plural(len(item.lines) - len(lines), 'more line')} (-v shows all)", "dim")
    if len(found) > _SYMBOLS and not verbose:
        out.line(f"  … and {plural(len(found) - _SYMBOLS, 'more change')} (-v shows all)", "dim")


def changes_document(found: Sequence[SymbolDiff]) -> list[dict[str, object]]:
    """The same for programs."""
    return [{"symbol": item.symbol, "diff": item.lines} for item in found]
