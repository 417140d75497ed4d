"""What can be varied, as data: each variation's name, what it does, and the conditions that bring it about."""

from __future__ import annotations

import locale
import os
import site
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from ...seeding.profiles import THREADS, environment
from .conditions import Conditions
from .conditions.clock import Clock
from .conditions.threads import Threads

# Name -> what is varied, in words that complete "when ... differs".
VARIATIONS: Final[Mapping[str, str]] = {
    "hash-seed": "the order of sets and hash() of text",
    "threads": "the number of threads and cores, and the order in which threads come",
    "clock": "the date and the time of day",
    "time-zone": "the time zone",
    "locale": "the language and the encoding of text files",
    "home": "the home folder",
    "folder": "the path of the working folder and of temporary files",
    "directory-order": "the order in which folders are listed",
    "others": "which other processes ran before in the same worker",
    "random-state": "random state that others have left behind",
    "memory": "what lies in memory that nobody has filled",
    "entropy": "random bytes of the operating system, where generators have no seed",
    "cached": "which steps are taken from the cache",
}
# Those that are not a matter of conditions, but of what is executed.
SCHEDULED: Final = ("others", "cached")

_COUNTED: Final = ("LOKY_MAX_CPU_COUNT", "PYTHON_CPU_COUNT")
_XDG: Final = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_COMMA: Final = ("de_DE", "fr_FR", "it_IT", "es_ES", "nl_NL", "pl_PL", "ru_RU", "tr_TR", "pt_BR", "sv_SE")
_ZONES: Final = ("<+1245>-12:45", "<-0930>+09:30")  # POSIX, so that no data base of zones is needed
_BACK: Final = 1201 * 86_400 + 18_671.25  # seconds: another year, month, weekday, hour and fraction
_TICK: Final = 0.001  # seconds


class Machine(NamedTuple):
    """What variations start from: the environment of workers, the count of cores, and names that can be varied to.

    ``home`` and ``elsewhere`` are folders to use; ``moment`` is a time of day, in seconds since the epoch, at which a
    clock that is held stands; ``locale`` is one that is installed, ``""`` for plain ASCII, ``None`` if there is none.
    What the numeric ``profile`` fixes is not varied.
    """

    environment: Mapping[str, str]
    cores: int
    locale: str | None
    home: str
    elsewhere: str
    moment: float
    profile: str


class Assigned(NamedTuple):
    """Conditions for one worker: its environment, what it brings about itself, and whether it works elsewhere."""

    environment: dict[str, str]
    conditions: Conditions
    elsewhere: bool


def assigned(machine: Machine, varied: Collection[str], *, held: bool, turn: int = 0) -> Assigned:
    """The conditions for an execution in which ``varied`` differ from the usual.

    With ``held``, what differs from one execution to the next by itself (the time, the system's random bytes, the
    order of threads, memory) is the same in each, unless it is varied. ``turn`` counts the ways in which it is varied.
    """
    chosen = dict(machine.environment)
    for name in varied:
        if name in _ENVIRONMENTS:
            _update(chosen, _ENVIRONMENTS[name](machine, turn, held))
    if held:
        for name in ("threads", "memory"):
            if name not in varied:
                _update(chosen, _HELD[name])
    conditions = Conditions(
        clock=_clock(machine, "clock" in varied, held, turn),
        entropy=1 + turn if "entropy" in varied else 0 if held else None,
        threads=_threads(machine, "threads" in varied, held),
        reverse="directory-order" in varied,
        leftovers=101 + turn if "random-state" in varied else None,
        memory=_BYTES[1 + turn % 2] if "memory" in varied else _BYTES[0] if held else None,
    )
    return Assigned(environment(machine.profile, chosen), conditions, "folder" in varied)


class Missing(NamedTuple):
    """Variations that can't be had on this machine, each with the reason; ``partly`` are those that can be in part."""

    reasons: dict[str, str]
    partly: frozenset[str]


def missing(machine: Machine) -> Missing:
    """What this machine lacks."""
    found = Missing({}, frozenset())
    if not _has_glibc():
        found.reasons["memory"] = "only the C library of GNU fills memory"
    if machine.locale is None:
        found.reasons["locale"] = "no other locale is installed, and the project's path is not ASCII"
    elif not machine.locale:
        found.reasons["locale"] = "formats of numbers and sorting: no locale with a decimal comma is installed"
        found = found._replace(partly=frozenset({"locale"}))
    return found


def machine_of(project: str, scratch: str, elsewhere: str, profile: str) -> Machine:
    """This machine, for a project in a folder with a numeric profile. ``scratch`` is for home folders."""
    return Machine(
        environment={**os.environ, "PYTHONHASHSEED": "0"},
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        locale=_other_locale(ascii_path=project.isascii() and elsewhere.isascii()),
        home=os.path.join(scratch, "home"),
        elsewhere=elsewhere,
        moment=time.time(),
        profile=profile,
    )


def _update(environment: dict[str, str], changes: Mapping[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value


def _hash_seed(machine: Machine, turn: int, held: bool) -> dict[str, str | None]:
    return {"PYTHONHASHSEED": str(1 + turn)}


def _thread_counts(machine: Machine, turn: int, held: bool) -> dict[str, str | None]:
    # Held, native code has one thread; else as many as there are cores, unless the user has said otherwise.
    usual = 1 if held else _native_threads(machine)
    native = "2" if usual == 1 else "1"
    return {**dict.fromkeys(THREADS, native), **dict.fromkeys(_COUNTED, str(_other_cores(machine)))}


def _native_threads(machine: Machine) -> int:
    said = machine.environment.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() else machine.cores


def _other_cores(machine: Machine) -> int:
    return 3 if machine.cores != 3 else 2


def _time_zone(machine: Machine, turn: int, held: bool) -> dict[str, str | None]:
    usual = time.strftime("%z")
    return {"TZ": next(zone for zone in _ZONES[turn % 2 :] + _ZONES if zone[1:6] != usual)}


def _locale(machine: Machine, turn: int, held: bool) -> dict[str, str | None]:
    if machine.locale is None:
        return {}
    if machine.locale:
        return {"LC_ALL": machine.locale, "LANG": machine.locale}
    # Without the two switches Python takes UTF-8 where a locale says ASCII.
    return {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


def _home(machine: Machine, turn: int, held: bool) -> dict[str, str | None]:
    # Packages that are installed for the user stay.
    installed = site.getuserbase()
    return {"HOME": f"{machine.home}-{turn}", "PYTHONUSERBASE": installed, **dict.fromkeys(_XDG)}


def _folder(machine: Machine, turn: int, held: bool) -> dict[str, str | None]:
    return {"TMPDIR": os.path.join(machine.elsewhere, "tmp")}


def _memory(machine: Machine, turn: int, held: bool) -> dict[str, str | None]:
    return {"MALLOC_PERTURB_": _perturb(_BYTES[1 + turn % 2])}


def _perturb(byte: int) -> str:
    return str(byte ^ 0xFF)  # the C library fills with the complement


# As an IEEE double, eight times: held -1.7e-85, varied -2.5e-127 and 3.6e-99; none is zero, none a NaN.
_BYTES: Final = (0xAE, 0xA5, 0x2B)
_HELD: Final[Mapping[str, dict[str, str | None]]] = {
    "threads": {**dict.fromkeys(THREADS, "1")},
    "memory": {"MALLOC_PERTURB_": _perturb(_BYTES[0])},
}
_ENVIRONMENTS: Final = {
    "hash-seed": _hash_seed,
    "threads": _thread_counts,
    "time-zone": _time_zone,
    "locale": _locale,
    "home": _home,
    "folder": _folder,
    "memory": _memory,
}


def _clock(machine: Machine, varied: bool, held: bool, turn: int) -> Clock | None:
    if varied:
        return Clock(machine.moment - _BACK * (1 + turn), _TICK * (2 + turn))
    return Clock(machine.moment, _TICK) if held else None


def _threads(machine: Machine, varied: bool, held: bool) -> Threads | None:
    if varied:
        return Threads(_other_cores(machine), backward=True)
    return Threads(machine.cores, backward=False) if held else None


def _has_glibc() -> bool:
    # Elsewhere the name is unknown or there are no such names.
    with suppress(ValueError, OSError, AttributeError):
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    return False


def _other_locale(*, ascii_path: bool) -> str | None:
    """An installed locale with a decimal comma; without UTF-8 if there is one and all paths can be said in it."""
    usual = locale.setlocale(locale.LC_ALL)
    encodings = ("ISO8859-1", "UTF-8") if ascii_path else ("UTF-8",)
    try:
        for encoding in encodings:
            for language in _COMMA:
                with suppress(locale.Error):
                    locale.setlocale(locale.LC_ALL, f"{language}.{encoding}")
                    return f"{language}.{encoding}"
    finally:
        locale.setlocale(locale.LC_ALL, usual)
    return "" if ascii_path else None
