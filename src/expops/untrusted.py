"""What anybody may have written, or a disk damaged: is it of the form that its reader needs, and of bounded size?

Checksums of records have no key, so whoever can write to a shared cache can write a sound one over anything. Records
are therefore checked field by field where they are read, by the tests below; what fails is taken for absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

Check: TypeAlias = Callable[[Any], bool]

# Bytes of a record, packed or not; one with a run's whole printed output has some megabytes.
LARGEST_RECORD: Final = 64 << 20
LARGEST_SIZE: Final = 1 << 60  # bytes of anything that a record can name
LARGEST_COUNT: Final = 1 << 62
LATEST: Final = 2.5e11  # seconds since the epoch, before the year 10000, which clocks and calendars can't show
_LONGEST: Final = 1e11  # seconds of a duration, either way: clocks are put back while something runs
_REAL: Final = 1 << 1023  # below it, an integer is a floating point number too
_DIGEST: Final = re.compile("[0-9a-f]{64}")
_SEED: Final = re.compile("-?[0-9]{1,4000}")
_loads: Final = json.JSONDecoder().decode


def json_in(raw: bytes, limit: int = LARGEST_RECORD) -> Any:
    """The value of a JSON text of up to ``limit`` bytes. Raises ``ValueError``."""
    if len(raw) > limit:
        raise ValueError(f"it has {len(raw):,} bytes, and {limit:,} at most are read")
    try:
        return _loads(raw.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def inflated(raw: bytes, limit: int = LARGEST_RECORD) -> bytes:
    """What ``raw`` was compressed from by zlib, up to ``limit`` bytes. Raises ``ValueError``."""
    import zlib  # only where something compressed is read

    unpacker = zlib.decompressobj()
    try:
        # A few kilobytes can stand for gigabytes, so no more is unpacked than tells that it is too much.
        data = unpacker.decompress(raw, limit + 1)
    except zlib.error as fault:
        raise ValueError(f"it is damaged ({fault})") from None
    if len(data) > limit:
        raise ValueError(f"it unpacks to more than {limit:,} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("it is cut short, or something was appended to it")
    return data


def is_digest(value: Any) -> bool:
    """Whether it has the form of a digest."""
    return type(value) is str and _DIGEST.fullmatch(value) is not None


def is_text(value: Any) -> bool:
    """Whether it is text of any kind."""
    return type(value) is str


def is_unicode(value: Any) -> bool:
    """Whether it is text that can be written to any file."""
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_name(value: Any) -> bool:
    """Whether it is text that the operating system can be asked about."""
    if type(value) is not str or "\0" in value:
        return False
    if value.isascii():
        return True
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def is_inside(value: Any) -> bool:
    """Whether it is the relative path of a file, or with ``/`` at its end of a folder, that can't lead out of one."""
    if not is_name(value):
        return False
    return all(part not in ("", ".", "..") for part in value.removesuffix("/").split("/"))


def is_count(value: Any) -> bool:
    """Whether it is an integer from 0 to what a size or a number of things may be."""
    return type(value) is int and 0 <= value <= LARGEST_COUNT


def is_number(value: Any) -> bool:
    """Whether it is a real number, or in the place of one NaN, an infinity, or a truth value."""
    kind = type(value)
    return kind is float or kind is bool or (kind is int and -_REAL < value < _REAL)


def is_seconds(value: Any) -> bool:
    """Whether it is a duration in seconds."""
    kind = type(value)
    return (kind is float or kind is int) and -_LONGEST < value < _LONGEST


def is_moment(value: Any) -> bool:
    """Whether it is a time in seconds since the epoch that can be shown."""
    kind = type(value)
    return (kind is float or kind is int) and 0 <= value <= LATEST


def is_bool(value: Any) -> bool:
    """Whether it is true or false."""
    return type(value) is bool


def is_seed(value: Any) -> bool:
    """Whether it is an integer in decimal digits."""
    return type(value) is str and _SEED.fullmatch(value) is not None


def one_of(*words: Any) -> Check:
    """Whether it is one of ``words``."""
    return lambda value: any(type(value) is type(word) and value == word for word in words)


def list_of(check: Check) -> Check:
    """Whether it is a list of what passes ``check``."""
    return lambda value: type(value) is list and all(map(check, value))


def map_of(check: Check, names: Check = is_text) -> Check:
    """Whether it is a mapping to what passes ``check``, from names that pass ``names``."""
    return lambda value: type(value) is dict and all(map(names, value)) and all(map(check, value.values()))


def row_of(*checks: Check, optional: int = 0) -> Check:
    """Whether it is a list of as many fields as ``checks``, each of which passes its own; the last may be missing."""

    def is_row(value: Any) -> bool:
        if type(value) is not list or not len(checks) - optional <= len(value) <= len(checks):
            return False
        return all(check(field) for check, field in zip(checks, value, strict=False))

    return is_row


def object_of(optional: dict[str, Check] | None = None, **fields: Check) -> Check:
    """Whether it is a mapping that has all of ``fields``, and of ``optional`` and others any."""
    checks = {**fields, **(optional or {})}

    def is_object(value: Any) -> bool:
        if type(value) is not dict or not fields.keys() <= value.keys():
            return False
        return all(check(value[name]) for name, check in checks.items() if name in value)

    return is_object
