"""Where two values differ: the paths into them, what is there, and how far apart it is."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from .distance import ulps

_SHOWN: Final = 5  # differences that are told one by one
_WIDEST: Final = 80  # characters of a value
_CONTEXT: Final = 20  # characters in front of the first that differs
# Modules of the standard library whose values are told as a whole.
_WHOLE: Final = frozenset({"datetime", "decimal", "fractions", "pathlib", "uuid", "zoneinfo"})
_LEAVES: Final = (str, bytes, int, float, complex, type(None))
ABSENT: Final = "(absent)"


class Difference(NamedTuple):
    """One place that differs: the path to it, both values as text, and what kind of difference it is in words.

    ``ulps`` is how many representable floats lie between them, ``None`` where they are no floats.
    """

    path: str
    recorded: str
    found: str
    ulps: int | None = None
    note: str = ""


class Differences(NamedTuple):
    """The first places that differ, how many there are in all, the largest distance, and the tolerance (see
    :func:`~.distance.close`) that all of them would need: infinite where something other than a float differs."""

    first: tuple[Difference, ...]
    number: int
    most_ulps: int | None
    needed: float


def differences(recorded: object, found: object, path: str = "") -> Differences:
    """Walk two values side by side. None is found where they look the same."""
    walk = Walk()
    walk.compare(path, recorded, found)
    return Differences(tuple(walk.first), walk.count, walk.most_ulps, walk.needed)


def text_of(value: object) -> str:
    """A value as a message shows it."""
    item = getattr(value, "item", None)
    if type(value).__module__ == "numpy" and callable(item) and getattr(value, "ndim", 0) == 0:
        value = item()
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 (a user's __repr__)
        text = f"<{type(value).__qualname__}>"
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


class Walk:
    """Collects differences; ``compare`` calls itself for the parts of a value."""

    def __init__(self) -> None:
        self.first: list[Difference] = []
        self.count = 0
        self.most_ulps: int | None = None
        self.needed = 0.0
        self._met: set[tuple[int, int]] = set()
        self._kept: list[object] = []  # so that no id() is given twice

    def add(self, path: str, recorded: str, found: str, note: str = "") -> None:
        """A difference that no tolerance covers."""
        self.needed = math.inf
        self.note(Difference(path, recorded, found, None, note))

    def note(self, difference: Difference, count: int = 1) -> None:
        """Count differences; the first few are kept."""
        self.count += count
        if len(self.first) < _SHOWN:
            self.first.append(difference)
        if difference.ulps is not None:
            self.most_ulps = max(self.most_ulps or 0, difference.ulps)

    def compare(self, path: str, recorded: Any, found: Any) -> None:
        """Note every place below ``path`` where the two differ."""
        if recorded is found or self._met_before(recorded, found):
            return
        if type(recorded) is not type(found):
            names = [f"{type(value).__module__}.{type(value).__qualname__}" for value in (recorded, found)]
            told = f"types differ: {' and '.join(name.removeprefix('builtins.') for name in names)}"
            self.add(path, text_of(recorded), text_of(found), told)
        elif isinstance(recorded, float):
            self._floats(path, float(recorded), float(found), _width(recorded))
        elif isinstance(recorded, complex):
            self._floats(path + ".real", recorded.real, found.real)
            self._floats(path + ".imag", recorded.imag, found.imag)
        elif isinstance(recorded, Mapping):
            self._mappings(path, recorded, found)
        elif isinstance(recorded, list | tuple):
            self._sequences(path, recorded, found)
        elif isinstance(recorded, set | frozenset):
            self._sets(path, recorded, found)
        elif isinstance(recorded, str | bytes | bytearray):
            self._texts(path, recorded, found)
        elif isinstance(recorded, int | bool | type | type(None)):
            if recorded != found:
                self.add(path, text_of(recorded), text_of(found))
        else:
            self._others(path, recorded, found)

    def _met_before(self, recorded: object, found: object) -> bool:
        if isinstance(recorded, _LEAVES):
            return False
        pair = (id(recorded), id(found))
        if pair in self._met:
            return True
        self._met.add(pair)
        self._kept += [recorded, found]
        return False

    def _floats(self, path: str, recorded: float, found: float, width: int = 8) -> None:
        if recorded == found and math.copysign(1, recorded) == math.copysign(1, found):
            return
        if math.isnan(recorded) and math.isnan(found):
            return
        finite = math.isfinite(recorded) and math.isfinite(found)
        self.needed = max(self.needed, abs(recorded - found) / (1 + abs(recorded)) if finite else math.inf)
        note = "signs of zero differ" if recorded == found else ""
        self.note(Difference(path, text_of(recorded), text_of(found), ulps(recorded, found, width), note))

    def _mappings(self, path: str, recorded: Any, found: Any) -> None:
        for key in recorded:
            if key in found:
                self.compare(f"{path}[{text_of(key)}]", recorded[key], found[key])
            else:
                self.add(f"{path}[{text_of(key)}]", text_of(recorded[key]), ABSENT)
        for key in found:
            if key not in recorded:
                self.add(f"{path}[{text_of(key)}]", ABSENT, text_of(found[key]))
        keys = [key for key in recorded if key in found], [key for key in found if key in recorded]
        if keys[0] != keys[1]:
            at = next(index for index, pair in enumerate(zip(*keys, strict=False)) if pair[0] != pair[1])
            told = f"the order of keys differs, from key {at} on"
            self.add(path, text_of(keys[0][at]), text_of(keys[1][at]), told)

    def _sequences(self, path: str, recorded: Any, found: Any) -> None:
        names = getattr(recorded, "_fields", None)
        for index, (old, new) in enumerate(zip(recorded, found, strict=False)):
            self.compare(f"{path}.{names[index]}" if names else f"{path}[{index}]", old, new)
        shorter = min(len(recorded), len(found))
        for index in range(shorter, max(len(recorded), len(found))):
            old, new = (text_of(one[index]) if index < len(one) else ABSENT for one in (recorded, found))
            self.add(f"{path}[{index}]", old, new, f"lengths differ: {len(recorded)} and {len(found)}")

    def _sets(self, path: str, recorded: Any, found: Any) -> None:
        for item in sorted(recorded - found, key=repr):
            self.add(path, text_of(item), ABSENT, "an element of the set")
        for item in sorted(found - recorded, key=repr):
            self.add(path, ABSENT, text_of(item), "an element of the set")

    def _texts(self, path: str, recorded: Any, found: Any) -> None:
        if recorded == found:
            return
        at = next((i for i, pair in enumerate(zip(recorded, found, strict=False)) if pair[0] != pair[1]), None)
        at = min(len(recorded), len(found)) if at is None else at
        if max(len(recorded), len(found)) <= _WIDEST // 2:
            self.add(path, text_of(recorded), text_of(found))
            return
        start = max(at - _CONTEXT, 0)
        what = "character" if isinstance(recorded, str) else "byte"
        self.add(path, text_of(recorded[start:]), text_of(found[start:]), f"from {what} {at} on")

    def _others(self, path: str, recorded: Any, found: Any) -> None:
        for module, name in (("numpy", "arrays"), ("pandas", "frames")):
            if module in sys.modules:
                # Only where the library is loaded, since nothing else can have made such a value.
                from importlib import import_module

                if import_module(f".{name}", __package__).compare(self, path, recorded, found):
                    return
        if _is_tensor(recorded):
            self.compare(path, recorded.detach().cpu().numpy(), found.detach().cpu().numpy())
            return
        if type(recorded).__module__.partition(".")[0] in _WHOLE:
            self._leaves(path, recorded, found)
            return
        olds, news = _parts(recorded), _parts(found)
        if olds is None or news is None:
            self._leaves(path, recorded, found)
            return
        for name in dict.fromkeys([*olds, *news]):
            old, new = olds.get(name, _MISSING), news.get(name, _MISSING)
            if old is _MISSING or new is _MISSING:
                both = [ABSENT if value is _MISSING else text_of(value) for value in (old, new)]
                self.add(f"{path}{name}", *both)
            else:
                self.compare(f"{path}{name}", old, new)

    def _leaves(self, path: str, recorded: Any, found: Any) -> None:
        texts = text_of(recorded), text_of(found)
        try:
            same = bool(recorded == found)
        except Exception:  # noqa: BLE001 (a user's __eq__)
            same = texts[0] == texts[1]
        if not same:
            self.add(path, *texts)


class _Missing:
    """Stands for an attribute that isn't there."""


_MISSING: Final = _Missing()


def _width(value: object) -> int:
    return int(getattr(value, "itemsize", 8))


def _is_tensor(value: object) -> bool:
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _parts(value: Any) -> dict[str, Any] | None:
    """The parts of an object by how they are reached: attributes, or else what it pickles as; ``None`` for a leaf."""
    found: dict[str, Any] = {}
    if hasattr(value, "__dict__") and not callable(value):
        found = {"." + name: item for name, item in vars(value).items()}
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and name not in ("__dict__", "__weakref__"):
                found["." + name] = getattr(value, name)
    return found or _pickled_parts(value)


def _pickled_parts(value: Any) -> dict[str, Any] | None:
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # noqa: BLE001 (whatever a class refuses with)
        return None
    if isinstance(reduced, str):
        return None
    _, arguments, *rest = reduced
    state, items, pairs = ([*rest, None, None, None])[:3]
    found = {f"<argument {index}>": item for index, item in enumerate(arguments) if not isinstance(item, type)}
    if isinstance(state, dict):
        found |= {f".{name}": item for name, item in state.items()}
    elif state is not None:
        found["<state>"] = state
    if items is not None:
        found["<items>"] = list(islice(items, None))
    if pairs is not None:
        found["<pairs>"] = dict(pairs)
    return found or None
