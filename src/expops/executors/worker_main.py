"""What runs in a worker process: take a task, run it, send what comes of it, take the next.

Imports are few, because every worker pays for them before its first task.
"""

from __future__ import annotations

import _thread
import faulthandler
import fcntl
import os
import pickle
import select
import signal
import sys
from typing import Any

from ..errors import CannotSend
from . import frames

_PROTOCOL = 5
_EX_IOERR = 74


def main(control: int, lifeline: int) -> None:
    """Serve the pool on the other end of the socket ``control`` until it closes it.

    The pool holds the other end of the pipe ``lifeline``; when that closes, this process and its group die.
    """
    for fd in (control, lifeline):
        os.set_inheritable(fd, False)
    del sys.argv[1:]
    # A crash in C code then tells, on stderr, where in the Python code it happened.
    faulthandler.enable()
    _die_with(lifeline)
    worker = os.getpid()
    while (frame := frames.read(control)) is not None:
        channel = _Channel(control, worker)
        kind, body = _outcome(bytes(frame[1]), channel)
        if os.getpid() != worker:
            # A fork that the task made and forgot to end came back from it, too.
            os._exit(0 if kind == frames.RESULT else 1)
        channel.end(kind, body)


class _Channel:
    """Where a task's messages and outcome go. Threads of the task may use it at once."""

    def __init__(self, control: int, worker: int) -> None:
        self._control = control
        self._worker = worker
        self._lock = _thread.allocate_lock()
        self._open = True

    def emit(self, payload: object) -> None:
        """Send a message; dropped after the task's end. Raises :class:`~expops.errors.CannotSend`."""
        if os.getpid() != self._worker:
            raise CannotSend("a fork of a worker process can't emit; write to stdout instead")
        try:
            body = pickle.dumps(payload, _PROTOCOL)
        except Exception as error:
            raise CannotSend(f"a message can't be pickled: {_line(error)}") from error
        with self._lock:
            if self._open:
                self._write(frames.MESSAGE, body)

    def end(self, kind: int, body: bytes) -> None:
        """Send the outcome; nothing of the task is sent after it."""
        with self._lock:
            self._open = False
            self._write(kind, body)

    def _write(self, kind: int, body: bytes) -> None:
        try:
            frames.write(self._control, kind, body)
        except BaseException:  # noqa: BLE001
            # The pool is gone, or a signal cut the frame short: nobody could read on from here.
            os._exit(_EX_IOERR)


def _outcome(body: bytes, channel: _Channel) -> tuple[int, bytes]:
    """Run a task: kind and body of the frame that ends it."""
    try:
        task: Any = pickle.loads(body)
    except BaseException as error:  # noqa: BLE001 (it imports user code; whatever that raises is the outcome)
        mend = "define its functions and classes in modules that a worker process can import"
        return _refused(f"the task can't be unpickled in a worker process: {_line(error)}; {mend}", error)
    try:
        value = task(channel.emit)
    except BaseException as error:  # noqa: BLE001 (whatever a task raises, SystemExit too, is its outcome)
        return _failed(error.with_traceback(error.__traceback__ and error.__traceback__.tb_next), error)
    try:
        return frames.RESULT, pickle.dumps(value, _PROTOCOL)
    except Exception as error:  # noqa: BLE001 (user classes decide how they are pickled)
        return _refused(f"the result ({type(value).__qualname__}) can't be pickled: {_line(error)}", error)


def _refused(message: str, cause: BaseException) -> tuple[int, bytes]:
    return _failed(CannotSend(message), cause)


def _failed(error: BaseException, traceback_of: BaseException) -> tuple[int, bytes]:
    """The frame for an exception: pickled if it comes out of that as it was, and as text."""
    import traceback  # only where something failed: it takes milliseconds

    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = "".join(traceback.format_exception(traceback_of))
    return frames.ERROR, pickle.dumps((_round_trip(error), name, _message(error), text), _PROTOCOL)


def _round_trip(error: BaseException) -> bytes | None:
    try:
        data = pickle.dumps(error, _PROTOCOL)
        again = pickle.loads(data)
    except Exception:  # noqa: BLE001 (user classes decide; what can't be pickled travels as text)
        return None
    return data if type(again) is type(error) and _message(again) == _message(error) else None


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (a user's __str__)
        return "<its message can't be rendered>"


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {_message(error)}"


def _die_with(lifeline: int) -> None:
    """Have this process group killed as soon as the pool is gone, however it went."""
    if not _armed(lifeline):
        _thread.start_new_thread(_wait_and_die, (lifeline,))
    elif select.select([lifeline], [], [], 0)[0]:
        _wait_and_die(lifeline)


def _armed(lifeline: int) -> bool:
    """Have the kernel do it, where it can (Linux).

    It does so even while C code holds the interpreter's lock. And no thread is needed: Python warns of forks in
    processes that have more than one.
    """
    if sys.platform != "linux":
        return False
    try:
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:
        return False
    return True


def _wait_and_die(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os.killpg(0, signal.SIGKILL)
