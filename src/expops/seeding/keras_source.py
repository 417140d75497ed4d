"""Keras's generator of seeds, which serves whatever is drawn without a seed."""

from __future__ import annotations

import sys
from typing import Any, Final, TypeAlias

_Begun: TypeAlias = "tuple[Any, ...]"
_STATE: Final = "keras.src.backend.common.global_state"
_NAMES: Final = ("global_seed_generator", "global_random_seed")


class KerasRandom:
    """Put aside, so that Keras makes another when it needs one, from Python's ``random``, which is seeded.

    Weights, dropout and the like take their seeds from ``random`` in any case. So it never counts as moved itself:
    whoever uses it has moved ``random``.
    """

    name: Final = "keras"
    module: Final = "keras"

    def loaded(self) -> bool:
        """Whether ``keras`` is there, fully, and is Keras 3 (the one before has no such generator)."""
        return hasattr(sys.modules.get("keras"), "random") and hasattr(sys.modules.get(_STATE), "set_global_attribute")

    def begin(self, seed: int) -> _Begun:
        """Put the generator aside."""
        state: Any = sys.modules[_STATE]
        before = tuple([state.get_global_attribute(name) for name in _NAMES])
        _set(before=(None,) * len(_NAMES))
        return before

    def end(self, begun: _Begun) -> bool:
        """Put the generator back."""
        _set(before=begun)
        return False


def _set(before: _Begun) -> None:
    state: Any = sys.modules[_STATE]
    for name, value in zip(_NAMES, before, strict=True):
        state.set_global_attribute(name, value)
