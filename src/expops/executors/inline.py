"""Tasks in this process, one at a time: for debuggers, and where a worker process is not worth its price."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from .base import Event, Failed, Finished, Message, Task


class InlineExecutor:
    """Runs a task for each call of :meth:`events`, in the thread that calls it.

    Its messages are events that come after it has ended, unless ``live`` is given: that is called with each
    message at once, and they are no events then. What is emitted after the task's end is dropped.
    ``KeyboardInterrupt`` passes through.
    """

    capacity = 1

    def __init__(self, live: Callable[[Message], None] | None = None) -> None:
        self._live = live
        self._tasks: deque[tuple[str, Task]] = deque()
        self._ready: deque[Event] = deque()

    def submit(self, name: str, task: Task) -> None:
        """Have ``task`` run by a later call of :meth:`events`."""
        self._tasks.append((name, task))

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Run the next task; yield its messages and its end. Yields nothing if there is no task left."""
        if not self._ready and self._tasks:
            self._run(*self._tasks.popleft())
        while self._ready:
            yield self._ready.popleft()

    def cancel(self) -> None:
        """Forget the tasks that have not begun and the events not yet taken."""
        self._tasks.clear()
        self._ready.clear()

    def close(self) -> None:
        """Forget all, as :meth:`cancel` does."""
        self.cancel()

    def _run(self, name: str, task: Task) -> None:
        deliver = self._live or self._ready.append
        running = True

        def emit(payload: object) -> None:
            if running:
                deliver(Message(name, payload))

        try:
            end: Event = Finished(name, task(emit))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 (whatever a task raises, SystemExit too, is its outcome)
            end = Failed(name, error)
        finally:
            running = False
        self._ready.append(end)
