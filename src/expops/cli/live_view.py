"""Drawing the live view; the only module that imports rich."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from .text import duration, shortened, width

if TYPE_CHECKING:
    from .live import Row

_MARKS: Final = {
    "waiting": ("·", "dim"),
    "running": ("▶", "cyan"),
    "cached": ("=", "dim"),
    "done": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("-", "yellow"),
}
_WORDS: Final = ("running", "failed", "done", "cached", "skipped", "waiting")
# Which rows stay when there is not room for all.
_IMPORTANCE: Final = {"running": 0, "failed": 1, "waiting": 2, "skipped": 3, "done": 4, "cached": 5}
_INTERVAL: Final = 0.1
_NAME_LIMIT: Final = 40


class View:
    """Draws rows in place and prints lines above them."""

    def __init__(self, file: IO[str], rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._begun = time.monotonic()
        self._drawn = 0.0
        self._console = Console(file=file, highlight=False)
        self._live = Live(
            self,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def draw(self) -> None:
        """Begin."""
        self._live.start(refresh=True)

    def refresh(self, lines: Sequence[str]) -> None:
        """Print ``lines`` above the view and draw it anew, unless that was done a moment ago."""
        now = time.monotonic()
        if lines:
            self._print(lines)
        elif now - self._drawn >= _INTERVAL:
            self._live.refresh()
        else:
            return
        self._drawn = now

    def close(self, lines: Sequence[str]) -> None:
        """Print what is left and take the view away."""
        if lines:
            self._print(lines)
        self._live.stop()

    def _print(self, lines: Sequence[str]) -> None:
        self._console.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the view, as many and as long as the terminal takes."""
        columns, height = options.max_width, console.size.height
        room = max(height - 3, 1)
        shown, hidden = chosen(list(self._rows.values()), room)
        names = min(max((width(row.name) for row in shown), default=0), _NAME_LIMIT, max(columns // 2, 8))
        yield Text(shortened(self._head(), columns), style="bold", no_wrap=True)
        for row in shown:
            yield _line(row, names, columns)
        if hidden:
            yield Text(shortened(f"  … and {_counts(hidden)}", columns), style="dim", no_wrap=True)

    def _head(self) -> str:
        return f"{_counts(list(self._rows.values()))}  ({duration(time.monotonic() - self._begun)})"


def chosen(rows: list[Row], room: int) -> tuple[list[Row], list[Row]]:
    """The rows to show, in their order, and those that there is no room for."""
    if len(rows) <= room:
        return rows, []
    room = max(room - 1, 1)
    ranked = sorted(range(len(rows)), key=lambda index: (_IMPORTANCE[rows[index].state], index))
    kept = set(ranked[:room])
    return (
        [row for index, row in enumerate(rows) if index in kept],
        [row for index, row in enumerate(rows) if index not in kept],
    )


def _counts(rows: Sequence[Row]) -> str:
    found: dict[str, int] = {}
    for row in rows:
        found[row.state] = found.get(row.state, 0) + 1
    return ", ".join(f"{found[state]:,} {state}" for state in _WORDS if state in found)


def _line(row: Row, names: int, columns: int) -> Text:
    mark, style = _MARKS[row.state]
    name = shortened(row.name, names)
    name += " " * (names - width(name))
    line = Text(no_wrap=True, end="")
    line.append(f"{mark} ", style)
    line.append(name, style if row.state in ("waiting", "cached") else "")
    left = columns - 2 - names
    for text, kind in ((f"  {_time(row):>10}", style), (f"  {_note(row)}", "dim")):
        if left > 4 and text.strip():
            cut = shortened(text, left)
            line.append(cut, kind)
            left -= width(cut)
    line.append("\n")
    return line


def _time(row: Row) -> str:
    if row.state == "running":
        return duration(time.monotonic() - row.since)
    if row.state == "done":
        return duration(row.seconds)
    return row.state


def _note(row: Row) -> str:
    if row.state == "running" and row.step:
        many = f"{row.steps:,} steps done, latest" if row.steps > 1 else "done with step"
        return f"{many} {row.step}; {row.note}"
    return row.note
