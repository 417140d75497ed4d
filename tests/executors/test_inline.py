"""Tasks in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from expops.executors.base import Failed, Finished, Message
from expops.executors.inline import InlineExecutor


def test_tasks_run_here_one_at_a_time_when_events_are_asked_for() -> None:
    ran: list[str] = []

    def note(name: str) -> Callable[[Any], tuple[int, int]]:
        def task(emit: Any) -> tuple[int, int]:
            ran.append(name)
            return os.getpid(), threading.get_ident()

        return task

    executor = InlineExecutor()
    executor.submit("a", note("a"))
    executor.submit("b", note("b"))
    assert ran == []
    here = (os.getpid(), threading.get_ident())
    assert list(executor.events()) == [Finished("a", here)]
    assert ran == ["a"]
    assert list(executor.events(0)) == [Finished("b", here)]
    assert list(executor.events()) == []


def test_messages_come_before_the_end_in_order() -> None:
    executor = InlineExecutor()
    executor.submit("t", lambda emit: [emit(i) for i in range(3)] and "value")
    assert list(executor.events()) == [*(Message("t", i) for i in range(3)), Finished("t", "value")]


def test_live_messages_come_at_once_and_only_there() -> None:
    log: list[object] = []
    executor = InlineExecutor(live=log.append)

    def task(emit: Any) -> None:
        emit(1)
        log.append("after emit")

    executor.submit("t", task)
    assert list(executor.events()) == [Finished("t", None)]
    assert log == [Message("t", 1), "after emit"]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1)])
def test_whatever_a_task_raises_is_its_failure_as_it_is(error: BaseException) -> None:
    def task(emit: Any) -> None:
        raise error

    executor = InlineExecutor()
    executor.submit("t", task)
    (end,) = executor.events()
    assert isinstance(end, Failed)
    assert end.error is error


def test_an_interrupt_passes_through_and_the_rest_can_go_on() -> None:
    def task(emit: Any) -> None:
        raise KeyboardInterrupt

    executor = InlineExecutor()
    executor.submit("a", task)
    executor.submit("b", lambda emit: "b")
    with pytest.raises(KeyboardInterrupt):
        list(executor.events())
    assert list(executor.events()) == [Finished("b", "b")]


def test_a_message_after_the_end_is_dropped() -> None:
    executor = InlineExecutor()
    executor.submit("t", lambda emit: emit)
    (end,) = executor.events()
    assert isinstance(end, Finished)
    end.value("too late")  # type: ignore[operator]
    assert list(executor.events()) == []


def test_cancel_forgets_tasks_and_events() -> None:
    executor = InlineExecutor()
    executor.submit("a", lambda emit: emit(1))
    executor.submit("b", lambda emit: None)
    for _ in executor.events():
        executor.cancel()
    assert list(executor.events()) == []
    executor.close()
    executor.close()
