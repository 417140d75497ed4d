"""What ``expops verify`` prints."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import IO, Final

from ..engine.verify.difference import Difference
from ..engine.verify.variations import VARIATIONS
from ..engine.verify.verdicts import BITWISE, FAILED, TOLERANCE, UNSTABLE, UNTESTED, Seen, Told, Verdict
from .text import Printer, plural, shortened

_STYLES: Final = {BITWISE: "green", TOLERANCE: "green", UNSTABLE: "red", UNTESTED: "yellow", FAILED: "red"}
_CLEAR: Final = "\r\033[K"


class Progress:
    """Tells on standard error what is going on: in one line that is written over on a terminal, else line by line."""

    def __init__(self, file: IO[str]) -> None:
        self._out = Printer(file)
        self._lock = threading.Lock()

    def __enter__(self) -> Progress:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Wipe the line."""
        if self._out.terminal:
            self._write(_CLEAR)

    def tell(self, text: str) -> None:
        """Say what comes next."""
        with self._lock:
            columns = self._out.columns
            if columns is None:
                self._write(f"verify: {text}\n")
            else:
                self._write(_CLEAR + shortened(f"verify: {text}", columns - 1))

    def _write(self, text: str) -> None:
        self._out.file.write(text)
        self._out.file.flush()


def print_verdicts(found: Sequence[Verdict], out: Printer, *, quick: bool) -> None:
    """A line for each action, and a paragraph for what differs."""
    known = [name for name in VARIATIONS if any(name in item.survived for item in found)]
    notes = _common([item.untested for item in found if item.survived])
    rows = [(item.path, _word(item), _told(item, known, notes, quick)) for item in found]
    out.table(rows, head=("action", "verdict", "survived"), styles=[_STYLES[item.verdict] for item in found])
    if known:
        out.line()
        out.line(f"all: {', '.join(known)}", "dim")
    for name, why in notes.items():
        out.line(f"untested({name}): {why}", "dim")
    for item in found:
        if item.told or item.error:
            out.line()
            _print_differences(item, out)
    out.line()
    counts = [(word, sum(item.verdict == word for item in found)) for word in _STYLES]
    out.line(
        f"{plural(len(found), 'action')}: " + ", ".join(f"{count:,} {word}" for word, count in counts if count), "bold"
    )


def _common(untested: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What is the same for all, so that it need be told only once."""
    first, *others = untested or [{}]
    return {name: why for name, why in first.items() if all(other.get(name) == why for other in others)}


def _word(item: Verdict) -> str:
    return f"tolerance({item.tolerance:g})" if item.verdict == TOLERANCE else item.verdict


def _told(item: Verdict, known: Sequence[str], notes: Mapping[str, str], quick: bool) -> str:
    if item.verdict == FAILED:
        return "failed when it was executed again"
    if quick and item.verdict == BITWISE:
        return "one plain re-execution"
    without = [f"untested({name}): {why}" for name, why in item.untested.items() if notes.get(name) != why]
    if item.logs and not item.told:
        without.append("what it prints differs")
    survived = _survived(item, known) if item.verdict != UNTESTED else ""
    return "; ".join(part for part in (survived, *without) if part)


def _survived(item: Verdict, known: Sequence[str]) -> str:
    missing = [name for name in known if name not in item.survived]
    if not item.survived:
        return "nothing"
    if not missing:
        return "all"
    return f"all but {', '.join(missing)}" if len(missing) <= len(item.survived) else ", ".join(item.survived)


def _print_differences(item: Verdict, out: Printer) -> None:
    out.line(f"{item.path}: {_word(item)}", "bold")
    if item.error:
        out.line("  " + item.error.replace("\n", "\n  "), "red")
    for told in item.told:
        out.line("  " + _cause(told))
        if told.starts and item.path not in told.starts:
            out.line(f"    starts in {', '.join(told.starts)}")
        for seen in told.seen:
            _print_seen(seen, out)
        if told.keyed:
            out.line(f"    an input that the cache knows differs: {', '.join(told.keyed)}", "dim")


def _cause(told: Told) -> str:
    if not told.variations:
        return told.detail
    names = " and ".join(told.variations)
    return f"differs with {names}" + (f": {told.detail}" if told.detail else "")


def _print_seen(seen: Seen, out: Printer) -> None:
    what = "return value" if (seen.kind, seen.name) == ("output", "return") else seen.kind
    found = seen.found
    for number, difference in enumerate(found.first):
        out.line(f"    {what if number == 0 else ' ' * len(what)}  {_place(difference)}")
    if found.number > len(found.first):
        farthest = f", {found.most_ulps:,} ULP at most" if found.most_ulps is not None else ""
        out.line(f"    {' ' * len(what)}  and {found.number - len(found.first):,} more{farthest}")


def _place(difference: Difference) -> str:
    notes = [f"{difference.ulps:,} ULP"] if difference.ulps is not None else []
    notes += [difference.note] if difference.note else []
    values = f"{difference.recorded} → {difference.found}" if difference.recorded or difference.found else ""
    told = f"{difference.path}: {values}" if difference.path and values else difference.path or values
    return told + (f" ({', '.join(notes)})" if notes else "")
