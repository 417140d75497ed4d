"""Single-flight of steps: of several processes and runs that want a step's result at once, one executes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ..cache.leases import Held, Lease, Leases, lease_key
from ..cache.store import LookUp
from ..hashing.code import CodeFingerprint

_BRIEF: Final = 0.1  # seconds: what a step takes that is not worth asking others about


class StepFlight:
    """The leases of the steps that one thread executes. ``waits`` is told of a step for whom it waits."""

    def __init__(self, leases: Leases, waits: Callable[[str, str], object]) -> None:
        self._leases = leases
        self._waits = waits
        self._longest: dict[str, float] = {}  # seconds, by code
        self._executing: list[_Execution] = []

    def take(
        self, path: str, code: CodeFingerprint, look_up: LookUp, seed: str, look_again: Callable[[], LookUp]
    ) -> tuple[Lease | None, LookUp]:
        """The lease for executing a step that was looked up in vain, when nobody else executes it; or what one who did
        has left. Without a lease for those that take no time."""
        if self._longest.get(code.digest, _BRIEF) < _BRIEF or self._is_recursive(code):
            return None, look_up
        while key := lease_key(look_up, seed):
            answer = self._leases.take([key])[key]
            if answer is None:
                break
            if isinstance(answer, Held):
                self._waits(path, answer.holder.words(self._leases.holder))
                time.sleep(self._leases.pace)
                continue
            look_up = self._looked_up(answer, look_up, look_again)
            if look_up.manifest is not None:
                self._leases.end(answer, look_up.result)
                break
            if lease_key(look_up, seed) == key:
                return answer, look_up
            self._leases.end(answer, None)  # its first execution has shown that there is one for each seed
        return None, look_up

    def _looked_up(self, lease: Lease, look_up: LookUp, look_again: Callable[[], LookUp]) -> LookUp:
        if not lease.again:
            return look_up
        try:
            return look_again()
        except BaseException:  # Ctrl-C: in a notebook this very process would wait for itself next time
            self._leases.end(lease, None)
            raise

    def _is_recursive(self, code: CodeFingerprint) -> bool:
        """Whether it may call a step that executes here: two who hold one of such leases each would wait for ever."""
        return any(other.code.symbols.keys() <= code.symbols.keys() for other in self._executing)

    def begin(self, code: CodeFingerprint, lease: Lease | None) -> None:
        """A step executes from now on."""
        self._executing.append(_Execution(code, lease))

    def recorded(self, result: str) -> None:
        """What began last has left that result."""
        self._executing[-1].result = result

    def end(self) -> None:
        """What began last has ended."""
        ended = self._executing.pop()
        seconds = time.monotonic() - ended.began
        self._longest[ended.code.digest] = max(seconds, self._longest.get(ended.code.digest, 0.0))
        if ended.lease is not None:
            self._leases.end(ended.lease, ended.result or None)


class _Execution:
    def __init__(self, code: CodeFingerprint, lease: Lease | None) -> None:
        self.code = code
        self.lease = lease
        self.result = ""
        self.began = time.monotonic()
