"""Scalars of a configuration: YAML 1.1 as PyYAML reads it, made safe where it surprises.

Differences: ``1e-3`` is a float, as in YAML 1.2, and what would silently become a date or a base-60 number is
refused, since who writes ``2024-01-01`` or ``12:30`` means text.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

Scalar: TypeAlias = "str | int | float | bool | None"

CORE: Final = "tag:yaml.org,2002:"
_EXPONENT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+")
_BOOLEANS: Final = {"yes": True, "no": False, "on": True, "off": False, "true": True, "false": False}
# Beyond this, Python refuses to write the number in decimal; no parameter is that long.
_MAX_BITS: Final = 10_000


class BadScalar(ValueError):
    """A scalar that a configuration can't hold; the message says why and the mend."""


def plain_tag(text: str, resolved: str) -> str:
    """The tag of an unquoted scalar that PyYAML resolves to ``resolved``."""
    tag = resolved.removeprefix(CORE)
    if tag == "str" and _EXPONENT.fullmatch(text):
        return "float"
    return "str" if tag in ("value", "merge") else tag


def construct(text: str, tag: str) -> Scalar:
    """The value of ``text`` under a tag of the core schema. Raises :class:`BadScalar`."""
    if tag == "str":
        return text
    if tag == "null":
        return None
    if tag == "timestamp":
        raise BadScalar(f"{text} reads as a date in YAML; quote it: '{text}'")
    if tag == "bool":
        if text.lower() not in _BOOLEANS:
            raise BadScalar(f"'{text}' is not a boolean; write true or false")
        return _BOOLEANS[text.lower()]
    if ":" in text:
        raise BadScalar(f"{text} reads as a number in base 60 in YAML; quote it: '{text}'")
    try:
        return _integer(text) if tag == "int" else _float(text)
    except ValueError as error:
        raise BadScalar(f"'{text[:40]}' is not a number that can be kept; quote it") from error


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if digits.startswith("0b"):
        value = int(digits[2:], 2)
    elif digits.startswith("0x"):
        value = int(digits[2:], 16)
    elif digits.startswith("0") and digits != "0":
        value = int(digits, 8)
    else:
        value = int(digits)
    if value.bit_length() > _MAX_BITS:
        raise ValueError("too long")
    return sign * value


def _float(text: str) -> float:
    digits = text.replace("_", "").lower()
    sign = -1.0 if digits.startswith("-") else 1.0
    digits = digits.lstrip("+-")
    if digits in (".inf", ".nan"):
        return sign * float(digits[1:])
    value = float(digits)
    if value == float("inf"):
        raise ValueError("too large")
    return sign * value
