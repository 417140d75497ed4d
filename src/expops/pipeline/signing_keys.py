"""The keys that sign shared records, from the environment or a file. They are in no message and in no record."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..errors import ConfigError, Problem, UsageError
from .config import CONFIG_PATH, Signing

VARIABLE: Final = "EXPOPS_SIGNING_KEYS"
_KEY: Final = "experiment.cache.signing"
_LEAST: Final = 32  # bytes, as many as the hash has
_LARGEST: Final = 1 << 20
_MAKE: Final = "make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
_BETWEEN: Final = re.compile(r"[,\r\n]")


class Keys(NamedTuple):
    """The first of ``keys`` signs, all of them verify. ``doubt`` is what should be told of where they come from."""

    keys: tuple[bytes, ...] = ()
    doubt: str = ""


class _Unusable(Exception):
    """Says what is wrong with the keys, and quotes none of them."""


_hidden: dict[str, str] = {}


def variables(signing: Signing) -> tuple[str, ...]:
    """The environment variables that may hold keys, of this project or of others."""
    return (VARIABLE, signing.name) if signing.source == "env" and signing.name != VARIABLE else (VARIABLE,)


def hide(names: Iterable[str]) -> None:
    """Take variables out of the environment, which user code may print and hands on to what it starts.

    :func:`read_keys` still finds what they held, until :func:`reveal`.
    """
    _hidden.update({name: os.environ.pop(name) for name in names if name in os.environ})


def reveal() -> None:
    """Undo :func:`hide`."""
    os.environ.update(_hidden)
    _hidden.clear()


def read_keys(signing: Signing, root: str) -> Keys:
    """The keys; none if none are configured. A path is relative to the project's folder ``root``.

    Raises :class:`ConfigError`, or :class:`UsageError` for ``EXPOPS_SIGNING_KEYS``, where there should be keys and they
    are missing, too short or not to be read.
    """
    try:
        if signing.source == "file":
            return _in_file(os.path.join(root, os.path.expanduser(signing.name)))
        return _in_variable(signing.name or VARIABLE, needed=bool(signing.source))
    except _Unusable as fault:
        if signing.source:
            raise ConfigError([Problem(CONFIG_PATH, signing.line, f"{_KEY}.{signing.source}", str(fault))]) from None
        raise UsageError(str(fault)) from None


def _in_variable(name: str, *, needed: bool) -> Keys:
    text = os.environ.get(name, _hidden.get(name))
    if text is not None:
        # Also if it is empty: a secret that didn't arrive must not mean that nothing is checked.
        if not needed and not text.strip():
            raise _Unusable(f"the environment variable {name} is empty; put keys there ({_MAKE}), or unset it")
        return Keys(_parsed(text, f"the environment variable {name}"))
    if needed:
        raise _Unusable(f"the environment variable {name} is not set; put the keys of your team there, or {_MAKE}")
    return Keys()


def _in_file(path: str) -> Keys:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise _Unusable(f"{path} is no regular file, and each worker reads the keys for itself")
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as fault:
        told = fault.strerror or type(fault).__name__
        raise _Unusable(f"{path} can't be read: {told}; put the keys of your team there, or {_MAKE}") from None
    if len(data) > _LARGEST:
        raise _Unusable(f"{path} is too large for a file of keys; it has one key on each line")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _Unusable(f"{path} is no text; it has one key on each line, and you can {_MAKE}") from None
    others = status.st_mode & (stat.S_IROTH | stat.S_IWOTH)
    doubt = f"{path} holds signing keys, and all users of this machine can get at it; chmod 600 {path}"
    return Keys(_parsed(text, path), doubt if others else "")


def _parsed(text: str, place: str) -> tuple[bytes, ...]:
    lines = [line.strip() for line in _BETWEEN.split(text)]
    keys = tuple(dict.fromkeys(_key(line, number, place) for number, line in enumerate(_said(lines), 1)))
    if not keys:
        raise _Unusable(f"{place} holds no key; put the keys of your team there, or {_MAKE}")
    return keys


def _said(lines: list[str]) -> list[str]:
    return [line for line in lines if line and not line.startswith("#")]


def _key(line: str, number: int, place: str) -> bytes:
    digits = re.fullmatch("[0-9A-Fa-f]+", line) is not None
    text = line.encode("utf-8", "surrogateescape")
    size = len(text) // 2 if digits else len(text)
    if size < _LEAST:
        raise _Unusable(f"key {number} in {place} is too short: {size} bytes, and {_LEAST} are needed; {_MAKE}")
    if digits and len(line) % 2:
        raise _Unusable(f"key {number} in {place} has an odd number of hexadecimal digits; it was not copied whole")
    return bytes.fromhex(line) if digits else text
