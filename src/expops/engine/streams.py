"""Standard output and error of user code: shown live, and kept with the action that wrote it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

# Takes the name of a stream, "stdout" or "stderr", and text.
Sink: TypeAlias = Callable[[str, str], None]


class _Stream(io.TextIOBase):
    """A text stream that hands on what is written to it, whole lines at a time where it can."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str, sink: Sink) -> None:
        self.name = name
        self._sink = sink
        self._pending = ""
        self.buffer = _Bytes(self)

    def write(self, text: str) -> int:
        """Append ``text``."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._pending += text
        if "\n" in text or len(self._pending) > io.DEFAULT_BUFFER_SIZE:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Hand on what is pending."""
        if self._pending:
            pending, self._pending = self._pending, ""
            self._sink(self.name, pending)

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never: progress bars that redraw themselves would fill the log."""
        return False


class _Bytes(io.RawIOBase):
    """``sys.stdout.buffer``: bytes become text of the same stream."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        """Append bytes, taken as UTF-8."""
        raw = bytes(data)
        self._stream.write(raw.decode("utf-8", "backslashreplace"))
        return len(raw)

    def writable(self) -> bool:
        """Always."""
        return True


class Capture:
    """Redirects ``sys.stdout`` and ``sys.stderr`` to ``sink``, between :meth:`start` and the matching :meth:`stop`.

    The streams stay the same, so that a logging handler that took one of them goes on writing to whoever captures;
    while nobody does, what is written goes to the streams of before.
    """

    def __init__(self, sink: Sink | None = None) -> None:
        self.sink = sink
        self._streams = (_Stream("stdout", self._hand_on), _Stream("stderr", self._hand_on))
        self._before: tuple[Any, Any] = (sys.stdout, sys.stderr)
        self._depth = 0

    def _hand_on(self, name: str, text: str) -> None:
        if self._depth and self.sink is not None:
            self.sink(name, text)
        else:
            print(text, end="", file=self.original(name), flush=True)

    def start(self) -> None:
        """Begin; calls nest."""
        if self._depth == 0:
            self._before = (sys.stdout, sys.stderr)
            sys.stdout, sys.stderr = self._streams
        self._depth += 1

    def flush(self) -> None:
        """Hand on what has no line end yet: called where one action ends and another begins."""
        for stream in self._streams:
            stream.flush()

    def stop(self) -> None:
        """Give the streams back as they were."""
        self.flush()
        self._depth -= 1
        if self._depth == 0:
            sys.stdout, sys.stderr = self._before

    def original(self, name: str) -> Any:
        """The stream that ``name`` stood for before."""
        return self._before[name == "stderr"]


def joined(log: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A log with neighbours of the same stream made one: it doesn't tell how the text came in pieces."""
    found: list[tuple[str, list[str]]] = []
    for stream, text in log:
        if not found or found[-1][0] != stream:
            found.append((stream, []))
        found[-1][1].append(text)
    return [(stream, "".join(pieces)) for stream, pieces in found]
