"""What has no identity is refused, with the path to it and the mend."""

from __future__ import annotations

import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from expops.errors import CannotFingerprint
from expops.hashing.values import fingerprint


@pytest.fixture
def handle(tmp_path: Path) -> Iterator[Any]:
    with open(tmp_path / "x.txt", "w") as file:
        yield file


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda x: x, "value"),
        (lambda x: {"model": SimpleNamespace(handle=x)}, "value['model'].handle"),
        (lambda x: [1, (2, x)], "value[1][1]"),
        (lambda x: pd.Series([1, x], name="s"), "value[1]"),
        (lambda x: pd.DataFrame({"a": [1], "b": [x]}), "value['b'][0]"),
        (lambda x: np.array([None, x]), "value[1]"),
        (lambda x: lambda: x, "value closure variable x"),
        (lambda x: x.write, "value.__self__"),
        (lambda x: {x}, "value{...}"),
    ],
)
def test_the_message_names_the_path(handle: Any, wrap: Any, path: str) -> None:
    with pytest.raises(CannotFingerprint, match=f"^{re.escape(path)}: an open file has no identity; keep its path"):
        fingerprint(wrap(handle))


def test_the_message_can_name_the_argument(handle: Any) -> None:
    with pytest.raises(CannotFingerprint, match=r"^data\[0\]: "):
        fingerprint([handle], name="data")


def generator() -> Iterator[int]:
    yield 1


async def coroutine() -> None:
    pass


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (threading.Lock, "a lock"),
        (threading.RLock, "a lock"),
        (threading.local, "thread-local data"),
        (generator, "a generator"),
        (lambda: iter([1]), "a live iterator"),
        (lambda: map(str, [1]), "a live iterator"),
        (lambda: zip([1], [2], strict=True), "a live iterator"),
        (lambda: enumerate([1]), "a live iterator"),
    ],
)
def test_what_lives_in_this_process_only_is_refused(make: Any, what: str) -> None:
    with pytest.raises(CannotFingerprint, match=f"^value.x: {what} has no identity; "):
        fingerprint(SimpleNamespace(x=make()))


def test_an_iterator_is_not_consumed_by_being_refused() -> None:
    items = iter([1, 2])
    with pytest.raises(CannotFingerprint):
        fingerprint(items)
    assert list(items) == [1, 2]


def test_connections_and_sockets_are_refused() -> None:
    connection = sqlite3.connect(":memory:")
    with socket.socket() as plug:
        for value, what in ((connection, "a database connection"), (plug, "a socket")):
            with pytest.raises(CannotFingerprint, match=f"^value: {what} has no identity; keep "):
                fingerprint(value)
    connection.close()


def test_a_coroutine_is_refused() -> None:
    running = coroutine()
    with pytest.raises(CannotFingerprint, match=r"^value: a coroutine has no identity; "):
        fingerprint(running)
    running.close()


def test_a_class_that_refuses_to_be_taken_apart_is_refused_with_its_reason() -> None:
    class Stubborn:
        def __reduce__(self) -> Any:
            raise RuntimeError("not me")

    with pytest.raises(CannotFingerprint, match=r"^value\[0\]: an instance of .*Stubborn has no identity \(not me\); "):
        fingerprint([Stubborn()])
