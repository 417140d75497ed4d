"""Canonical JSON after RFC 8785: one text for one document, so that it has a digest."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from ..hashing.digest import digest_bytes

_string: Final = json.JSONEncoder(ensure_ascii=False).encode


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
    """As ECMAScript writes it: the shortest digits that give it back, exponents from 1e21 and below 1e-6."""
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    point = len(text) + exponent  # digits in front of the decimal point
    if len(text) <= point <= 21:
        text += "0" * exponent
    elif 0 < point <= 21:
        text = f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{text}"
    else:
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        text = f"{text[0]}{fraction}e{point - 1:+d}"
    return f"-{text}" if sign else text
