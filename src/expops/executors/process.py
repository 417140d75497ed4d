"""One worker process, seen from its pool: its descriptors, what goes in and what comes out. Never blocks."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from . import frames

# Not "-m", whose machinery takes milliseconds to import. The package's folder goes last in the path, where
# it shadows nothing, for a pool that found it through its own path only.
_BOOT: Final = """
import sys
if sys.argv[3] not in sys.path:
    sys.path.append(sys.argv[3])
from expops.executors.worker_main import main
main(int(sys.argv[1]), int(sys.argv[2]))
"""
_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_CHUNK: Final = 1 << 18
_PIPE: Final = 1 << 16
# The most that a pipe can hold (Linux, unprivileged): bounds how long a chatty grandchild is listened to.
_PIPE_MOST: Final = 1 << 20


class RawOutput(NamedTuple):
    """Bytes written to file descriptor 1 or 2 of a worker: by C code, subprocesses, ``os.write``."""

    stream: str
    data: bytes


class WorkerProcess:
    """A fresh interpreter that leads a process group of its own and serves one task at a time."""

    def __init__(self, env: Mapping[str, str] | None, cwd: str | None) -> None:
        """Start it. Raises ``OSError``."""
        self.task: str | None = None
        self.served = 0
        self._body = b""
        self._inbox = bytearray()
        self._outbox: deque[memoryview] = deque()
        self.ended = False
        self.deserted = False
        self.control, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        try:
            fds = (theirs.fileno(), lifeline)
            self.process = subprocess.Popen(
                # -P: no folder of the user's shadows the standard library. -u: C's stdio is unbuffered, too.
                [sys.executable, "-P", "-u", "-c", _BOOT, *map(str, fds), _ROOT],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=fds,
                env=env,
                cwd=cwd,
                process_group=0,
            )
        except BaseException:
            self.control.close()
            os.close(self._lifeline)
            raise
        finally:
            theirs.close()
            os.close(lifeline)
        self.pid = self.process.pid
        self.control.setblocking(False)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.outputs = {"stdout": self.process.stdout.fileno(), "stderr": self.process.stderr.fileno()}
        for fd in self.outputs.values():
            os.set_blocking(fd, False)
        # Its end is seen even while a forked grandchild holds its other descriptors. (macOS: the pool polls.)
        self.pidfd = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None

    def send(self, task: str, body: bytes) -> None:
        """Queue a task. Raises ``OSError`` if the process is gone."""
        self.task = task
        self._body = body
        self._outbox.extend((memoryview(frames.header(frames.TASK, len(body))), memoryview(body)))
        self.flush()

    def flush(self) -> None:
        """Send what the socket takes now. Raises ``OSError`` if the process is gone."""
        while self._outbox:
            try:
                sent = self.control.send(self._outbox[0])
            except BlockingIOError:
                return
            rest = self._outbox.popleft()[sent:]
            if rest:
                self._outbox.appendleft(rest)

    @property
    def sending(self) -> bool:
        """Whether part of a task still waits to be sent."""
        return bool(self._outbox)

    def receive(self) -> bool:
        """Take in what has arrived; whether there was anything. Sets :attr:`ended` at the end."""
        try:
            data = self.control.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self._inbox += data
        self.ended = self.ended or not data
        return bool(data)

    def arrived(self) -> Iterator[tuple[int, bytes]]:
        """The frames that have arrived whole."""
        while len(self._inbox) >= frames.HEADER:
            kind, length = frames.parse_header(self._inbox)
            end = frames.HEADER + length
            if len(self._inbox) < end:
                return
            with memoryview(self._inbox) as view:
                body = bytes(view[frames.HEADER : end])
            del self._inbox[:end]
            yield kind, body

    def output(self, on_end: Callable[[int], object]) -> Iterator[RawOutput]:
        """What its output pipes hold now; ``on_end(fd)`` for one that ended."""
        for stream, fd in list(self.outputs.items()):
            for _ in range(_PIPE_MOST // _PIPE):
                try:
                    data = os.read(fd, _PIPE)
                except BlockingIOError:
                    break
                if not data:
                    del self.outputs[stream]
                    on_end(fd)
                    break
                yield RawOutput(stream, data)

    def unsent(self) -> bytes:
        """The body of the task that could not be sent whole."""
        return self._body

    def let_go(self) -> None:
        """Have it end by itself: it finds no more tasks."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)

    def exit_code(self, patience: float) -> int:
        """The exit code, or minus the signal's number; killed after ``patience`` seconds."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.deserted = True
            self.kill(signal.SIGKILL)
            return self.process.wait()

    def kill(self, signal_number: int) -> bool:
        """Send a signal (0: none) to the whole group; whether there was anyone to get it."""
        self.process.poll()
        try:
            os.killpg(self.pid, signal_number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def close(self) -> None:
        """Let go of all descriptors; the process must have ended."""
        self.control.close()
        os.close(self._lifeline)
        if self.pidfd is not None:
            os.close(self.pidfd)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
