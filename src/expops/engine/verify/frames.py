"""Where two pandas objects differ. Imported only where pandas is loaded."""

from __future__ import annotations

from typing import Any

import pandas

from .difference import Walk


def compare(walk: Walk, path: str, recorded: Any, found: Any) -> bool:
    """Note where two frames, series or indexes differ; ``False`` for values of other kinds."""
    if isinstance(recorded, pandas.DataFrame):
        _frames(walk, path, recorded, found)
    elif isinstance(recorded, pandas.Series):
        walk.compare(path + ".name", recorded.name, found.name)
        walk.compare(path + ".index", recorded.index, found.index)
        _values(walk, path + ".iloc", recorded, found)
    elif isinstance(recorded, pandas.Index):
        walk.compare(path + ".names", list(recorded.names), list(found.names))
        _values(walk, path, recorded, found)
    else:
        return False
    return True


def _frames(walk: Walk, path: str, recorded: Any, found: Any) -> None:
    walk.compare(path + ".columns", recorded.columns, found.columns)
    if not recorded.columns.equals(found.columns):
        return
    walk.compare(path + ".index", recorded.index, found.index)
    for position, name in enumerate(recorded.columns):
        _values(walk, f"{path}[{name!r}].iloc", recorded.iloc[:, position], found.iloc[:, position])


def _values(walk: Walk, path: str, recorded: Any, found: Any) -> None:
    if str(recorded.dtype) != str(found.dtype):
        walk.add(path.removesuffix(".iloc") + ".dtype", str(recorded.dtype), str(found.dtype), "types differ")
    else:
        # As objects where pandas has types of its own: categories, strings, missing integers, time zones.
        plain = recorded.dtype.__class__.__module__.startswith("numpy")
        kind = None if plain else object
        walk.compare(path, recorded.to_numpy(dtype=kind), found.to_numpy(dtype=kind))
