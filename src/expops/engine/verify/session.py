"""Checks the processes of a project, several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ...pipeline.graph import Graph
from .bench import Bench, Executed, Subject, Way, orders
from .check import Check, Checked, Plan
from .laboratory import Laboratory
from .variations import Missing


class Wanted(NamedTuple):
    """What to check, and how: names of processes, variations, in how many ways each is varied, or ``quick``."""

    names: Sequence[str]
    chosen: tuple[str, ...]
    turns: int
    quick: bool


class Session:
    """One ``expops verify``. ``subjects`` are all processes with a recorded result, also those not to be checked."""

    def __init__(
        self,
        laboratory: Laboratory,
        bench: Bench,
        graph: Graph,
        subjects: Mapping[str, Subject],
        missing: Missing,
        tell: Callable[[str], None],
    ) -> None:
        self._laboratory = laboratory
        self._bench = bench
        self._graph = graph
        self._subjects = subjects
        self._missing = missing
        self._tell = tell

    def run(self, wanted: Wanted) -> list[Checked]:
        """Check them; in the order of ``wanted.names``."""
        names = list(wanted.names)
        plan = self._plan(wanted)
        with ThreadPoolExecutor(max(len(names), 1)) as threads:
            try:
                self._tell(f"executing {', '.join(names)} again")
                plain = dict(zip(names, threads.map(self._plain, names), strict=True))
                if wanted.quick:
                    return [self._check(name, plan, plain).quick() for name in names]
                self._tell("executing again with all varied at once")
                turns = range(wanted.turns)
                varied = list(threads.map(lambda turn: self._varied(names, plan, turn), turns))
                found = threads.map(
                    lambda name: self._check(name, plan, plain).whole([one[name] for one in varied]), names
                )
                return list(found)
            except BaseException:
                # Ctrl-C included: whoever waits for a worker must not wait for ever.
                self._laboratory.stop()
                raise

    def _plain(self, name: str) -> Executed:
        return self._bench.execute(self._subjects[name], [Way()], watch=True)[0]

    def _check(self, name: str, plan: Plan, plain: Mapping[str, Executed]) -> Check:
        return Check(self._bench, self._subjects[name], plan, plain[name])

    def _plan(self, wanted: Wanted) -> Plan:
        lines: dict[tuple[str, int], tuple[str, ...]] = {}
        if "others" in wanted.chosen:
            for turn in range(wanted.turns):
                for name in wanted.names:
                    lines[name, turn] = self._before(name, wanted.names, backward=turn % 2 == 0)
        chosen = () if wanted.quick else wanted.chosen
        untested = {name: why for name, why in self._missing.reasons.items() if name in chosen}
        return Plan(chosen, wanted.turns, lines, untested, self._missing.partly, self._tell)

    def _before(self, name: str, names: Sequence[str], *, backward: bool) -> tuple[str, ...]:
        """The processes that come before one in its line: of one that is checked alone, all that may."""
        line = orders(self._graph, list(self._subjects), backward=backward)
        if len(names) > 1:
            line = [other for other in line if other in names]
            return tuple(line[: line.index(name)])
        return tuple(other for other in line if other != name and name not in self._graph.ancestors([other]))

    def _varied(self, names: Sequence[str], plan: Plan, turn: int) -> dict[str, Executed]:
        """All of them, with all varied at once: in one worker if that is part of it."""
        varied = frozenset(plan.chosen) - {"cached"}
        way = Way(varied, turn=turn)
        if "others" not in varied:
            found = [self._bench.execute(self._subjects[name], [way])[0] for name in names]
            return dict(zip(names, found, strict=True))
        line = orders(self._graph, names, backward=turn % 2 == 0)
        if len(names) == 1:
            line = [*plan.lines[names[0], turn], *names]
        return self._bench.execute_in_line(line, way)
