"""Values whose fingerprints are the same everywhere and forever (within one format); prints them when run."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import pathlib
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from expops.hashing.values import fingerprint


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: float
    names: frozenset[str]


class Named(list[int]):
    name = "none"


def _ring() -> list[Any]:
    ring: list[Any] = ["a", ("b", {"c"})]
    ring.append({"again": ring})
    return ring


def _named() -> Named:
    named = Named([1, 2])
    named.name = "x"
    return named


def everywhere() -> dict[str, object]:
    """Values without libraries."""
    return {
        "none": None,
        "true": True,
        "int": 1,
        "negative": -12345678901234567890,
        "float": 1.0,
        "minus zero": -0.0,
        "nan": float("nan"),
        "complex": 1 - 2j,
        "str": "héllo \ud800\U0001f600",
        "long str": "x" * 5000,
        "bytes": b"\x00\xff",
        "ellipsis": ...,
        "list": [1, 2.5, "a", None],
        "tuple": (1, (2, ())),
        "dict": {"lr": 0.1, ("a", 1): [True]},
        "set": {"one", "two", "three", "four", 5},
        "frozenset": frozenset(["x", b"x", 1.5]),
        "floats": [index / 7 for index in range(50)],
        "ints": list(range(50)),
        "bools": [True, False] * 20,
        "strs": ["a", "b\0"] * 20,
        "strs with holes": ["a", None, float("nan")] * 20,
        "tall": [[[[["x" * 300]]]]] * 3,
        "ring": _ring(),
        "deque": deque([1, 2], 5),
        "ordered": OrderedDict(b=1, a=2),
        "defaultdict": defaultdict(list, {"a": [1]}),
        "counter": Counter("abca"),
        "namespace": SimpleNamespace(b=1, a={"x", "y", "z"}),
        "dataclass": Point(1.5, frozenset("pqrs")),
        "subclass": _named(),
        "enum": Colour.RED,
        "class": Point,
        "function": json.dumps,
        "builtin": len,
        "range": range(1, 9, 2),
        "date": datetime.date(2024, 2, 29),
        "datetime": datetime.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=ZoneInfo("Europe/Paris")),
        "time": datetime.time(1, 2, tzinfo=datetime.UTC),
        "timedelta": datetime.timedelta(1, 2, 3),
        "decimal": Decimal("1.20"),
        "fraction": Fraction(2, 3),
        "uuid": UUID(int=7),
        "path": pathlib.PurePosixPath("a/b"),
    }


def numeric() -> dict[str, object]:
    """Values of NumPy."""
    import numpy as np

    return {
        "array": np.arange(6.0).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype="i4").reshape(2, 3)),
        "big-endian": np.arange(3, dtype=">i2"),
        "no dimensions": np.array(2.5),
        "empty": np.zeros((0, 3)),
        "texts": np.array(["a", "bc"]),
        "times": np.array(["2020-01-01"], "M8[D]"),
        "structured": np.zeros(2, [("a", "i1"), ("b", "f8", (2,))]),
        "padded": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        "objects": np.array([1, "a", None], dtype=object),
        "scalar": np.float32(1.5),
        "scalar nan": np.float64("nan"),
        "dtype": np.dtype("f4"),
        "large": np.arange(100_000),
    }


def libraries() -> dict[str, object]:
    """Values of libraries whose names for things change between versions."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])})
    model = LogisticRegression().fit(np.arange(8.0).reshape(4, 2), [0, 1, 0, 1])
    return {
        "frame": frame,
        "objects": frame.astype(object),
        "times": pd.date_range("2020", periods=3, tz="UTC"),
        "table": pa.table({"a": [1, None]}),
        "model": model,
        "generator": np.random.default_rng(3),
        "nested": {"data": frame, "names": {"p", "q", "r"}},
    }


def prints(values: dict[str, object]) -> dict[str, str]:
    return {name: fingerprint(value) for name, value in values.items()}


if __name__ == "__main__":
    import golden_values

    print(json.dumps({part: prints(getattr(golden_values, part)()) for part in sys.argv[1:]}))
