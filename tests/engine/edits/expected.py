"""Which actions have to execute, which have to be hits, and what their reasons have to say."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .oracle import Action

_SYMBOL = re.compile(r"\b(Holder|[csnp]\d+)(?![a-z0-9])")
_CODE = re.compile(r"code of (?:helper )?'([^']*)' in src/(\S+)\.py changed")
_VAGUE = ("its key changed", "code changed")


class Expected:
    """Remembers all actions that were ever recorded, and the last one at each path."""

    def __init__(self) -> None:
        self._needed: dict[str, list[dict[str, object]]] = {}  # what was found, by all else
        self._known: set[str] = set()
        self._again: set[tuple[str, str]] = set()
        self._ran: set[str] = set()
        self._last: dict[str, Action] = {}
        self.trusted = True

    def forget(self) -> None:
        """The cache is empty now."""
        self._needed.clear()
        self._known.clear()
        self._again.clear()
        self._ran.clear()
        self._last.clear()

    def doubt(self) -> None:
        """Some of the cache is lost or damaged: in the next run anything may execute."""
        self.trusted = False

    def check(self, action: Action, outcomes: Mapping[str, str], reasons: Mapping[str, str], readable: str) -> bool:
        """Check an action of the model, with the steps below it, against what a run has made of it.

        ``readable`` stands for all files, variables and the seed, read or not. Tells whether the result was made by an
        execution of the action as it is now, and of its steps: else that may have read more than it would now.
        """
        outcome = outcomes.get(action.path)
        known = action.known
        if self.trusted:
            if known in self._known or (known, readable) in self._again:
                assert outcome == "hit", f"needless: {action.path} was {outcome}: {reasons.get(action.path)}"
            elif not self._may_be_known(action):
                assert outcome == "executed", f"stale: {action.path} was {outcome}, {self._news(action)}"
        assert outcome in ("hit", "executed"), f"{action.path} was {outcome}"
        as_now = known in self._known
        if outcome == "executed":
            if self.trusted:
                self._check_reason(action, reasons[action.path])
            as_now = False not in [self.check(step, outcomes, reasons, readable) for step in action.steps]
            self._ran |= {repr(action.needs["code"]), repr(action.knows["code"]), repr(_before_found(action))}
        self._needed.setdefault(_place(action), []).append(action.needs["found"])
        if as_now:
            self._known.add(known)
        else:
            self._again.add((known, readable))
        self._last[action.path] = action
        return as_now

    def _may_be_known(self, action: Action) -> bool:
        """Whether it was recorded with all that counts. To read less than it did is nothing new: what a partial that is
        handed over holds may come from a variable or stand there, and is the same value.
        """
        now = action.needs["found"].items()
        return any(now <= found.items() for found in self._needed.get(_place(action), ()))

    def trust(self) -> None:
        """After a run all that it went through is in the cache again."""
        self.trusted = True

    def _news(self, action: Action) -> str:
        last = self._last.get(action.path)
        if last is None:
            return "which has never run"
        return f"although this is new: {differing(last.needs, action.needs)}"

    def _check_first(self, action: Action, reason: str, told: str) -> None:
        """It is the first time at its place; the same code may have run at another one."""
        is_step = "/" in action.path
        if reason == "never ran before":
            assert not (is_step and repr(action.knows["code"]) in self._ran), told
        elif reason == "never ran before with these inputs":
            assert is_step, told
            assert repr(action.needs["code"]) in self._ran, told
        else:
            assert reason == "what it read when it ran elsewhere has changed", told
            assert repr(_before_found(action)) in self._ran, told

    def _check_reason(self, action: Action, reason: str) -> None:
        last = self._last.get(action.path)
        told = f"{action.path}: {reason!r}"
        if last is None:
            self._check_first(action, reason, told)
            return
        assert reason, told
        assert not any(part in _VAGUE for part in reason.split("; ")), f"vague: {told}"
        news = differing(last.needs, action.needs)
        maybe = differing(last.knows, action.knows)
        for name in news.get("inputs", ()):
            assert re.search(rf"input '?{name}\b", reason), f"input {name} is not named: {told}"
        for name in news.get("parameters", ()):
            if name in last.knows["given"] or name in action.knows["given"]:
                assert f"parameter {name} " in reason, f"parameter {name} is not named: {told}"
        for name in news.get("closure", ()):
            assert f"enclosed variable {name} " in reason, f"variable {name} is not named: {told}"
        if news.get("code"):
            assert "code" in reason, f"code of {news['code']} is not named: {told}"
        blamed = {
            name
            for text, file in _CODE.findall(reason)
            for name in _SYMBOL.findall(text)[-1:]
            if _defines(action, file.replace("/", "."), name)
        }
        changed = set(maybe.get("code", ())) | set(news.get("code", ()))
        if not changed & {"modules", "everything"}:
            assert blamed <= changed, f"blames {blamed - changed}: {told}"
        if {"f", "h"} & action.needs["inputs"].keys():
            return  # what was read at import may be part of what was handed over
        if not any(news.get(kind) or maybe.get(kind) for kind in ("inputs", "parameters", "closure", "code", "given")):
            for name in news.get("found", ()):
                _check_found(name, told)


def _before_found(action: Action) -> dict[str, object]:
    """What can be known of an action before it executes."""
    return {kind: parts for kind, parts in action.needs.items() if kind != "found"}


def _place(action: Action) -> str:
    """That, and of a process its name as well: steps are the same ones wherever they are called."""
    return repr(["" if "/" in action.path else action.path, _before_found(action)])


def _defines(action: Action, module: str, name: str) -> bool:
    """Whether the module defines the name, and not only imports it."""
    return str(action.knows["code"].get(name, "")).startswith(f"# {module}\n") or name.startswith("n")


def _check_found(name: str, told: str) -> None:
    kind, _, what = name.partition(" ")
    said = {"file": f"file {what}", "folder": f"folder {what}", "seed": "random seed"}
    wanted = said.get(kind, f"environment variable {what.partition(' ')[0]}")
    assert wanted in told, f"{wanted} is not named: {told}"


def differing(old: Mapping[str, Mapping[str, object]], new: Mapping[str, Mapping[str, object]]) -> dict[str, list[str]]:
    """Names, by kind, under which two mappings differ."""
    found = {}
    for kind in [*old, *(kind for kind in new if kind not in old)]:
        mine, theirs = old.get(kind, {}), new.get(kind, {})
        # What is read now and wasn't before, or the other way round, is no news by itself.
        names = [name for name in mine if name in theirs] if kind == "found" else {**mine, **theirs}
        unequal = [name for name in names if mine.get(name, "absent") != theirs.get(name, "absent")]
        if unequal:
            found[kind] = unequal
    return found
