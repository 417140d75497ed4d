"""Checks one process: a plain re-execution, all variations at once, then what a difference takes to appear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from .bench import Bench, Executed, Subject, Way
from .compare import Comparison, compare
from .covering import mixes
from .replay import Altered
from .search import smallest

# What a finding's ``variations`` may hold besides names of variations.
NOTHING: Final[tuple[str, ...]] = ()


class Finding(NamedTuple):
    """A difference, and the smallest set of variations that it takes; none where it comes by itself.

    ``detail`` says more in words: which other processes ran before, which steps were served, what is known of a
    difference that comes by itself. ``altered`` are arguments that steps alter, where that is what was found.
    """

    variations: tuple[str, ...]
    detail: str
    comparison: Comparison
    altered: tuple[Altered, ...] = ()


class Checked(NamedTuple):
    """What was found of one process.

    ``survived`` are variations under which nothing differed; ``untested`` maps those that could not be had to the
    reason, ``partly`` the ones among them that could be in part; ``error`` says why the process could not even be
    executed as it was.
    """

    subject: Subject
    findings: list[Finding]
    survived: list[str]
    untested: dict[str, str]
    steps: list[str]
    logs: list[str]
    partly: frozenset[str]
    error: str = ""


class Plan(NamedTuple):
    """What to vary. ``lines`` maps each turn and name to the processes that run before it in its worker;
    ``untested`` maps variations that this machine lacks to the reason, ``partly`` are those that it has in part."""

    chosen: tuple[str, ...]
    turns: int
    lines: Mapping[tuple[str, int], tuple[str, ...]]
    untested: Mapping[str, str]
    partly: frozenset[str]
    tell: Callable[[str], None]


class Check:
    """The check of one process, from its plain re-execution on."""

    def __init__(self, bench: Bench, subject: Subject, plan: Plan, plain: Executed) -> None:
        self._bench = bench
        self._subject = subject
        self._plan = plan
        self._plain = plain
        self._reference = plain
        self._held = False
        self._findings: list[Finding] = []
        self._untested = dict(plan.untested)
        self._logs: dict[str, None] = {}

    def quick(self) -> Checked:
        """Judge by the plain re-execution alone."""
        if not self._plain.error and (differs := self._differs(self._plain, recorded=True)):
            self._find(NOTHING, "differs from what was recorded", differs)
        return self._checked([])

    def whole(self, varied: Sequence[Executed]) -> Checked:
        """Go on: ``varied`` are the executions, one for each turn, with all variations at once."""
        if self._plain.error:
            return self._checked([])
        if self._differs(self._plain, recorded=True):
            if not self._hold():
                return self._checked([])
            varied = []
        names = self._conditions()
        guilty = self._vary(names, varied)
        if self._held and not self._findings:
            self._differs_by_itself()
        self._alter()
        if "cached" in self._plan.chosen:
            self._mix(guilty)
        told = {name for finding in self._findings for name in finding.variations}
        return self._checked([name for name in self._tested() if name not in guilty | told])

    def _tested(self) -> list[str]:
        return [name for name in self._plan.chosen if name not in self._untested or name in self._plan.partly]

    def _conditions(self) -> list[str]:
        lines = [self._plan.lines.get((self._subject.name, turn), ()) for turn in range(self._plan.turns)]
        if "others" in self._plan.chosen and not any(lines):
            self._untested["others"] = "no other process could have run before it in its worker"
        return [name for name in self._tested() if name != "cached"]

    def _differs(self, executed: Executed, *, recorded: bool = False) -> Comparison | None:
        """How it differs from the reference, or from what was recorded; ``None`` if it doesn't."""
        reference = self._subject.recorded if recorded else self._reference.result
        found = compare(reference, executed.result)
        self._logs.update(dict.fromkeys(found.logs))
        return found if found else None

    def _find(self, variations: tuple[str, ...], detail: str, differs: Comparison) -> None:
        self._findings.append(Finding(variations, detail, differs))

    def _hold(self) -> bool:
        """Two executions with all held that can be: the reference, if they agree."""
        self._plan.tell(f"{self._subject.name}: differs by itself; once more with clock, entropy and threads held")
        self._held = True
        first, second = self._execute([Way(held=True), Way(held=True)])
        self._reference = first
        if first.error or self._differs(second):
            self._differs_by_itself()
            return False
        return True

    def _differs_by_itself(self) -> None:
        """What was recorded came out differently, and no variation accounts for it."""
        differs = self._differs(self._plain, recorded=True)
        assert differs is not None
        (again,) = self._execute([Way()])
        if compare(self._plain.result, again.result):
            told = "each execution differs, whatever is varied or held: memory addresses, child processes, the network?"
        else:
            told = "executions agree now, and differ from what was recorded: another machine, or something outside?"
        self._find(NOTHING, told, differs)

    def _execute(self, ways: Sequence[Way]) -> list[Executed]:
        return self._bench.execute(self._subject, ways)

    def _way(self, names: Sequence[str], turn: int) -> Way:
        before = self._plan.lines.get((self._subject.name, turn), ()) if "others" in names else ()
        return Way(frozenset(names), self._held, turn, before)

    def _vary(self, names: list[str], varied: Sequence[Executed]) -> set[str]:
        """Find the smallest sets that make a difference; gives the variations that are in one."""
        guilty: set[str] = set()
        for turn in range(self._plan.turns):
            left = [name for name in names if name not in guilty]
            whole = varied[turn] if varied and not guilty else None
            if whole is None and left:
                (whole,) = self._execute([self._way(left, turn)])
            if whole is None or not self._differs(whole):
                continue
            self._plan.tell(f"{self._subject.name}: a difference; looking for the variation that it takes")
            guilty |= self._search(left, turn)
        return guilty

    def _search(self, names: list[str], turn: int) -> set[str]:
        """All smallest sets among ``names``, which together make a difference, by halving."""
        if len(names) == 1:
            return self._found(names, turn)
        halves = [names[: len(names) // 2], names[len(names) // 2 :]]
        executed = self._execute([self._way(half, turn) for half in halves])
        failing = [half for half, one in zip(halves, executed, strict=True) if self._differs(one)]
        if not failing:
            return self._found(smallest(names, lambda some: self._fails(some, turn)), turn)
        return {name for half in failing for name in self._search(half, turn)}

    def _found(self, names: list[str], turn: int) -> set[str]:
        (executed,) = self._execute([self._way(names, turn)])
        differs = self._differs(executed)
        if differs is None:
            # Not the same twice: chance has a part in it.
            return set()
        detail = self._others(names, turn) if "others" in names else ""
        self._find(tuple(names), "only together" if len(names) > 1 else detail, differs)
        return set(names)

    def _fails(self, names: Sequence[str], turn: int) -> bool:
        (executed,) = self._execute([self._way(names, turn)])
        return self._differs(executed) is not None

    def _others(self, names: list[str], turn: int) -> str:
        """Which of the processes that ran before it are needed."""
        line = self._plan.lines[self._subject.name, turn]

        def fails(some: list[str]) -> bool:
            way = Way(frozenset(names), self._held, turn, tuple(some))
            return self._differs(self._execute([way])[0]) is not None

        return "after " + ", ".join(smallest(line, fails))

    def _alter(self) -> None:
        """Arguments that steps alter: a hit would leave them as they are, so such steps are never cached."""
        replay = self._plain.replay
        if replay is None or "cached" not in self._plan.chosen:
            return
        for item in replay.altered:
            told = "the step alters it, which a hit would not; so the step is never cached"
            self._findings.append(Finding(("cached",), told, _NO_COMPARISON, (item,)))

    def _mix(self, guilty: set[str]) -> None:
        """Serve some steps from the cache while others execute."""
        replay = self._reference.replay
        assert replay is not None
        if self._held and guilty & {"clock", "entropy"}:
            # Whoever asks for them after a step that is skipped would get what that step got.
            self._untested["cached"] = "the clock or the system's random bytes make a difference by themselves"
            return
        kept = [path for path, manifest in replay.steps.items() if manifest is not None]
        if len(kept) < len(replay.steps):
            left = [path for path in replay.steps if path not in kept]
            self._untested["cached"] = f"{', '.join(left)} can't be cached"
        sets = mixes(kept)
        if not sets:
            return
        self._plan.tell(f"{self._subject.name}: {len(sets)} mixes of cached and executed steps")
        way = Way(held=self._held, store=self._reference.store)
        for served, executed in zip(sets, self._bench.execute_mixes(self._subject, way, sets), strict=True):
            if self._differs(executed) is not None and self._confirm(sorted(served), way):
                guilty.add("cached")
                return

    def _confirm(self, served: list[str], way: Way) -> bool:
        """Once more, in a worker that has executed nothing else, with as few steps as it takes."""

        def differs(some: Sequence[str]) -> Comparison | None:
            return self._differs(self._execute([way._replace(serve=frozenset(some))])[0])

        if differs(served) is None:
            return False
        fewest = smallest(served, lambda some: differs(some) is not None)
        found = differs(fewest)
        if found is not None:
            self._find(("cached",), f"with {', '.join(fewest)} from the cache", found)
        return found is not None

    def _checked(self, survived: list[str]) -> Checked:
        steps = self._plain.result.steps
        return Checked(
            self._subject,
            self._findings,
            survived,
            self._untested,
            steps,
            list(self._logs),
            self._plan.partly,
            self._plain.error,
        )


_NO_COMPARISON: Final = Comparison({}, {}, [], [], [])
