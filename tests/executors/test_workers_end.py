"""How workers end: cancelled, closed, or with their parent; with their children, leaving nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import executor_tasks as tasks
import pytest
from executor_tasks import task

from expops.executors.base import Finished, Message
from expops.executors.workers import WorkerPool

HERE = str(Path(tasks.__file__).parent)
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join([HERE, *sys.path])}


def lives(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody has waited for does not."""
    if sys.platform == "linux":
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].strip()
        except (FileNotFoundError, ProcessLookupError):
            return False
    else:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def all_end(pids: Any) -> bool:
    """Wait for them, as long as it takes on a slow machine."""
    for _ in range(500):
        if not any(lives(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))


def first_payload(pool: WorkerPool) -> Any:
    for event in pool.events():
        assert isinstance(event, Message)
        return event.payload
    raise AssertionError("no event")


def test_cancel_ends_workers_and_grandchildren() -> None:
    with WorkerPool(2, env=ENV) as pool:
        pool.submit("a", tasks.spawn_and_sleep)
        pool.submit("b", tasks.hold_the_lock)
        pool.submit("c", tasks.pid)
        pids: list[int] = []
        while len(pids) < 4:
            for event in pool.events():
                assert isinstance(event, Message)
                pids += event.payload if isinstance(event.payload, tuple) else (event.payload,)
        assert all(lives(pid) for pid in pids)
        pool.cancel()
        assert all_end(pids)
        assert list(pool.events()) == []


def test_cancel_leaves_a_pool_that_works() -> None:
    with WorkerPool(1, env=ENV) as pool:
        pool.submit("t", task(tasks.count, 3))
        pool.cancel()
        pool.submit("t", task(tasks.constant, 1))
        assert list(pool.events()) == [Finished("t", 1)]


def test_cancel_among_events_ends_them() -> None:
    with WorkerPool(1, env=ENV) as pool:
        pool.submit("t", task(tasks.count, 1000))
        for _ in pool.events():
            pool.cancel()
        assert list(pool.events()) == []


def test_close_runs_exit_handlers(tmp_path: Path) -> None:
    pool = WorkerPool(1, env=ENV)
    pool.submit("t", task(tasks.slow_at_exit, str(tmp_path / "was here")))
    assert list(pool.events()) == [Finished("t", None)]
    pool.close()
    assert (tmp_path / "was here").exists()


def test_close_ends_what_tasks_left_behind() -> None:
    pool = WorkerPool(1, env=ENV)
    pool.submit("t", tasks.spawn_and_return)
    (end,) = pool.events()
    assert isinstance(end, Finished)
    assert all(lives(pid) for pid in end.value)
    pool.close()
    assert all_end(end.value)


def test_a_death_ends_the_workers_children() -> None:
    with WorkerPool(1, env=ENV) as pool:
        pool.submit("t", tasks.spawn_and_sleep)
        pids = first_payload(pool)
        os.kill(pids[0], signal.SIGKILL)
        ends = list(pool.events())
        assert "SIGKILL" in str(ends[0][1])
        assert all_end(pids)


def test_close_stops_tasks_at_work() -> None:
    pool = WorkerPool(1, env=ENV)
    pool.submit("t", tasks.spawn_and_sleep)
    pids = first_payload(pool)
    pool.close()
    assert all_end(pids)
    assert list(pool.events()) == []


def test_no_descriptor_and_no_child_is_left() -> None:
    descriptors()
    before = descriptors()
    with WorkerPool(3, env=ENV) as pool:
        for i in range(12):
            pool.submit(str(i), task(tasks.die_by_exit, 1) if i % 4 == 0 else tasks.pid)
        while list(pool.events()):
            pass
        pool.submit("cancelled", tasks.spawn_and_sleep)
        first_payload(pool)
        pool.cancel()
        pool.submit("again", tasks.pid)
        list(pool.events())
    assert descriptors() == before
    # Waited for: this process has no child left, not even one that has ended.
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_an_error_in_the_block_stops_the_tasks() -> None:
    pids: list[int] = []

    def fail_while_a_task_runs() -> None:
        with WorkerPool(1, env=ENV) as pool:
            pool.submit("t", tasks.spawn_and_sleep)
            pids.extend(first_payload(pool))
            raise LookupError

    with pytest.raises(LookupError):
        fail_while_a_task_runs()
    assert all_end(pids)


PARENT = """
import sys
import executor_tasks as tasks
from expops.executors.workers import WorkerPool

pool = WorkerPool(2)
pool.submit("a", tasks.{first})
pool.submit("b", tasks.spawn_and_sleep)
seen = 0
while seen < 2:
    for event in pool.events():
        payload = event.payload if isinstance(event.payload, tuple) else (event.payload,)
        print(*payload, flush=True)
        seen += 1
{after}
"""


def start_parent(first: str, after: str) -> tuple[subprocess.Popen[str], list[int]]:
    code = textwrap.dedent(PARENT).format(first=first, after=after)
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=ENV, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout is not None
    pids = [int(word) for _ in range(2) for word in parent.stdout.readline().split()]
    assert len(pids) == (4 if first == "hold_the_lock" else 6)
    return parent, pids


@pytest.mark.parametrize("first", ["spawn_and_sleep", "hold_the_lock"])
def test_workers_end_with_a_killed_parent(first: str) -> None:
    if first == "hold_the_lock" and sys.platform != "linux":
        pytest.skip("platform: only Linux's kernel can end a worker whose interpreter is locked")
    parent, pids = start_parent(first, "list(pool.events())")
    assert all(lives(pid) for pid in pids)
    parent.kill()
    parent.communicate()
    assert all_end(pids)


@pytest.mark.parametrize("after", ["sys.exit(0)", "raise RuntimeError", "import os; os._exit(0)"])
def test_workers_end_with_a_parent_that_forgot_them(after: str) -> None:
    parent, pids = start_parent("spawn_and_sleep", f"sys.stderr = None; {after}")
    parent.communicate()
    assert all_end(pids)


def test_an_interrupt_from_the_terminal_reaches_the_parent_only() -> None:
    after = (
        "try:\n    print('ready', flush=True)\n    list(pool.events())\nexcept KeyboardInterrupt:\n"
        "    print(*[worker.process.poll() for worker in pool._workers], flush=True)\n    pool.cancel()"
    )
    parent, pids = start_parent("spawn_and_sleep", after)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    os.killpg(parent.pid, signal.SIGINT)
    out, _ = parent.communicate()
    assert out.split() == ["None", "None"]
    assert parent.returncode == 0
    assert all_end(pids)
