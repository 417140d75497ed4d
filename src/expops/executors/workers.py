"""Tasks in worker processes: fresh interpreters, which have nothing of their parent but the environment."""

from __future__ import annotations

import pickle
import selectors
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Final

from ..errors import CannotSend, RemoteError, UsageError, WorkerDied
from . import frames
from .base import Event, Failed, Finished, Message, Task
from .process import RawOutput, WorkerProcess

__all__ = ["RawOutput", "WorkerPool"]

_PROTOCOL: Final = 5
# How long a process group has to end after SIGTERM before SIGKILL follows.
_GRACE: Final = 0.5
# How long an idle worker has to run its exit handlers.
_FAREWELL: Final = 5.0
# How long a worker that closed its socket has to be gone.
_LAST_WORDS: Final = 1.0
# How often workers' ends are looked for where the kernel has no pidfd.
_POLL: Final = 0.05


class WorkerPool:
    """Runs tasks in up to ``capacity`` persistent worker processes, each started when a task needs it.

    ``env`` is the workers' whole environment and ``cwd`` their folder, as for :class:`subprocess.Popen`;
    ``None`` means this process's. Tasks, results and messages are pickled; what can't be is a
    :class:`~expops.errors.CannotSend`. What is written to a worker's file descriptors 1 and 2 comes as
    ``Message(task, RawOutput(stream, data))``, all that was written before the task's end before that end;
    what is written or emitted between tasks, by threads and processes left behind, is dropped. A pool is to
    be used from one thread.

    Workers lead process groups of their own, so that Ctrl-C in a terminal reaches this process only. If this
    process ends, in whatever way, they and their children are killed.
    """

    def __init__(self, capacity: int, *, env: Mapping[str, str] | None = None, cwd: str | None = None) -> None:
        """Start nothing yet. Raises :class:`~expops.errors.UsageError` for a capacity below 1."""
        if capacity < 1:
            raise UsageError(f"a pool of {capacity} workers can't run anything; ask for at least 1")
        self.capacity = capacity
        self._env = env
        self._cwd = cwd
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._workers: list[WorkerProcess] = []
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._names: set[str] = set()
        self._ready: deque[Event] = deque()

    def __enter__(self) -> WorkerPool:
        """The pool itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; after an exception without farewells."""
        if error is not None:
            self.cancel()
        self.close()

    def submit(self, name: str, task: Task) -> None:
        """Run ``task(emit)`` when a worker is free.

        The task is pickled now. Raises :class:`~expops.errors.UsageError` if the pool is closed or a task of
        that name is under way.
        """
        if self._closed:
            raise UsageError(f"task {name!r} came after the pool of workers was closed")
        if name in self._names:
            raise UsageError(f"a task named {name!r} is under way already")
        self._names.add(name)
        try:
            body = pickle.dumps(task, _PROTOCOL)
        except Exception as error:  # noqa: BLE001 (user classes decide how they are pickled)
            self._fail(name, CannotSend(f"task {name!r} can't be pickled: {type(error).__name__}: {error}"), error)
            return
        self._waiting.append((name, body))
        self._dispatch()

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """What has happened since the last call; waits up to ``timeout`` seconds for the first event.

        Yields nothing when the time is up, or, at once, when no task is under way.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ready and self._names:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._pump(wait)
            if deadline is not None and time.monotonic() >= deadline:
                break
        while self._ready:
            yield self._ready.popleft()

    def cancel(self) -> None:
        """Stop all tasks and their workers now, without events for them; the pool can be used again.

        Process groups get SIGTERM, and SIGKILL half a second later.
        """
        self._waiting.clear()
        self._names.clear()
        self._ready.clear()
        self._dismiss()

    def close(self) -> None:
        """Let idle workers run their exit handlers and go; stop those that are at work. Twice is no error."""
        if self._closed:
            return
        self._closed = True
        idle = [worker for worker in self._workers if worker.task is None]
        for worker in idle:
            worker.let_go()
        deadline = time.monotonic() + _FAREWELL
        for worker in idle:
            worker.exit_code(max(0.0, deadline - time.monotonic()))
        self.cancel()
        self._selector.close()

    def _dispatch(self) -> None:
        """Give waiting tasks to idle workers, starting new ones up to the capacity."""
        while self._waiting:
            try:
                worker = self._idle() or self._start()
            except OSError as error:
                if self._workers:
                    return
                name, _ = self._waiting.popleft()
                self._fail(name, WorkerDied(f"no worker process can be started for task {name!r}: {error}"), error)
                continue
            if worker is None:
                return
            self._give(worker, *self._waiting.popleft())

    def _give(self, worker: WorkerProcess, name: str, body: bytes) -> None:
        # What was printed since its last task belongs to none.
        self._hear(worker)
        try:
            worker.send(name, body)
        except OSError:
            self._bury(worker)
        else:
            self._watch_control(worker)

    def _idle(self) -> WorkerProcess | None:
        for worker in [worker for worker in self._workers if worker.task is None]:
            if worker.process.poll() is None:
                return worker
            self._bury(worker)
        return None

    def _start(self) -> WorkerProcess | None:
        """A new worker, if there is room. Raises ``OSError``."""
        if len(self._workers) >= self.capacity:
            return None
        worker = WorkerProcess(self._env, self._cwd)
        self._workers.append(worker)
        self._selector.register(worker.control, selectors.EVENT_READ, (worker, "control"))
        for fd in worker.outputs.values():
            self._selector.register(fd, selectors.EVENT_READ, (worker, "output"))
        if worker.pidfd is not None:
            self._selector.register(worker.pidfd, selectors.EVENT_READ, (worker, "end"))
        return worker

    def _pump(self, wait: float | None) -> None:
        """Wait for the workers, and turn what they did into events."""
        polled = [worker for worker in self._workers if worker.pidfd is None]
        if polled:
            wait = _POLL if wait is None else min(wait, _POLL)
        for key, mask in self._selector.select(wait):
            worker, role = key.data
            if worker not in self._workers:
                continue
            if role == "end":
                self._bury(worker)
            elif role == "output":
                self._hear(worker)
            else:
                self._converse(worker, mask)
        for worker in polled:
            if worker in self._workers and worker.process.poll() is not None:
                self._bury(worker)
        self._dispatch()

    def _converse(self, worker: WorkerProcess, mask: int) -> None:
        if mask & selectors.EVENT_READ:
            self._take(worker)
        if worker in self._workers and (worker.ended or not self._flush(worker)):
            self._bury(worker)

    def _flush(self, worker: WorkerProcess) -> bool:
        try:
            worker.flush()
        except OSError:
            return False
        self._watch_control(worker)
        return True

    def _watch_control(self, worker: WorkerProcess) -> None:
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.sending else 0)
        key = self._selector.get_key(worker.control)
        if key.events != mask:
            self._selector.modify(worker.control, mask, key.data)

    def _take(self, worker: WorkerProcess) -> bool:
        """Turn what the worker has sent into events; whether there was anything."""
        received = worker.receive()
        if received:
            # What a task wrote before it sent this is in the pipes by now.
            self._hear(worker)
        for kind, body in worker.arrived():
            if worker.task is not None:
                self._digest(worker, worker.task, kind, body)
        return received

    def _hear(self, worker: WorkerProcess) -> None:
        for output in worker.output(self._selector.unregister):
            if worker.task is not None:
                self._ready.append(Message(worker.task, output))

    def _digest(self, worker: WorkerProcess, name: str, kind: int, body: bytes) -> None:
        """Turn a frame into an event."""
        try:
            value = pickle.loads(body)
        except Exception as error:  # noqa: BLE001 (user classes decide how they are unpickled)
            what = "a message" if kind == frames.MESSAGE else "the result"
            problem = CannotSend(f"{what} of task {name!r} can't be unpickled: {type(error).__name__}: {error}")
            self._fail(name, problem, error)
            worker.task = None
            if kind == frames.MESSAGE:
                # The task goes on, though nobody waits for it any more.
                worker.kill(signal.SIGKILL)
                worker.process.wait()
            return
        if kind == frames.MESSAGE:
            self._ready.append(Message(name, value))
            return
        worker.task = None
        worker.served += 1
        if kind == frames.RESULT:
            self._names.discard(name)
            self._ready.append(Finished(name, value))
        else:
            self._fail(name, *_revived(*value))

    def _fail(self, name: str, error: BaseException, cause: BaseException | None = None) -> None:
        if cause is not None:
            error.__cause__ = cause
        self._names.discard(name)
        self._ready.append(Failed(name, error))

    def _bury(self, worker: WorkerProcess) -> None:
        """A worker ended: deliver what it left, fail its task, kill its children, let go of it."""
        self._workers.remove(worker)
        code = worker.exit_code(_LAST_WORDS)
        worker.kill(signal.SIGKILL)
        while self._take(worker):
            pass
        self._hear(worker)
        self._release(worker)
        if worker.task is None:
            return
        if worker.sending and worker.served:
            # It ended between two tasks, and has not seen this one whole.
            self._waiting.appendleft((worker.task, worker.unsent()))
            return
        self._fail(worker.task, WorkerDied(_obituary(worker, code)))

    def _release(self, worker: WorkerProcess) -> None:
        for fd in (worker.control, worker.pidfd, *worker.outputs.values()):
            if fd is not None:
                self._selector.unregister(fd)
        worker.close()

    def _dismiss(self) -> None:
        """End all workers and their children: asked first, forced then."""
        workers, self._workers = self._workers, []
        rest = [worker for worker in workers if worker.kill(signal.SIGTERM)]
        deadline = time.monotonic() + _GRACE
        try:
            while rest and time.monotonic() < deadline:
                time.sleep(0.002)
                rest = [worker for worker in rest if worker.kill(0)]
        finally:
            for worker in workers:
                worker.kill(signal.SIGKILL)
                worker.process.wait()
                self._release(worker)


def _revived(data: bytes | None, type_name: str, message: str, text: str) -> tuple[BaseException, BaseException | None]:
    """A task's exception, caused by its traceback as text; or what stands in for it."""
    stand_in = RemoteError(type_name, message, text)
    if data is None:
        return stand_in, None
    try:
        error = pickle.loads(data)
    except Exception:  # noqa: BLE001 (its class is the user's, and may be unknown here)
        return stand_in, None
    return error, _RemoteTraceback(text)


class _RemoteTraceback(Exception):
    """Shows a worker's traceback above that of the exception which it is the cause of."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


def _obituary(worker: WorkerProcess, code: int) -> str:
    who = f"the worker process (pid {worker.pid}) of task {worker.task!r}"
    if worker.deserted:
        return f"{who} closed the descriptors that it had from its pool, and was killed"
    if code >= 0:
        return f"{who} exited with code {code} before the task returned"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{who} was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
