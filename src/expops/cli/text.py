"""Plain text for people: durations, sizes, times, tables that fit, a little colour."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import IO, Final

_LAST_COLUMN: Final = 12
_NARROWEST: Final = 8
_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def plural(count: int, noun: str, many: str = "") -> str:
    """``1 process``, ``1,024 processes``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {many or noun + 's'}"


def processes(count: int) -> str:
    """A number of processes."""
    return plural(count, "process", "processes")


def duration(seconds: float) -> str:
    """``4 ms``, ``0.35 s``, ``12.3 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def size(count: int) -> str:
    """``12 B``, ``3.4 kB``, ``1.2 GB``, in powers of a thousand."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.5 or unit == "TB":
            break
    return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:,.0f} {unit}"


def local_time(seconds: float) -> str:
    """A time as the clock on the wall showed it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def number(value: float) -> str:
    """A metric's value with the digits that matter."""
    return f"{value:.6g}"


def width(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata  # only names outside ASCII need it

    columns = 0
    for character in text:
        if not unicodedata.combining(character):
            columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


def shortened(text: str, columns: int) -> str:
    """``text`` in at most ``columns`` columns."""
    if width(text) <= columns:
        return text
    kept = text[: max(columns - 1, 0)]
    while kept and width(kept) > columns - 1:
        kept = kept[:-1]
    return kept + "…" if columns > 0 else ""


class Printer:
    """Prints to a stream, in colour and to its width where it is a terminal."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.terminal = file.isatty()
        self._colour = self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def columns(self) -> int | None:
        """Columns of the terminal; ``None`` where text may be as wide as it likes."""
        if not self.terminal:
            return None
        try:
            return max(os.get_terminal_size(self.file.fileno()).columns, 20) or None
        except OSError:
            return 80

    @property
    def rows(self) -> int | None:
        """Rows of the terminal; ``None`` where text may be as long as it likes."""
        if not self.terminal:
            return None
        try:
            return os.get_terminal_size(self.file.fileno()).lines or None
        except OSError:
            return None

    def paint(self, text: str, style: str) -> str:
        """``text`` in that style, such as ``"red"``."""
        return f"\033[{_CODES[style]}m{text}\033[0m" if self._colour and style and text else text

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line, or several."""
        self.file.write(self.paint(text, style) + "\n")

    def table(
        self,
        rows: Iterable[Sequence[str]],
        *,
        head: Sequence[str] = (),
        right: Sequence[int] = (),
        styles: Sequence[str] = (),
        cut: bool = False,
    ) -> None:
        """Print ``rows`` in aligned columns; the last is wrapped, or ``cut``, where the terminal is too narrow for it.

        ``right`` are the numbers of columns with figures, ``styles`` a style for each row.
        """
        cells = [list(head), *map(list, rows)] if head else [*map(list, rows)]
        if not cells:
            return
        kinds = ["dim", *styles] if head else list(styles)
        widths = [max(width(row[column]) for row in cells) for column in range(len(cells[0]) - 1)]
        widths = self._bounded(widths)
        indent = sum(widths) + 2 * len(widths) + 2
        for number_, row in enumerate(cells):
            fixed = [
                _padded(shortened(cell, columns), columns, index in right)
                for index, (cell, columns) in enumerate(zip(row, widths, strict=False))
            ]
            parts = self._wrapped(row[-1], indent)
            if cut and len(parts) > 1:
                parts = [shortened(f"{parts[0]} {parts[1]}", max((self.columns or 80) - indent, _LAST_COLUMN))]
            style = kinds[number_] if number_ < len(kinds) else ""
            self.line(self.paint(("  " + "  ".join([*fixed, parts[0]])).rstrip(), style))
            for part in parts[1:]:
                self.line(" " * indent + part, style)

    def _bounded(self, widths: list[int]) -> list[int]:
        """Column widths that leave room for the last one; the widest give way first."""
        if self.columns is None:
            return widths
        spare = self.columns - 2 * len(widths) - 2 - _LAST_COLUMN
        widths = list(widths)
        while sum(widths) > spare and max(widths) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
        return widths

    def _wrapped(self, text: str, indent: int) -> list[str]:
        lines = text.split("\n")
        if self.columns is None:
            return lines
        room = max(self.columns - indent, _LAST_COLUMN)
        return [part for line in lines for part in (wrapped(line, room) if width(line) > room else [line])]


def wrapped(text: str, columns: int) -> list[str]:
    """``text`` in lines of at most ``columns``, broken between words where it can be."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined) <= columns:
            lines[-1] = joined
            continue
        lines += [""] if lines[-1] else []
        for character in word:
            if width(lines[-1] + character) > columns:
                lines.append("")
            lines[-1] += character
    return lines


def stdout() -> Printer:
    """A printer to standard output."""
    return Printer(sys.stdout)


def let_go_of_stdout() -> None:
    """Whoever read our output has gone; the interpreter must not try to write the rest as it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _padded(text: str, columns: int, right: bool) -> str:
    space = " " * (columns - width(text))
    return space + text if right else text + space
