"""``expops accept``: today's code is declared equivalent to the code that made the last result.

The last result is kept under the key that today's code has as well. Only code may differ: with other inputs, other
parameters or other discovered inputs it would be the result of something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ..cache.acceptance import acceptance, all_accepted, reject, take_over
from ..cache.discovery import Places, Surroundings, Values, names_of
from ..cache.explain import Described, code_differences, code_record, key_of, other_reasons, why_discovered
from ..cache.keys import ActionKey, result_digest
from ..cache.manifest import Manifest
from ..cache.store import Last, ResultCache
from ..errors import UsageError
from ..hashing.code import CodeFingerprint, option_change
from ..runs.ledger import Ledger
from ..runs.model import ActionRecord
from .frames import SeedPath
from .plan import OFF, Planned, Planner
from .project import Project

_VERSION: Final = "@version"
_SEED_BY: Final = "@seed_by"


class Taken(NamedTuple):
    """A result that was taken over: where it counts now, what it is known by, and what it was known by before."""

    path: str
    now: Last
    origin: str
    before: Last
    run: str
    reasons: list[str]


class _Old(NamedTuple):
    """What is remembered of the action that made a result."""

    last: Last
    key: ActionKey
    symbols: Mapping[str, str]
    labels: Mapping[str, str]
    values: Mapping[str, str]
    manifest: Manifest


class Refused(UsageError):
    """More than code differs, or there is nothing to accept."""


class Acceptor:
    """Accepts results of one project; ``seed`` is the root seed of the runs that are to find them."""

    def __init__(self, project: Project, planner: Planner, ledger: Ledger, seed: int) -> None:
        self._project = project
        self._planner = planner
        self._ledger = ledger
        self._seed = seed

    def process(self, name: str, origin: str) -> Taken:
        """Take over the last result of the process ``origin``, called ``name`` now. Raises :class:`Refused`."""
        planned = self._plan(name)
        described, look_up = planned.described, planned.look_up
        assert described is not None
        assert look_up is not None
        last = self._project.cache.last(origin)
        old = self._old(last) if last is not None else None
        if old is None:
            raise Refused(
                f"no result of the process '{origin}' is known that could be accepted; `expops run` makes one"
            )
        _compare(name, described, old)
        now = SeedPath(self._seed, name, streams=described.code.streams)
        then = SeedPath(self._seed, origin, streams=_streams_before(described, old))
        self._compare_discovered(name, old.manifest.discovered, then)
        if described.key == old.key:
            raise Refused(f"'{name}' can't be accepted: its code is the same; it would run because {planned.reason}")
        seeds = {then.identity(): now.identity()}
        return self._take(name, origin, described, old, seeds)

    def step(self, path: str, origin: str) -> list[Taken]:
        """Take over the results of the latest calls of a step, which was called ``origin``. Raises :class:`Refused`."""
        code = self._code(path.partition("/")[0])
        name = path.rpartition("/")[2].partition("#")[0]
        found: list[tuple[ActionRecord, _Old]] = []
        for call in self._calls(origin):
            old = self._old(Last(call.action, call.result))
            if old is None:
                continue
            found.append((call, old))
        if not found:
            told = "`expops show` lists the steps of a run"
            raise Refused(f"no result of a step '{origin}' is known that could be accepted; {told}")
        taken = []
        for call, old in found:
            target = self._target(code, name, old)
            key = old.key._replace(name=target[0], code=target[1].digest)
            if key == old.key or self._has_made(key, old):
                continue
            described = Described(key, target[1], old.labels, old.values)
            _compare(call.path, described, old)
            new_path = _renamed(call.path, path)
            self._compare_files(call.path, old.manifest.discovered)
            taken.append((new_path, call.path, described, old, self._step_seeds(call.path, new_path, described, old)))
        if not taken:
            raise Refused(f"nothing to accept: the last result of '{path}' was made by the code that it has now")
        return [self._take(*item) for item in taken]

    def undo(self, path: str) -> list[str]:
        """Take back what was accepted at a path; gives the paths. Raises :class:`Refused` if there is nothing."""
        found = [item for item in all_accepted(self._project.cache) if covers(path, item.accepted.path)]
        if not found:
            raise Refused(f"nothing is accepted at '{path}'")
        reject(self._project.cache, found)
        return sorted({item.accepted.path for item in found})

    # What there is now

    def _plan(self, name: str) -> Planned:
        plan = self._planner.plan_all({name, *self._project.graph.ancestors([name])})
        planned = plan[name]
        if planned.verdict == "unknown":
            before = next(item for item in plan.values() if item.verdict not in ("hit", "unknown"))
            raise Refused(
                f"what '{name}' takes is not known yet: '{before.name}' would run first ({before.reason}); "
                "run that with --only, or accept it first"
            )
        if planned.verdict == "failed":
            raise Refused(planned.reason)
        if planned.reason == OFF:
            raise Refused(f"nothing to accept: '{name}' runs each time, {OFF}")
        if planned.manifest is not None:
            raise Refused(f"nothing to accept: '{name}' is cached, {planned.reason}")
        return planned

    def _code(self, name: str) -> CodeFingerprint:
        process = next(item for item in self._project.config.processes if item.name == name)
        return self._project.code.fingerprint(process.script, process.function)

    def _target(self, code: CodeFingerprint, name: str, old: _Old) -> tuple[str, CodeFingerprint]:
        """Qualified name and code of the step today."""
        candidates = self._project.code.called(code, name, old.key.name)
        if len(candidates) > 1:
            own = next(iter(old.symbols), "")
            same = [item for item in candidates if next(iter(item[1].symbols), "") == own and item[0] == old.key.name]
            candidates = same or candidates
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            places = ", ".join(next(iter(item.symbols), "") for _, item in candidates)
            raise Refused(
                f"which function is the step '{name}' can't be told from source: {places}; rename one of them"
            )
        raise Refused(
            f"the code of the process has no function '{name}'; for a step that was renamed give its old name "
            "with --from, as in `expops accept train/fit --from train/old_fit`"
        )

    # What there was

    def _old(self, last: Last) -> _Old | None:
        cache = self._project.cache
        parts, manifest = key_of(cache.load("key/" + last.action)), cache.manifest(last)
        if parts is None or manifest is None:
            return None
        key, labels, values = parts
        return _Old(last, key, _symbols(cache, key.code), labels, values, manifest)

    def _calls(self, path: str) -> list[ActionRecord]:
        """The calls of a step in the latest run that has any whose results are kept."""
        for run in reversed(self._ledger.runs()):
            calls = [
                item
                for item in self._ledger.actions(run.run_id)
                if item.kind == "step" and item.result and covers(path, item.path)
            ]
            if calls:
                return calls
        return []

    def _has_made(self, key: ActionKey, old: _Old) -> bool:
        """Whether today's code has given a result of its own for the same inputs already."""
        action = key.digest()
        known = self._project.cache.manifest(Last(action, result_digest(action, old.manifest.discovered)))
        return known is not None and known.accepted is None

    # How they differ

    def _compare_discovered(self, path: str, before: Values, seeds: SeedPath) -> None:
        around = Surroundings(Places(self._project.root, None), self._project.files, seeds.identity)
        reasons = why_discovered(before, around.values(names_of(before)))
        if reasons:
            raise _more_than_code(path, reasons)

    def _compare_files(self, path: str, before: Values) -> None:
        """As far as it can be told outside the process: the run itself looks at the rest."""
        outside = {
            kind: {name: digest for name, digest in found.items() if not name.startswith("work/")}
            for kind, found in before.items()
            if kind != "seed"
        }
        self._compare_discovered(path, outside, SeedPath(self._seed, path.partition("/")[0]))

    def _step_seeds(self, before: str, now: str, described: Described, old: _Old) -> dict[str, str]:
        """The identity of the seed under the old and the new name."""
        drawn = old.manifest.discovered.get("seed", {}).get("")
        if drawn is None:
            return {}
        streams, then = described.code.streams, _streams_before(described, old)
        # The number of the call, or with `seed_by` the fingerprint of the argument.
        calls: list[int | str] = [_number(before), *old.key.inputs.values()]
        for call in calls:
            if _seeds(self._seed, before, call, then).identity() == drawn:
                return {drawn: _seeds(self._seed, now, call, streams).identity()}
        raise _more_than_code(before, ["the random seed changed"])

    def _take(self, path: str, origin: str, described: Described, old: _Old, seeds: Mapping[str, str]) -> Taken:
        cache = self._project.cache
        reasons = [f"renamed from '{origin}'"] if path != origin else []
        reasons += code_differences(described, old.key, cache.load)
        discovered = dict(old.manifest.discovered)
        if "seed" in discovered:
            discovered["seed"] = {label: seeds.get(mark, mark) for label, mark in discovered["seed"].items()}
        earlier = old.manifest.accepted
        if earlier is not None:  # so its run was made by yet other code
            reasons = [*earlier.reasons, *(reason for reason in reasons if reason not in earlier.reasons)]
        made = old.manifest._replace(discovered=discovered)
        now, manifest = take_over(cache, described, old.last, made, acceptance(path, origin, old.last, reasons))
        return Taken(path, now, origin, old.last, manifest.run, reasons)


def covers(asked: str, path: str) -> bool:
    """Whether ``asked`` names the action at ``path``: with its number, or without for all calls."""
    one, other = asked.split("/"), path.split("/")
    return len(one) == len(other) and all(a in (b, b.split("#")[0]) for a, b in zip(one, other, strict=True))


def _renamed(path: str, name: str) -> str:
    """``old/fit#2`` as a call of ``new/train``: ``new/train#2``."""
    parts = zip(name.split("/"), path.split("/"), strict=True)
    return "/".join(new if "#" in new else "#".join([new, *old.split("#")[1:]]) for new, old in parts)


def _number(path: str) -> int:
    return int(path.rpartition("/")[2].partition("#")[2] or 1)


def _streams_before(described: Described, old: _Old) -> dict[str, str]:
    """What the seeds of steps depend on now, with the function under its old name."""
    now, before = (next(iter(symbols), "") for symbols in (described.code.symbols, old.symbols))
    own = (now + _SEED_BY, now + ".")
    streams = described.code.streams.items()
    return dict(sorted((before + name[len(now) :] if name.startswith(own) else name, text) for name, text in streams))


def _seeds(root: int, path: str, call: int | str, streams: Mapping[str, str]) -> SeedPath:
    process, _, inner = path.partition("/")
    above, slash, name = inner.rpartition("/")
    return SeedPath(root, process, f"{above}{slash}{name.partition('#')[0]}", call, streams)


def _symbols(cache: ResultCache, code: str) -> Mapping[str, str]:
    record = code_record(cache.load("code/" + code))
    return record.symbols if record is not None else {}


def _compare(path: str, now: Described, old: _Old) -> None:
    """Refuse if more than code and library versions differs."""
    reasons = [*_versions(now.code.symbols, old.symbols), *other_reasons(now, old.key, old.labels, old.values)]
    if reasons:
        raise _more_than_code(path, reasons)


def _versions(now: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """Versions are there to say that a result is another one; a new function that has one says nothing."""
    roots = [next(iter(symbols), "") + _VERSION for symbols in (before, now)]
    pairs = [(name, name) for name in sorted({*before, *now}) if name.endswith(_VERSION) and name not in roots]
    pairs = [(name, name) for name, _ in pairs if _top(name) in before and _top(name) in now]
    changed = [(was, name) for was, name in [(roots[0], roots[1]), *pairs] if before.get(was) != now.get(name)]
    return [option_change("version", before.get(was, ""), now.get(name, "")) for was, name in changed]


def _top(symbol: str) -> str:
    """The top-level symbol that a nested one is in."""
    file, _, name = symbol.rpartition("::")
    return f"{file}::{name.partition('@')[0].partition('.')[0]}"


def _more_than_code(path: str, reasons: list[str]) -> Refused:
    return Refused(
        f"'{path}' can't be accepted, since more than code differs from the last result: {'; '.join(reasons)}. "
        "A result of other inputs is another result; `expops run` makes it"
    )
