"""The action under way: what it has logged, printed, read and counted so far."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..cache.discovery import Observed
from ..cache.manifest import Metric
from ..hashing.canonical import digest_of
from ..seeding.derive import derive_seed


class SeedPath:
    """Where an action stands in the derivation of seeds: the process, the steps on the way, and the call's number.

    Neither code nor arguments nor neighbours are part of it, so that variants are compared on the same numbers; but the
    fingerprint of the argument that ``seed_by`` names takes the place of the number. ``streams`` are the options
    ``seed_by`` of all that the action reaches: they don't touch its own seed, but what is drawn below it.
    """

    __slots__ = ("_seed", "call", "process", "root", "step", "streams")

    def __init__(
        self,
        root: int,
        process: str,
        step: str = "",
        call: int | str = 1,
        streams: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.root = root
        self.process = process
        self.step = step
        self.call = call
        self.streams = streams
        self._seed = ""

    def seed_for(self, purpose: str, bits: int = 32) -> int:
        """The seed for one random source, such as ``"random"`` or ``"torch"``, or for what user code asks for."""
        return derive_seed(self.root, self.process, self.step, self.call, purpose=purpose, bits=bits)

    def seed(self) -> str:
        """The seed of the action as a whole, as the ledger shows it."""
        if not self._seed:
            self._seed = str(derive_seed(self.root, self.process, self.step, self.call, bits=128))
        return self._seed

    def identity(self, label: str = "") -> str:
        """Digest that stands for the seed in result keys; ``import:FILE`` is what importing a script draws with."""
        if label:
            return digest_of(["seed", str(self.root), "", label, 1])
        streams = [self.streams] if self.streams else []
        return digest_of(["seed", str(self.root), self.process, self.step, self.call, *streams])


class Frame:
    """One action while it executes. ``path`` is its path in the ledger; ``rests`` are the accepted results it took."""

    __slots__ = ("_calls", "log", "metrics", "observed", "path", "rests", "seeds")

    def __init__(self, path: str, seeds: SeedPath, observed: Observed) -> None:
        self.path = path
        self.seeds = seeds
        self.observed = observed
        self.metrics: list[Metric] = []
        self.log: list[tuple[str, str]] = []
        self.rests: dict[str, None] = {}
        self._calls: dict[str, int] = {}

    def next_call(self, name: str) -> int:
        """Number of this call of the step ``name`` in this action, from 1."""
        number = self._calls[name] = self._calls.get(name, 0) + 1
        return number

    def path_of(self, name: str, call: int) -> str:
        """Path of a step that this action calls, in the ledger."""
        path = f"{self.path}/{name}" if self.path else name
        return path + (f"#{call}" if call > 1 else "")

    def seeds_of(self, name: str, call: int | str) -> SeedPath:
        """Seeds of a step that this action calls."""
        own = self.seeds
        here = own.step + (f"#{own.call}" if own.call != 1 else "")
        return SeedPath(own.root, own.process, f"{here}/{name}" if here else name, call)

    def absorb(self, values: dict[str, dict[str, str]], metrics: list[Metric]) -> None:
        """Take over what a nested action read and logged; its own seed becomes this action's."""
        self.observed.add(values, seeds=False)
        for label, digest in values.get("seed", {}).items():
            if label:
                self.observed.seed.setdefault(label, digest)
            else:
                self.observed.seed[""] = self.seeds.identity()
        if self.path:
            self.metrics.extend(metrics)
