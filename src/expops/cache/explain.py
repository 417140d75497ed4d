"""Why an action runs: the difference between what it was known by last time and now, in words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from ..hashing.code import CodeFingerprint, changes, option_change
from .discovery import Values, readable
from .keys import ActionKey
from .manifest import Manifest
from .status import ABSENT, ASKED, FOLDER

_FEW: Final = 10
_SCALARS: Final = (str, int, float, bool, bytes, type(None))
NEVER_RAN: Final = "never ran before"
UNCHANGED: Final = "nothing changed"
_dumps: Final = json.JSONEncoder(separators=(",", ":")).encode


class Described(NamedTuple):
    """A key with words: how to call each input and parameter, and the code behind the digest."""

    key: ActionKey
    code: CodeFingerprint
    labels: Mapping[str, str]
    values: Mapping[str, str]

    def key_record(self) -> bytes:
        """The parts of the key, to be remembered for the explanation of the next miss."""
        *parts, version = self.key
        return _dumps([*parts, self.labels, self.values, version]).encode()

    def code_record(self) -> bytes:
        """The parts of the code fingerprint, for the same end."""
        return _dumps([self.code.symbols, self.code.libraries, self.code.widened]).encode()


def key_of(parts: list[Any]) -> tuple[ActionKey, dict[str, str], dict[str, str]]:
    """The key, labels and values in a record that :meth:`Described.key_record` made."""
    kind, name, code, inputs, parameters, closure, labels, values, *version = parts
    return ActionKey(kind, name, code, inputs, parameters, closure, *version), labels, values


def why_hit(manifest: Manifest) -> str:
    """Why a result is right to take."""
    accepted = manifest.accepted
    if accepted is None:
        return UNCHANGED
    day = time.strftime("%Y-%m-%d", time.localtime(accepted.when))
    return f"accepted on {day}: {'; '.join(accepted.reasons)} since the run that made it"


def why(now: Described, before: str | None, load: Callable[[str], bytes | None]) -> list[str]:
    """Reasons why the action of digest ``before`` is not the action ``now``; all that are known.

    ``load`` gives a remembered record by name.
    """
    raw = load("key/" + before) if before else None
    if raw is None:
        return [NEVER_RAN]
    old, labels, values = key_of(json.loads(raw))
    reasons = code_reasons(now, old, load) + other_reasons(now, old, labels, values)
    return reasons or ["its key changed"]


def other_reasons(now: Described, old: ActionKey, labels: Mapping[str, str], values: Mapping[str, str]) -> list[str]:
    """How two keys differ besides their code; ``labels`` and ``values`` are those of ``old``."""
    reasons = [option_change("version", old.version, now.key.version)] if now.key.version != old.version else []
    reasons += _changed("parameter", now.key.parameters, old.parameters, now.values, values)
    reasons += _input_reasons(now, old, labels, values)
    return reasons + _changed("enclosed variable", now.key.closure, old.closure, now.values, values)


def why_discovered(before: Values, now: Values) -> list[str]:
    """Reasons why an action with the same key as before has another result: what it read besides has changed."""
    reasons = []
    for kind, found in before.items():
        for name, digest in found.items():
            if now.get(kind, {}).get(name) != digest:
                reasons.append(_discovered(kind, name, digest, now.get(kind, {}).get(name)))
    return reasons


def _discovered(kind: str, name: str, was: str, is_now: str | None) -> str:
    if kind in _PATHS and ABSENT in (was, is_now):
        noun = "folder" if kind == "folder" or FOLDER in (was, is_now) else "file"
        return f"{noun} {readable(name)} {'appeared' if was == ABSENT else 'is gone'}"
    return _DISCOVERED[kind].format(readable(name))


_PATHS: Final = ("file", "folder", *ASKED)
_DISCOVERED = {
    "file": "file {} changed",
    "folder": "folder {} has other files",
    "type": "{} is a file now, or a folder, and was none",
    "size": "size of file {} changed",
    "link": "link {} leads elsewhere, or is none any more",
    "variable": "environment variable {} changed",
    "seed": "the random seed changed",
}


def code_reasons(now: Described, old: ActionKey, load: Callable[[str], bytes | None]) -> list[str]:
    """How the code of two actions differs."""
    if now.key.code == old.code:
        return []
    raw = load("code/" + old.code)
    if raw is None:
        return ["code changed"]
    symbols, libraries, _ = json.loads(raw)
    # A fingerprint names the function itself first.
    reasons = changes(symbols, now.code.symbols, root=next(iter(now.code.symbols), ""))
    for library in sorted({*libraries, *now.code.libraries}):
        was, is_now = libraries.get(library), now.code.libraries.get(library)
        if was != is_now:
            reasons.append(f"library {library} {was or 'not used'} → {is_now or 'not used'}")
    return reasons or ["code changed"]


def _input_reasons(now: Described, old: ActionKey, labels: Mapping[str, str], values: Mapping[str, str]) -> list[str]:
    reasons = []
    for name in sorted({*now.key.inputs, *old.inputs}):
        if now.key.inputs.get(name) == old.inputs.get(name):
            continue
        label = now.labels.get(name) or labels.get(name)
        if name not in old.inputs or name not in now.key.inputs:
            change = "is new" if name not in old.inputs else "is no longer taken"
            reasons.append(f"input '{name}' {change}")
        elif label:
            reasons.append(f"input '{name}' from process '{label}' changed")
        else:
            reasons += _changed("input", {name: now.key.inputs[name]}, {name: old.inputs[name]}, now.values, values)
    return reasons


def _changed(
    what: str,
    now: Mapping[str, str],
    old: Mapping[str, str],
    now_values: Mapping[str, str],
    old_values: Mapping[str, str],
) -> list[str]:
    reasons = []
    for name in sorted({*now, *old}):
        if now.get(name) == old.get(name):
            continue
        was, is_now = old_values.get(name), now_values.get(name)
        if name not in old:
            reasons.append(f"{what} {name} is new" + (f": {is_now}" if is_now else ""))
        elif name not in now:
            reasons.append(f"{what} {name} is gone" + (f" (it was {was})" if was else ""))
        elif was and is_now and was != is_now:
            reasons.append(f"{what} {name} {was} → {is_now}")
        else:
            reasons.append(f"{what} {name} changed")
    return reasons


def short(value: object, limit: int = 60) -> str:
    """A value in a few characters for a reason, or ``""`` if it has no short text of its own."""
    if not isinstance(value, _SCALARS) and not _is_small(value):
        return ""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _is_small(value: object) -> bool:
    if not isinstance(value, list | tuple | dict | set) or len(value) > _FEW:
        return False
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    # Anything else may have a text that is long in the making.
    return all(isinstance(part, _SCALARS) for part in parts)
