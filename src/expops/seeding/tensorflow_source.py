"""TensorFlow's global seed, and the counter from which its eager operations take theirs."""

from __future__ import annotations

import sys
from typing import Any, Final, NamedTuple


class _Begun(NamedTuple):
    watched: _WatchedSeed
    reads: int
    before: dict[str, Any]


class TensorFlowRandom:
    """Seeded as by ``tf.random.set_seed(seed)``.

    An operation with a seed of its own (``tf.random.normal(..., seed=1)``), and one inside a ``tf.function``, use the
    global seed without moving any state that could be read. So the seed itself tells whether it was looked at.

    Not put back: how far operations with a seed of their own had come. Setting a seed starts them anew.
    """

    name: Final = "tensorflow"
    module: Final = "tensorflow"

    def loaded(self) -> bool:
        """Whether ``tensorflow`` is there, fully."""
        return hasattr(sys.modules.get("tensorflow"), "random") and _CONTEXT in sys.modules

    def begin(self, seed: int) -> _Begun:
        """Put the global seed and the counter aside and set anew."""
        state = vars(_context())
        before = {name: state[name] for name in _STATE if name in state}
        watched = _WatchedSeed(seed)
        sys.modules[_CONTEXT].set_global_seed(watched)
        return _Begun(watched, _WatchedSeed.reads, before)

    def end(self, begun: _Begun) -> bool:
        """Put both back; say whether the seed was used or exchanged."""
        state = vars(_context())
        moved = begun.reads != _WatchedSeed.reads or state["_seed"] is not begun.watched
        for name in _STATE:
            state.pop(name, None)
        state.update(begun.before)
        return moved


_CONTEXT: Final = "tensorflow.python.eager.context"
# TensorFlow tells neither the seed nor its counter, which is there once a seed was set, and it can't unset a seed.
_STATE: Final = ("_seed", "_rng")


def _context() -> Any:
    module: Any = sys.modules[_CONTEXT]
    return module.context()


class _WatchedSeed(int):
    """A seed that counts how often one of its kind was looked at: every operation reduces it to 31 bits first.

    It counts for all: what is traced now may have been begun under the seed of an earlier action.
    """

    reads = 0

    def __mod__(self, other: int) -> int:
        _WatchedSeed.reads += 1
        return int(self) % other

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)
