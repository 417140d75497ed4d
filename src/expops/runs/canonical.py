"""Canonical JSON after RFC 8785: one text for one document, so that it has a digest."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..hashing.digest import digest_bytes

_string: Final = json.JSONEncoder(ensure_ascii=False).encode
_EXPONENT: Final = re.compile(r"e([+-])0*(\d+)$")


def canonical(document: Any) -> bytes:
    """The bytes of ``document``: keys in the order of their UTF-16 units, numbers as ECMAScript writes them, no spaces.

    Beyond RFC 8785, integers of any size keep all their digits, and a lone surrogate, which UTF-8 lacks, is an escape.
    Raises ``ValueError`` for NaN and infinities, ``TypeError`` for what JSON lacks.
    """
    return _text(document).encode("utf-8", "backslashreplace")


def digest(document: Any) -> str:
    """BLAKE3 of the canonical bytes."""
    return digest_bytes(canonical(document))


def finite(value: Any) -> Any:
    """``value`` with the strings ``NaN``, ``Infinity`` and ``-Infinity`` for numbers that JSON lacks."""
    if isinstance(value, Mapping):
        return {str(name): finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{" + ",".join([f"{_string(key)}:{_text(value[key])}" for key in sorted(value, key=_units)]) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return "[" + ",".join([_text(item) for item in value]) + "]"
    raise TypeError(f"JSON has no {type(value).__name__}")


def _units(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    power = int(exponent)
    if not -7 < power < 0:
        return _EXPONENT.sub(lambda match: f"e{match[1]}{match[2]}", text)
    # Python turns to exponents below 1e-4, ECMAScript below 1e-6.
    sign, digits = ("-" if mantissa.startswith("-") else ""), mantissa.lstrip("-").replace(".", "")
    return f"{sign}0.{'0' * (-power - 1)}{digits}"
