"""PyTorch's default generators: one for the CPU, and one for each device that is in use."""

from __future__ import annotations

import sys
from typing import Any, Final, NamedTuple


class _Begun(NamedTuple):
    """``states``: generator, its state before, and its state once seeded. ``before``: the seed that was set last."""

    seed: int
    states: list[tuple[Any, Any, Any]]
    before: int
    waits_for_cuda: bool


class TorchRandom:
    """Seeded as by ``torch.manual_seed(seed)``, and no device is initialised for it.

    CUDA that the action initialises is seeded then: until it is, PyTorch keeps the seed that was set last for it.
    """

    name: Final = "torch"
    module: Final = "torch"

    def loaded(self) -> bool:
        """Whether ``torch`` is there, fully."""
        return hasattr(sys.modules.get("torch"), "backends")

    def begin(self, seed: int) -> _Begun:
        """Put the states of all generators in use aside and seed them anew."""
        torch: Any = sys.modules["torch"]
        before = torch.initial_seed()
        waits = torch.backends.cuda.is_built() and not torch.cuda.is_initialized()
        if waits:
            torch.cuda.manual_seed_all(seed)
        return _Begun(seed, [(each, each.get_state(), _seeded(each, seed)) for each in _in_use(torch)], before, waits)

    def end(self, begun: _Begun) -> bool:
        """Put the states back; say whether any had moved."""
        torch: Any = sys.modules["torch"]
        moved = False
        for generator, before, seeded in begun.states:
            moved |= not torch.equal(generator.get_state(), seeded)
            generator.set_state(before)
        if begun.waits_for_cuda:
            if torch.cuda.is_initialized():
                moved |= any(_moved(torch, each, begun.seed) for each in torch.cuda.default_generators)
            # At once or when it is initialised: the seed of the CPU, since torch.manual_seed sets both.
            torch.cuda.manual_seed_all(begun.before)
        return moved


def _in_use(torch: Any) -> list[Any]:
    generators = [torch.default_generator]
    if torch.cuda.is_initialized():
        generators += torch.cuda.default_generators
    if torch.backends.mps.is_available():
        generators.append(torch.mps._get_default_mps_generator())  # noqa: SLF001 (torch.mps.get_rng_state's)
    return generators


def _seeded(generator: Any, seed: int) -> Any:
    generator.manual_seed(seed)
    return generator.get_state()


def _moved(torch: Any, generator: Any, seed: int) -> bool:
    found = generator.get_state()
    return not torch.equal(found, _seeded(generator, seed))
