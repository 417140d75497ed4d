"""The random states that an action owns while it runs: one class for each library, listed in ``SOURCES``.

A library that is not loaded is never imported: sources look in ``sys.modules``. A new library is one class
in a file of its own and one entry in the tuple.
"""

from __future__ import annotations

import sys
from typing import Any, Final, NamedTuple, Protocol

from .keras_source import KerasRandom
from .tensorflow_source import TensorFlowRandom
from .torch_source import TorchRandom

# As many 32-bit words as a Mersenne Twister's state has: that many equal outputs mean equal states.
_WORDS: Final = 624
_COMPARED: Final = 256  # bits


class RandomSource(Protocol):
    """The global random state of one library.

    ``begin`` and ``end`` nest like brackets. They are one pair, and not get, set and seed, because a library
    may have a far cheaper way to put its state aside than to read and write it.
    """

    @property
    def name(self) -> str:
        """Name in reports, and the purpose for which its seed is derived."""

    @property
    def module(self) -> str:
        """The module that has the state; it is seeded as soon as this module is loaded."""

    def loaded(self) -> bool:
        """Whether the module is there, fully."""

    def begin(self, seed: int) -> object:
        """Put the state aside, seed anew, and return what :meth:`end` needs. ``0 <= seed < 2**32``."""

    def end(self, begun: Any) -> bool:
        """Put the state of before :meth:`begin` back; say whether the seeded state had been moved since."""


class _PythonBegun(NamedTuple):
    seed: int
    before: Any


class PythonRandom:
    """The functions of ``random``; seeded as by ``random.seed(seed)``."""

    name: Final = "random"
    module: Final = "random"

    def loaded(self) -> bool:
        """Whether ``random`` is there, fully."""
        return hasattr(sys.modules.get("random"), "setstate")

    def begin(self, seed: int) -> _PythonBegun:
        """Put the state aside and seed anew."""
        library: Any = sys.modules["random"]
        before = library.getstate()
        library.seed(seed)
        return _PythonBegun(seed, before)

    def end(self, begun: _PythonBegun) -> bool:
        """Put the state back; say whether it had moved.

        The seeded state is thrown away here, so its next outputs may be used up: cheaper than reading it. As many are
        compared as a digest has bits, so that another state with the same ones is as unlikely as two values of one
        digest.
        """
        library: Any = sys.modules["random"]
        found = library.getrandbits(_COMPARED)
        library.seed(begun.seed)
        moved: bool = found != library.getrandbits(_COMPARED)
        library.setstate(begun.before)
        return moved


class _NumPyBegun(NamedTuple):
    seed: int
    ours: Any
    before: Any
    gauss: float | None


class _NoState:
    """Stands in for the bit generator while only the cached normal deviate is read."""

    @property
    def state(self) -> dict[str, object]:
        return {"bit_generator": "none", "state": {}}


class NumPyRandom:
    """NumPy's global generator, also scikit-learn's and pandas's; seeded as by ``numpy.random.seed(seed)``.

    To put it aside its bit generator is exchanged: reading and writing one takes NumPy 30 microseconds each.
    """

    name: Final = "numpy.random"
    module: Final = "numpy.random"

    def __init__(self) -> None:
        self._spare: list[Any] = []

    def loaded(self) -> bool:
        """Whether ``numpy.random`` is there, fully (NumPy may load it after itself)."""
        return hasattr(sys.modules.get("numpy.random"), "set_bit_generator")

    def begin(self, seed: int) -> _NumPyBegun:
        """Put the generator aside and seed another in its place."""
        library: Any = sys.modules["numpy.random"]
        before, gauss = library.get_bit_generator(), _cached_gauss(library)
        ours = self._spare.pop() if self._spare else library.MT19937(0)
        library.set_bit_generator(ours)
        library.seed(seed)
        return _NumPyBegun(seed, ours, before, gauss)

    def end(self, begun: _NumPyBegun) -> bool:
        """Put the generator back; say whether ours had moved or was exchanged."""
        library: Any = sys.modules["numpy.random"]
        moved = library.get_bit_generator() is not begun.ours
        if not moved:
            found = begun.ours.random_raw(_WORDS)
            library.seed(begun.seed)
            moved = found.tobytes() != begun.ours.random_raw(_WORDS).tobytes()
            self._spare.append(begun.ours)
        library.set_bit_generator(begun.before)
        if begun.gauss is not None:
            library.set_state({**library.get_state(legacy=False), "has_gauss": 1, "gauss": begun.gauss})
        return moved


def _cached_gauss(library: Any) -> float | None:
    """The second of a pair of normal deviates, kept for the next call; exchanging the generator drops it.

    NumPy tells it only together with the generator's state, which is slow to read: so it is shown another.
    """
    singleton = library.mtrand._rand  # noqa: SLF001 (scikit-learn's way to the global generator, too)
    bit_generator = library.get_bit_generator()
    singleton._bit_generator = _NoState()  # noqa: SLF001
    try:
        state = singleton.get_state(legacy=False)
    finally:
        singleton._bit_generator = bit_generator  # noqa: SLF001
    return state["gauss"] if state["has_gauss"] else None


SOURCES: Final[tuple[RandomSource, ...]] = (
    PythonRandom(),
    NumPyRandom(),
    TorchRandom(),
    TensorFlowRandom(),
    KerasRandom(),
)
