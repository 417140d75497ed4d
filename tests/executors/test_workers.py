"""The pool of worker processes: events, errors, deaths, output."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import executor_tasks as tasks
import pytest
from executor_tasks import task

from expops.errors import CannotSend, RemoteError, UsageError, WorkerDied
from expops.executors.base import Event, Failed, Finished, Message
from expops.executors.workers import RawOutput, WorkerPool

ENV = {
    **os.environ,
    # An empty entry would stand for the current folder.
    "PYTHONPATH": os.pathsep.join(
        entry for entry in (str(Path(tasks.__file__).parent), os.environ.get("PYTHONPATH")) if entry
    ),
}


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, env=ENV) as pool:
        yield pool


def drain(pool: WorkerPool) -> list[Event]:
    """All events until nothing is under way."""
    found: list[Event] = []
    while more := list(pool.events()):
        found += more
    return found


def run(pool: WorkerPool, task: Any) -> list[Event]:
    pool.submit("t", task)
    return drain(pool)


def error_of(pool: WorkerPool, task: Any) -> BaseException:
    end = run(pool, task)[-1]
    assert isinstance(end, Failed)
    assert end.task == "t"
    return end.error


def test_a_task_returns_its_value(pool: WorkerPool) -> None:
    assert run(pool, task(tasks.constant, {"a": (1, 2)})) == [Finished("t", {"a": (1, 2)})]


def test_messages_come_in_order_and_before_the_end(pool: WorkerPool) -> None:
    assert run(pool, task(tasks.count, 500)) == [
        *(Message("t", i) for i in range(500)),
        Finished("t", "done"),
    ]


def test_messages_come_while_the_task_runs(pool: WorkerPool, tmp_path: Path) -> None:
    pool.submit("t", task(tasks.write_and_wait, str(tmp_path / "go")))
    assert list(pool.events()) == [Message("t", RawOutput("stdout", b"I am waiting\n"))]
    assert list(pool.events(0.01)) == []
    (tmp_path / "go").touch()
    assert drain(pool) == [Finished("t", None)]


def test_nothing_under_way_means_no_events_and_no_waiting(pool: WorkerPool) -> None:
    assert list(pool.events()) == []
    assert list(pool.events(3600)) == []


def test_events_left_in_the_iterator_come_with_the_next_call(pool: WorkerPool) -> None:
    pool.submit("t", task(tasks.count, 3))
    taken: list[Event] = []
    while len(taken) < 4:
        taken.append(next(pool.events()))
    assert taken[-1] == Finished("t", "done")


def test_all_of_the_capacity_works_at_once(pool: WorkerPool, tmp_path: Path) -> None:
    pool.submit("a", task(tasks.meet, str(tmp_path), "a", "b"))
    pool.submit("b", task(tasks.meet, str(tmp_path), "b", "a"))
    assert sorted(drain(pool)) == [Finished("a", "a"), Finished("b", "b")]


def test_workers_are_kept_and_no_more_than_needed(pool: WorkerPool) -> None:
    pids = {run(pool, tasks.pid)[0][1] for _ in range(5)}
    assert len(pids) == 1
    for i in range(50):
        pool.submit(str(i), tasks.pid)
    ends = drain(pool)
    assert sorted(int(end.task) for end in ends) == list(range(50))
    assert len({end[1] for end in ends} | pids) <= 2


def test_thousands_of_tasks(pool: WorkerPool) -> None:
    for i in range(3000):
        pool.submit(str(i), task(tasks.constant, i))
    found = drain(pool)
    assert Counter(found) == Counter(Finished(str(i), i) for i in range(3000))


def test_tasks_submitted_while_events_are_taken(pool: WorkerPool) -> None:
    pool.submit("0", task(tasks.constant, 0))
    seen = []
    while events := list(pool.events()):
        for event in events:
            seen.append(event.task)
            if len(seen) < 20:
                pool.submit(str(len(seen)), task(tasks.constant, 0))
    assert seen == [str(i) for i in range(20)]


def test_huge_payloads_both_ways_at_once(pool: WorkerPool) -> None:
    size = 50_000_000
    data = bytes(size)
    pool.submit("in a", task(tasks.length, data))
    pool.submit("in b", task(tasks.length, data))
    pool.submit("out", task(tasks.zeros, size))
    pool.submit("both", task(tasks.constant, data))
    pool.submit("message", task(tasks.emit_payload, data))
    found = {(type(event), event.task): event[1] for event in drain(pool)}
    assert found[Finished, "in a"] == found[Finished, "in b"] == size
    assert found[Finished, "out"] == found[Finished, "both"] == found[Message, "message"] == data


# Exceptions


def test_an_exception_keeps_type_arguments_notes_and_traceback(pool: WorkerPool) -> None:
    error = KeyError("colour", 7)
    error.add_note("a note")
    found = error_of(pool, task(tasks.raise_error, error))
    assert type(found) is KeyError
    assert found.args == ("colour", 7)
    assert found.__notes__ == ["a note"]
    assert "in raise_error" in str(found.__cause__)
    assert "worker_main" not in str(found.__cause__)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), RecursionError("deep")])
def test_whatever_a_task_raises_is_its_failure(pool: WorkerPool, error: BaseException) -> None:
    found = error_of(pool, task(tasks.raise_error, error))
    assert type(found) is type(error)
    assert found.args == error.args


def test_an_interrupted_task_fails_and_its_worker_goes_on(pool: WorkerPool) -> None:
    before = run(pool, tasks.pid)
    assert type(error_of(pool, tasks.interrupt_itself)) is KeyboardInterrupt
    assert run(pool, tasks.pid) == before


@pytest.mark.parametrize(
    ("failing", "name", "message"),
    [
        (tasks.raise_needs_two, "executor_tasks.NeedsTwo", "this and that"),
        (tasks.raise_doubles, "executor_tasks.Doubles", "<x>"),
        (tasks.raise_local, "executor_tasks.raise_local.<locals>.Hidden", "nobody can import me"),
        (task(tasks.raise_error, ValueError(tasks.Bomb(os.getpid()))), "", "wrong process"),
    ],
)
def test_an_exception_that_cannot_travel_has_a_stand_in(
    pool: WorkerPool, failing: Any, name: str, message: str
) -> None:
    found = error_of(pool, failing)
    if not name:
        assert isinstance(found, CannotSend)
    else:
        assert isinstance(found, RemoteError)
        assert (found.type_name, found.message) == (name, message)
        assert f"in {failing.__name__}" in found.traceback
    assert message in str(found)


# What can't be pickled


def test_a_task_that_cannot_be_pickled(pool: WorkerPool) -> None:
    found = error_of(pool, task(tasks.constant, threading.Lock()))
    assert isinstance(found, CannotSend)
    assert "task 't' can't be pickled: TypeError: cannot pickle '_thread.lock' object" in str(found)


def test_a_task_that_cannot_be_unpickled_in_the_worker(pool: WorkerPool) -> None:
    found = error_of(pool, tasks.Armed(os.getpid()))
    assert isinstance(found, CannotSend)
    assert "can't be unpickled in a worker process: LookupError: wrong process" in str(found)


def test_a_result_that_cannot_be_pickled(pool: WorkerPool) -> None:
    found = error_of(pool, tasks.unpicklable_result)
    assert isinstance(found, CannotSend)
    assert "the result (lock) can't be pickled" in str(found)


def test_a_result_that_cannot_be_unpickled_here(pool: WorkerPool) -> None:
    found = error_of(pool, tasks.bomb_here)
    assert isinstance(found, CannotSend)
    assert "the result of task 't' can't be unpickled: LookupError" in str(found)


def test_a_message_that_cannot_be_pickled_is_an_error_in_the_task(pool: WorkerPool) -> None:
    (end,) = run(pool, tasks.emit_unpicklable)
    assert end[1].startswith("CannotSend: a message can't be pickled: TypeError")


def test_a_message_that_cannot_be_unpickled_fails_its_task(pool: WorkerPool) -> None:
    found = error_of(pool, tasks.emit_bomb_and_sleep)
    assert isinstance(found, CannotSend)
    assert "a message of task 't' can't be unpickled" in str(found)
    assert run(pool, task(tasks.constant, 1)) == [Finished("t", 1)]


def test_all_is_well_after_each_refusal(pool: WorkerPool) -> None:
    for refused in (tasks.unpicklable_result, tasks.bomb_here, tasks.Armed(os.getpid())):
        error_of(pool, refused)
        assert run(pool, task(tasks.constant, 1)) == [Finished("t", 1)]


# Deaths


@pytest.mark.parametrize(
    ("fatal", "says"),
    [
        (task(tasks.die_by_signal, signal.SIGKILL), "was killed by SIGKILL (out of memory?)"),
        (task(tasks.die_by_signal, signal.SIGTERM), "was killed by SIGTERM"),
        (task(tasks.die_by_exit, 0), "exited with code 0 before the task returned"),
        (task(tasks.die_by_exit, 7), "exited with code 7 before the task returned"),
        (tasks.die_by_fault, "was killed by SIGSEGV"),
    ],
)
def test_a_death_fails_its_task_after_its_last_words(pool: WorkerPool, fatal: Any, says: str) -> None:
    *before, end = run(pool, fatal)
    assert Message("t", "last words") in before
    assert isinstance(end, Failed)
    assert isinstance(end.error, WorkerDied)
    assert says in str(end.error)
    assert "of task 't'" in str(end.error)
    if fatal is tasks.die_by_fault:
        raw = b"".join(event.payload.data for event in before if isinstance(event.payload, RawOutput))
        assert b"in die_by_fault" in raw
    assert run(pool, task(tasks.constant, 1)) == [Finished("t", 1)]


def test_a_death_leaves_the_other_tasks_alone(pool: WorkerPool, tmp_path: Path) -> None:
    pool.submit("waits", task(tasks.write_and_wait, str(tmp_path / "go")))
    pool.submit("dies", task(tasks.die_by_exit, 1))
    pool.submit("next", task(tasks.constant, 1))
    ends: list[Event] = []
    while len(ends) < 2:
        ends += [event for event in pool.events() if not isinstance(event, Message)]
    (tmp_path / "go").touch()
    ends += drain(pool)
    assert [(type(end), end.task) for end in ends] == [
        (Failed, "dies"),
        (Finished, "next"),
        (Finished, "waits"),
    ]


def test_many_deaths_among_many_tasks(pool: WorkerPool) -> None:
    for i in range(30):
        pool.submit(str(i), task(tasks.die_by_exit, 1) if i % 3 == 0 else task(tasks.constant, i))
    ends = {event.task: event for event in drain(pool) if not isinstance(event, Message)}
    assert {name for name, end in ends.items() if isinstance(end, Failed)} == {str(i) for i in range(0, 30, 3)}
    assert len(ends) == 30


def test_a_worker_that_dies_between_tasks_costs_nothing(pool: WorkerPool) -> None:
    first = run(pool, tasks.die_in_thread_while_idle)[0][1]
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    (end,) = run(pool, tasks.pid)
    assert isinstance(end, Finished)
    assert end.value != first


def test_a_task_that_closes_its_workers_descriptors(pool: WorkerPool) -> None:
    found = error_of(pool, tasks.close_descriptors)
    assert isinstance(found, WorkerDied)
    assert "closed the descriptors" in str(found)


def test_no_worker_can_be_started(tmp_path: Path) -> None:
    with WorkerPool(2, cwd=str(tmp_path / "missing")) as pool:
        for name in "abc":
            pool.submit(name, task(tasks.constant, 1))
        ends = drain(pool)
    assert [end.task for end in ends] == ["a", "b", "c"]
    assert all(isinstance(end[1], WorkerDied) and "missing" in str(end[1]) for end in ends)


def test_workers_that_cannot_boot_tell_why() -> None:
    with WorkerPool(2, env={**ENV, "PYTHONHOME": "/nowhere"}) as pool:
        *before, end = run(pool, task(tasks.length, bytes(1_000_000)))
    assert isinstance(end[1], WorkerDied)
    assert b"encodings" in b"".join(event[1].data for event in before)


# Forks and threads in a task


def test_a_forgotten_fork_does_not_answer(pool: WorkerPool) -> None:
    assert run(pool, tasks.fork_and_fall_through) == [Finished("t", "the parent")]
    assert run(pool, task(tasks.constant, 1)) == [Finished("t", 1)]


def test_a_fork_cannot_mix_its_messages_in(pool: WorkerPool) -> None:
    assert run(pool, tasks.emit_in_fork) == [Finished("t", b"CannotSend")]


def test_threads_may_emit_at_once(pool: WorkerPool) -> None:
    *messages, end = run(pool, task(tasks.emit_from_threads, 200))
    assert end == Finished("t", None)
    for name in "abc":
        assert [m.payload[1] for m in messages if m.payload[0] == name] == list(range(200))


def test_a_message_after_the_end_is_dropped(pool: WorkerPool, tmp_path: Path) -> None:
    assert run(pool, tasks.emit_after_end) == [Finished("t", None)]
    pool.submit("next", task(tasks.write_and_wait, str(tmp_path / "go")))
    assert [event[1].data for event in pool.events()] == [b"I am waiting\n"]
    assert list(pool.events(0.1)) == []
    (tmp_path / "go").touch()
    assert drain(pool) == [Finished("next", None)]


# Output past Python


def test_raw_output_comes_whole_and_before_the_end(pool: WorkerPool) -> None:
    *before, end = run(pool, tasks.write_raw)
    assert end == Finished("t", "end")
    raw = [event.payload for event in before]
    assert b"".join(r.data for r in raw if r.stream == "stdout") == b"from os.write\nfrom a subprocess\nfrom C\n"
    assert b"".join(r.data for r in raw if r.stream == "stderr") == b"its error\n"


def test_much_raw_output(pool: WorkerPool) -> None:
    *before, end = run(pool, task(tasks.write_much, 5_000_000))
    assert end == Finished("t", None)
    assert sum(len(event.payload.data) for event in before) == 5_000_000


def test_raw_output_of_many_small_tasks_goes_to_its_task(pool: WorkerPool) -> None:
    for i in range(100):
        pool.submit(str(i), tasks.write_raw)
    found = drain(pool)
    lines = Counter(
        event.task for event in found if isinstance(event, Message) for _ in event.payload.data.splitlines()
    )
    assert lines == {str(i): 4 for i in range(100)}


def test_a_printer_left_behind_does_not_hold_up_the_end(pool: WorkerPool) -> None:
    assert run(pool, tasks.leave_a_printer)[-1] == Finished("t", None)
    pool.cancel()


# What a worker starts from


def test_environment_folder_hash_seed_and_stdin_are_the_pools(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with WorkerPool(1, env={**ENV, "PYTHONHASHSEED": "7", "MARK": "set"}, cwd=str(tmp_path)) as pool:
            found.append(run(pool, task(tasks.environment, "MARK"))[0][1])
    assert found[0] == found[1]
    mark, folder, _, stdin, _, argv = found[0]
    assert (mark, folder, stdin, argv) == ("set", str(tmp_path), "", ["-c"])


def test_a_users_folder_does_not_shadow_the_standard_library(tmp_path: Path) -> None:
    for name in ("random", "pickle", "signal", "expops"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    with WorkerPool(1, env=ENV, cwd=str(tmp_path)) as pool:
        (end,) = run(pool, tasks.random_module_file)
    assert Path(end[1]).parent == Path(os.__file__).parent


def test_a_worker_finds_the_package_without_help() -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with WorkerPool(1, env=env) as pool:
        assert run(pool, callable) == [Finished("t", True)]


# Misuse


def test_names_are_unique_while_under_way(pool: WorkerPool) -> None:
    pool.submit("t", task(tasks.constant, 1))
    with pytest.raises(UsageError, match="'t' is under way"):
        pool.submit("t", task(tasks.constant, 2))
    assert drain(pool) == [Finished("t", 1)]
    assert run(pool, task(tasks.constant, 3)) == [Finished("t", 3)]


def test_a_pool_needs_a_worker_and_a_closed_one_takes_nothing() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        WorkerPool(0)
    pool = WorkerPool(1)
    pool.close()
    pool.close()
    with pytest.raises(UsageError, match="closed"):
        pool.submit("t", tasks.pid)


def test_a_pool_that_is_not_used_starts_nothing() -> None:
    before = set(sys.modules)
    with WorkerPool(4) as pool:
        assert list(pool.events()) == []
    assert set(sys.modules) == before


@pytest.mark.skipif(sys.platform != "linux", reason="platform: elsewhere a thread watches the parent")
def test_a_worker_has_no_thread_but_its_own(pool: WorkerPool) -> None:
    """Python 3.12 and newer warn of forks in a process that has more."""
    assert run(pool, tasks.os_threads) == [Finished("t", 1)]
