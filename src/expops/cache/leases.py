"""Single-flight: who executes an action that several want at once, and for whom the others wait.

A lease says that somebody executes an action. Where a cache is one folder, it is a locked file (:mod:`file_leases`);
where machines share a KV store, a record in that (:mod:`store_leases`). See docs/decisions/0014. A lease that can't be
taken, because its store can't be used, holds nobody up: the action then executes without one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, NamedTuple, Protocol, TypeAlias

from ..hashing.canonical import digest_of
from .explain import UNKEPT
from .store import LookUp

HOST: Final = os.uname().nodename
_LONGEST: Final = 200  # characters of a text of somebody else's that is shown
_FIELDS: Final = 5


class Holder(NamedTuple):
    """Who executes: a run of a user in an OS process. ``machine`` tells its kernel and process namespace."""

    user: str
    host: str
    pid: int
    run: str
    machine: str

    @classmethod
    def of_this(cls, run: str) -> Holder:
        """This OS process, executing ``run``."""
        return cls(_user(), HOST, os.getpid(), run, this_machine())

    def words(self, me: Holder) -> str:
        """How to call it in a message to ``me``."""
        if self.run and self.run == me.run:
            return "another process of this run"
        if self == UNKNOWN:
            return "somebody else"
        run = f"run {self.run} of " if self.run else ""
        return f"{run}{self.user}@{self.host} (pid {self.pid})"

    def is_dead(self) -> bool:
        """Whether it is known not to live any more, which can be known of processes of this machine only."""
        if not self.machine or self.machine != this_machine() or self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):
            return False
        return False


class News(NamedTuple):
    """What a worker tells of a lease: that it has taken it by writing ``record`` (``ended`` is ``None``), or that the
    action has ended, with a result of that digest or ``""`` for none."""

    key: str
    record: bytes
    ended: str | None


UNKNOWN: Final = Holder("", "", 0, "", "")


class Lease(NamedTuple):
    """That this OS process executes the action of ``key``; ``again`` if it may have been executed since its look-up."""

    key: str
    again: bool


class Held(NamedTuple):
    """That somebody else executes it."""

    key: str
    holder: Holder


# None: leases can't be had now, and the action executes without one.
Taken: TypeAlias = Lease | Held | None


class Leases(Protocol):
    """The leases that an OS process takes. ``pace``: seconds after which to ask again for one that is held."""

    pace: float
    holder: Holder

    def take(self, keys: Sequence[str]) -> dict[str, Taken]:
        """Take the leases of ``keys``, or find out who holds them; ask again, at :attr:`pace`, until one is had."""

    def end(self, lease: Lease, result: str | None) -> None:
        """The action has ended, with a result of that digest; ``None`` without one, so that the next one may try."""

    def report(self, tell: Callable[[News], object]) -> None:
        """From now on ``tell`` tells the run for which this worker works of what is taken here."""

    def heard(self, task: str, news: News) -> None:
        """The worker at ``task`` tells."""

    def lost(self, task: str) -> None:
        """The worker at ``task`` is gone."""

    def settle(self, flush: Callable[[], object]) -> None:
        """Call ``flush``, so that those who wait find what was recorded; maybe beside what its caller does next."""

    def close(self) -> None:
        """Give back all that is held."""


def lease_key(look_up: LookUp, seed: str) -> str:
    """The name of the lease for executing an action that was looked up in vain; ``""`` if nobody should wait for it,
    since its result could not be kept last time.

    An action that is known to draw random numbers is another one with another ``seed``. Of one that nobody knows yet,
    the first execution shows whether it draws, and the others wait for that.
    """
    if look_up.last is not None and look_up.last.result == UNKEPT:
        return ""
    draws = any("seed" in names for names in look_up.variants or ())
    return digest_of(["lease", look_up.action, seed if draws else ""])


def pack(holder: Holder, *more: object) -> bytes:
    """A holder as bytes."""
    return json.dumps([*holder, *more], separators=(",", ":")).encode()


def holder_in(raw: bytes) -> Holder:
    """The holder in ``raw``; :data:`UNKNOWN` for bytes that :func:`pack` has not written."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return UNKNOWN
    if not isinstance(fields, list) or len(fields) < _FIELDS:
        return UNKNOWN
    user, host, pid, run, machine = fields[:_FIELDS]
    if type(pid) is not int or not all(isinstance(text, str) for text in (user, host, run, machine)):
        return UNKNOWN
    return Holder(_shown(user), _shown(host), pid, _shown(run), machine)


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:_LONGEST])


@cache
def this_machine() -> str:
    """What two processes have in common that can see each other by their ids; ``""`` where that can't be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _user() -> str:
    name = os.environ.get("LOGNAME") or os.environ.get("USER")
    if name:
        return name
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a number without a name, as in many containers
        return str(os.getuid())
