"""Seeds and generators that user code asks for: ``expops.rng``, ``expops.seed`` and their like.

Each purpose of an action has a seed of its own, so that data, split, initialisation and order of an experiment vary
independently. Whoever asks depends on the seed: it becomes part of the result key. The purposes for which seeds are
derived (:mod:`.derive`) are ``seed:PURPOSE``, ``rng:PURPOSE``, ``jax:PURPOSE``, ``torch:DEVICE:PURPOSE`` and, of
the loaders of :mod:`expops.torch`, ``loader N:PURPOSE``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..errors import UsageError
from .derive import derive_seed
from .session import active

if TYPE_CHECKING:
    import jax
    import numpy
    import torch

T = TypeVar("T")
OUTSIDE_SEED: Final = 42
_outside: Final[dict[object, Any]] = {}


def seed(purpose: str | None = None, bits: int = 32) -> int:
    """A number for this step and purpose, from 0 up to, not including, ``2**bits``; the same at each call.

    For libraries that are seeded by a parameter: ``XGBClassifier(random_state=expops.seed("model"))``.

    Parameters
    ----------
    purpose: any name; each has a number of its own, unrelated to those of other purposes, steps and calls
    bits: how large the number may be, from 1 to 256; most libraries take 32, scikit-learn too

    Outside any process and cached step it is derived from the default root seed, 42. Raises
    :class:`~expops.errors.UsageError` for another number of bits, and in a child process, to which the step has to
    hand its seeds.
    """
    return derived("seed", f"seed:{checked(purpose)}", bits)


def rng(purpose: str | None = None) -> numpy.random.Generator:
    """The NumPy generator (PCG64) of this step and purpose.

    A later call in the step gives the same generator, which goes on where it is. Steps and purposes have independent
    ones. Threads that share one draw in an order of chance: give each a purpose of its own.

    Outside any process and cached step there is one for the whole program, from the default root seed, 42. Raises
    :class:`~expops.errors.UsageError` in a child process.
    """

    def make(number: int) -> numpy.random.Generator:
        from numpy.random import PCG64, Generator

        return Generator(PCG64(number))

    return _generator("rng", f"rng:{checked(purpose)}", 128, make)


def torch_generator(device: str | torch.device = "cpu", purpose: str | None = None) -> torch.Generator:
    """The PyTorch generator of this step, device and purpose, to be handed over as ``generator=``.

    A later call in the step gives the same generator, which goes on where it is. Raises
    :class:`~expops.errors.UsageError` in a child process, and what PyTorch raises for a device that is not there.
    """
    name = checked(purpose)
    import torch

    place = torch.device(device)

    def make(number: int) -> torch.Generator:
        return torch.Generator(place).manual_seed(number)

    return _generator("torch_generator", f"torch:{place}:{name}", 64, make)


def jax_key(purpose: str | None = None) -> jax.Array:
    """The JAX key of this step and purpose, a scalar of a key type; the same at each call, so split it.

    Raises :class:`~expops.errors.UsageError` in a child process.
    """
    name = checked(purpose)
    import jax

    return jax.random.key(derived("jax_key", f"jax:{name}", 32))


def derived(caller: str, purpose: str, bits: int) -> int:
    """The seed of the action under way for a full purpose, such as ``seed:model``; ``caller`` is who asks."""
    source, _ = _here(caller)
    return source(purpose, bits)


def ordinal(caller: str, purpose: str) -> int:
    """How many times ``caller`` has asked this in the action under way for the same purpose, from 1."""
    _, given = _here(caller)
    number: int = given.get((caller, purpose), 0) + 1
    given[caller, purpose] = number
    return number


def _generator(caller: str, purpose: str, bits: int, make: Callable[[int], T]) -> T:
    source, given = _here(caller)
    if purpose not in given:
        given[purpose] = make(source(purpose, bits))
    made: T = given[purpose]
    return made


def checked(purpose: str | None) -> str:
    """The purpose as part of a name. Raises :class:`~expops.errors.UsageError`."""
    if purpose is None:
        return ""
    if type(purpose) is not str or not purpose:
        raise UsageError(f"a purpose is a name such as 'split', not {purpose!r}; or leave it out")
    return purpose


def _here(caller: str) -> tuple[Callable[[str, int], int], dict[object, Any]]:
    """How the action under way derives seeds, and what it was given so far."""
    action = active()
    if _is_child() if action is None else action.os_process != os.getpid():
        raise UsageError(
            f"expops.{caller}() was called in a child process, where it can't tell which step is at work; call "
            "expops.seed() in the step and hand the number over, such as random_state=expops.seed('model')"
        )
    if action is None:
        return _derive_outside, _outside
    if action.given is None:
        action.given = {}
    return action.seed_for, action.given


def _derive_outside(purpose: str, bits: int) -> int:
    return derive_seed(OUTSIDE_SEED, "", purpose=purpose, bits=bits)


def _is_child() -> bool:
    """Whether a process, or a program that uses multiprocessing, has started this OS process."""
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    return "EXPOPS_RUN_ID" in os.environ or (
        multiprocessing is not None and multiprocessing.parent_process() is not None
    )
