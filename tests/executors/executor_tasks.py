"""Tasks that the tests of executors run; a module of its own, so that workers import nothing but this."""

from __future__ import annotations

import ctypes
import functools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any


def constant(value: Any, emit: Any) -> Any:
    return value


def length(data: bytes, emit: Any) -> int:
    return len(data)


def zeros(size: int, emit: Any) -> bytes:
    return bytes(size)


def count(n: int, emit: Any) -> str:
    for i in range(n):
        emit(i)
    return "done"


def emit_payload(payload: Any, emit: Any) -> None:
    emit(payload)


def raise_error(error: BaseException, emit: Any) -> None:
    raise error


class NeedsTwo(Exception):
    """Pickles, but can't be unpickled: its __init__ takes two arguments and passes one on."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Doubles(Exception):
    """Pickles and unpickles, to something else."""

    def __init__(self, text: str) -> None:
        super().__init__(f"<{text}>")


def raise_needs_two(emit: Any) -> None:
    raise NeedsTwo("this", "that")


def raise_doubles(emit: Any) -> None:
    raise Doubles("x")


def raise_local(emit: Any) -> None:
    class Hidden(Exception):
        pass

    raise Hidden("nobody can import me")


class Bomb:
    """Its pickle can be loaded in a worker, not in the parent of the name given, or the reverse."""

    def __init__(self, only_in: int) -> None:
        self.only_in = only_in

    def __reduce__(self) -> Any:
        return (explode_unless, (self.only_in,))


def explode_unless(pid: int) -> Bomb:
    if os.getpid() != pid:
        raise LookupError("wrong process")
    return Bomb(pid)


def bomb_here(emit: Any) -> Bomb:
    return Bomb(os.getpid())


def emit_bomb_and_sleep(emit: Any) -> None:
    emit(Bomb(os.getpid()))
    time.sleep(600)


class Armed:
    """A task that only the parent can load."""

    def __init__(self, pid: int) -> None:
        self.bomb = Bomb(pid)

    def __call__(self, emit: Any) -> None:
        raise AssertionError("this task can't be loaded in a worker")


def unpicklable_result(emit: Any) -> Any:
    return threading.Lock()


def emit_unpicklable(emit: Any) -> str:
    try:
        emit(threading.Lock())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "sent"


def die_by_signal(number: int, emit: Any) -> None:
    emit("last words")
    os.kill(os.getpid(), number)
    time.sleep(600)


def die_by_exit(code: int, emit: Any) -> None:
    os.write(1, b"raw last words")
    emit("last words")
    os._exit(code)


def die_by_fault(emit: Any) -> None:
    emit("last words")
    ctypes.string_at(0)


def die_in_thread_while_idle(emit: Any) -> int:
    threading.Timer(0.05, os._exit, (3,)).start()
    return os.getpid()


def close_descriptors(emit: Any) -> None:
    os.closerange(3, 1000)
    time.sleep(600)


def pid(emit: Any) -> int:
    return os.getpid()


def environment(name: str, emit: Any) -> Any:
    return os.environ.get(name), os.getcwd(), hash("text"), sys.stdin.read(), list(sys.path), list(sys.argv)


def random_module_file(emit: Any) -> str:
    return str(random.__file__)


def meet(folder: str, me: str, other: str, emit: Any) -> str:
    """Wait for the other: returns only if both are under way at once."""
    Path(folder, me).touch()
    while not Path(folder, other).exists():
        time.sleep(0.005)
    return me


def spawn_and_sleep(emit: Any) -> None:
    child = subprocess.Popen(["sleep", "600"])
    forked = os.fork()
    if not forked:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    emit((os.getpid(), child.pid, forked))
    time.sleep(600)


def spawn_and_return(emit: Any) -> tuple[int, int]:
    return os.getpid(), subprocess.Popen(["sleep", "600"]).pid


def hold_the_lock(emit: Any) -> None:
    """C code that never lets another thread of Python run."""
    emit(os.getpid())
    sum(range(10**14))


def fork_and_fall_through(emit: Any) -> str:
    child = os.fork()
    if not child:
        return "the child must not answer"
    os.waitpid(child, 0)
    return "the parent"


def emit_in_fork(emit: Any) -> bytes:
    read, write = os.pipe()
    if not os.fork():
        try:
            emit("from the fork")
        except Exception as error:
            os.write(write, type(error).__name__.encode())
        os._exit(0)
    os.wait()
    return os.read(read, 100)


def emit_after_end(emit: Any) -> None:
    def later() -> None:
        time.sleep(0.05)
        emit("too late")

    threading.Thread(target=later).start()


def emit_from_threads(n: int, emit: Any) -> None:
    def many(name: str) -> None:
        for i in range(n):
            emit((name, i, "x" * (i % 7) * 1000))

    threads = [threading.Thread(target=many, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def write_raw(emit: Any) -> str:
    os.write(1, b"from os.write\n")
    subprocess.run(["sh", "-c", "echo from a subprocess; echo its error >&2"], check=True)
    ctypes.CDLL(None).printf(b"from C\n")
    return "end"


def write_much(size: int, emit: Any) -> None:
    piece = b"x" * 10_000
    for _ in range(size // len(piece)):
        os.write(1, piece)


def write_and_wait(path: str, emit: Any) -> None:
    os.write(1, b"I am waiting\n")
    while not Path(path).exists():
        time.sleep(0.005)


def leave_a_printer(emit: Any) -> None:
    subprocess.Popen(["sh", "-c", "while :; do echo noise || exit; done"])


def interrupt_itself(emit: Any) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(600)


def slow_at_exit(path: str, emit: Any) -> None:
    import atexit

    atexit.register(Path(path).touch)


task = functools.partial


def os_threads(emit: Any) -> int:
    return len(os.listdir("/proc/self/task"))
