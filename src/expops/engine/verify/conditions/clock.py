"""Another time of day, as far as Python asks for it.

``time.time`` and its relatives and ``datetime.now`` are replaced; C code that asks the system itself, such as
``numpy.datetime64("now")``, and other programs see the real time.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

_NS: Final = 1_000_000_000
_COUNTERS: Final = ("monotonic", "perf_counter", "process_time", "thread_time")


class Clock(NamedTuple):
    """A clock that stands at ``start`` (seconds since the epoch) when a process begins and moves on by ``tick``
    seconds each time that it is asked: the same readings in every execution that asks as often."""

    start: float
    tick: float


class _Hands:
    """Where the clock's hands are, in nanoseconds."""

    def __init__(self) -> None:
        self.now = 0
        self.tick = 0
        self.stands: Callable[[], bool] = bool

    def read(self) -> int:
        self.now += 0 if self.stands() else self.tick
        return self.now


_hands: Final = _Hands()


def begin(clock: Clock) -> None:
    """Set it to where it stands when a process begins."""
    _hands.now = round(clock.start * _NS)
    _hands.tick = round(clock.tick * _NS)


def install(clock: Clock, importing: Callable[[], bool]) -> None:
    """Put it in place of the real one, for all code but this package's; it stands while ``importing()``."""
    begin(clock)
    _hands.stands = importing
    _replace("time", _now)
    _replace("time_ns", _hands.read)
    for name in _COUNTERS:
        if hasattr(time, name):
            _replace(name, _now)
            _replace(name + "_ns", _hands.read)
    _replace_breakdowns()
    _replace_sleep()
    _replace_methods()


def _now() -> float:
    return _hands.read() / _NS


def _replace(name: str, fake: Callable[..., Any]) -> None:
    real = getattr(time, name)

    def read(*arguments: Any) -> Any:
        own = sys._getframe(1).f_globals.get("__name__", "").startswith("expops.")
        return real(*arguments) if own else fake(*arguments)

    _like(read, real)
    setattr(time, name, read)


def _like(function: Any, real: Any) -> None:
    function.__name__ = function.__qualname__ = real.__name__
    function.__module__, function.__doc__ = "time", real.__doc__


def _replace_breakdowns() -> None:
    """Those that take the time now unless they are given one."""
    local, universal, as_text = time.localtime, time.gmtime, time.strftime
    from_tuple = time.asctime

    _replace("localtime", lambda seconds=None: local(_now() if seconds is None else seconds))
    _replace("gmtime", lambda seconds=None: universal(_now() if seconds is None else seconds))
    _replace("ctime", lambda seconds=None: from_tuple(local(_now() if seconds is None else seconds)))
    _replace("asctime", lambda *given: from_tuple(*(given or (local(_now()),))))
    _replace("strftime", lambda form, *given: as_text(form, *(given or (local(_now()),))))


def _replace_sleep() -> None:
    real = time.sleep

    def sleep(seconds: float) -> None:
        real(seconds)
        _hands.now += round(seconds * _NS)

    _replace("sleep", sleep)


def _replace_methods() -> None:
    """Those of the classes in ``datetime`` that ask for the time; the classes stay, and with them their pickles."""
    day, moment = datetime.date, datetime.datetime

    def now(cls: Any, tz: Any = None) -> Any:
        return cls.fromtimestamp(_now(), tz)

    _set_method(moment, "now", now)
    _set_method(moment, "today", lambda cls: cls.fromtimestamp(_now()))
    _set_method(moment, "utcnow", lambda cls: cls.fromtimestamp(_now(), datetime.UTC).replace(tzinfo=None))
    _set_method(day, "today", lambda cls: cls.fromtimestamp(_now()))


def _set_method(kind: type, name: str, function: Callable[..., Any]) -> None:
    """Set a class method of a class that is written in C, whose dictionary Python only shows."""
    gc.get_referents(vars(kind))[0][name] = classmethod(function)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
