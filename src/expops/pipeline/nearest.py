"""The nearest valid name, for messages about names that do not exist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_SHOWN: Final = 20


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` most like ``name``, or ``None`` if none is like it."""
    import difflib  # slow to import, and needed only for a message

    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return found[0] if found else None


def advice(name: str, names: Iterable[str], otherwise: str) -> str:
    """``did you mean 'x'?`` for the nearest of ``names``; without one, ``otherwise`` and the names."""
    known = list(dict.fromkeys(names))
    found = nearest(name, known)
    if found is not None:
        return f"did you mean '{found}'?"
    shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
    return f"{otherwise}: {shown or 'none'}"
