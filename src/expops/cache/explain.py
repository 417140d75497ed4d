"""Why an action runs: the difference between what it was known by last time and now, in words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ..hashing.code import CodeFingerprint, changes, option_change
from ..hashing.code.versions import change
from .discovery import Values, readable
from .keys import ActionKey
from .manifest import Manifest
from .status import ABSENT, ASKED, FOLDER

_FEW: Final = 10
_MAPPINGS: Final = 5  # of a key record: inputs, parameters, closure, labels, values
_SETTINGS: Final = 2  # at its end: version and profile
_LEAVES: Final = 100
_SCALARS: Final = (str, int, float, bool, bytes, type(None))
NEVER_RAN: Final = "never ran before"
UNCHANGED: Final = "nothing changed"
NEW_INPUTS: Final = "never ran before with these inputs"
ELSEWHERE: Final = "what it read when it ran elsewhere has changed"
GONE: Final = "its stored result is gone"
PICKLED: Final = "its stored result is a pickle, and `experiment.cache.codecs` is data-only"
LACKING: Final = "its stored result lacks outputs that its code returns"
FORGOTTEN: Final = "what it last ran with is not known any more"
UNREADABLE: Final = "nothing is known of earlier runs: the cache can't be read"
NOT_TAKEN: Final = "its result was not to be taken from the cache"
SEED_CHANGED: Final = "the random seed changed"
DEFAULT_PROFILE: Final = "fast"
# In place of a result: why there is none.
FAILED: Final = "!failed"
UNKEPT: Final = "!unkept"
ENDED: Final = {FAILED: "it failed last time", UNKEPT: "its last result could not be kept"}
_dumps: Final = json.JSONEncoder(separators=(",", ":")).encode


class Described(NamedTuple):
    """A key with words: how to call each input and parameter, and the code behind the digest.

    ``labels`` maps inputs to the processes that gave them, ``values`` names to short texts of their values; what lies
    in a mapping has an entry of its own, such as ``model.rate``.
    """

    key: ActionKey
    code: CodeFingerprint
    labels: Mapping[str, str]
    values: Mapping[str, str]

    def key_record(self) -> bytes:
        """The parts of the key, to be remembered for the explanation of the next miss."""
        *parts, version, profile = self.key
        return _dumps([*parts, self.labels, self.values, version, profile]).encode()


class CodeRecord(NamedTuple):
    """What is remembered of a code fingerprint: its parts, the contents of its files, the path that it ran at."""

    symbols: dict[str, str]
    libraries: dict[str, str]
    counted: dict[str, str]
    widened: dict[str, str]
    contents: dict[str, str]
    path: str

    @property
    def root(self) -> str:
        """The symbol of the function itself, which is named first."""
        return next(iter(self.symbols), "")

    def pack(self) -> bytes:
        """Its bytes."""
        return _dumps(self).encode()


def why_hit(manifest: Manifest) -> str:
    """Why a result is right to take."""
    accepted = manifest.accepted
    if accepted is None:
        return UNCHANGED
    day = time.strftime("%Y-%m-%d", time.localtime(accepted.when))
    return f"accepted on {day}: {'; '.join(accepted.reasons)} since the run that made it"


def code_record(raw: bytes | None) -> CodeRecord | None:
    """The record in ``raw``; ``None`` for bytes that :meth:`CodeRecord.pack` has not written."""
    fields = _fields(raw)
    if len(fields) != len(CodeRecord._fields):
        return None
    symbols, libraries, counted, widened, contents, path = fields
    if not all(map(_is_texts, (symbols, libraries, counted, widened, contents))) or not isinstance(path, str):
        return None
    return CodeRecord(symbols, libraries, counted, widened, contents, path)


def key_of(raw: bytes | None) -> tuple[ActionKey, dict[str, str], dict[str, str]] | None:
    """Key, labels and values; ``None`` for bytes that :meth:`Described.key_record` has not written."""
    fields = _fields(raw)
    names, mappings, settings = fields[:3], fields[3:8], fields[8:]
    if not all(isinstance(text, str) for text in (*names, *settings)) or not all(map(_is_texts, mappings)):
        return None
    if len(mappings) != _MAPPINGS or len(settings) > _SETTINGS:
        return None
    kind, name, code = names
    inputs, parameters, closure, labels, values = mappings
    return ActionKey(kind, name, code, inputs, parameters, closure, *settings), labels, values


def _fields(raw: bytes | None) -> list[Any]:
    """The fields of a record, which may come from a store that anyone can write to."""
    try:
        found = json.loads(raw) if raw is not None else []
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def why(now: Described, before: str, load: Callable[[str], bytes | None]) -> list[str]:
    """Reasons why the action of digest ``before`` is not the action ``now``; all that are known.

    ``load`` gives a remembered record by name.
    """
    parts = key_of(load("key/" + before))
    if parts is None:
        return [FORGOTTEN]
    old, labels, values = parts
    reasons = code_differences(now, old, load) + other_reasons(now, old, labels, values)
    return reasons or ["its key changed"]


def other_reasons(now: Described, old: ActionKey, labels: Mapping[str, str], values: Mapping[str, str]) -> list[str]:
    """How two keys differ besides their code; ``labels`` and ``values`` are those of ``old``."""
    reasons = [option_change("version", old.version, now.key.version)] if now.key.version != old.version else []
    if now.key.profile != old.profile:
        reasons.append(f"numeric profile {old.profile or DEFAULT_PROFILE} → {now.key.profile or DEFAULT_PROFILE}")
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
    return list(dict.fromkeys(reasons))


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
    "seed": SEED_CHANGED,
}


def code_differences(now: Described, old: ActionKey, load: Callable[[str], bytes | None]) -> list[str]:
    """How the code of two actions differs."""
    if now.key.code == old.code:
        return []
    before = code_record(load("code/" + old.code))
    return code_reasons(now.code, before) if before is not None else ["code changed"]


def code_reasons(now: CodeFingerprint, before: CodeRecord) -> list[str]:
    """Reasons why a code fingerprint is not the one that was remembered."""
    # A fingerprint names the function itself first.
    reasons = changes(before.symbols, now.symbols, root=next(iter(now.symbols), ""))
    reasons += _library_reasons(now, before)
    for file, told in now.widened.items():
        if told != before.widened.get(file):
            reasons.append(f"all of {file} counts now: {told}")
    return reasons or ["code changed"]


def _library_reasons(now: CodeFingerprint, before: CodeRecord) -> list[str]:
    if now.counted == before.counted:
        return []
    names = sorted({*before.libraries, *now.libraries})
    reasons = [
        change(name, was, is_now)
        for name in names
        if (was := before.libraries.get(name)) != (is_now := now.libraries.get(name))
        # Under a looser policy a version may have changed without being a cause.
        and before.counted.get(name) != now.counted.get(name)
    ]
    return reasons or ["the policy for versions of libraries changed"]


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
        else:
            reasons += _inside(what, name, now_values, old_values) or [_differs(what, name, was, is_now)]
    return reasons


def _differs(what: str, name: str, was: str | None, is_now: str | None) -> str:
    return f"{what} {name} {was} → {is_now}" if was and is_now and was != is_now else f"{what} {name} changed"


def _inside(what: str, name: str, now: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    """What differs within a mapping."""
    inner = sorted(key for key in {*now, *old} if key.startswith(name + ".") and now.get(key) != old.get(key))
    reasons = []
    for key in inner:
        was, is_now = old.get(key), now.get(key)
        if was is None or is_now is None:
            reasons.append(f"{what} {key} {'is new: ' if was is None else 'is gone (it was '}{is_now or f'{was})'}")
        else:
            reasons.append(f"{what} {key} {was} → {is_now}")
    return reasons


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """Short texts by name, of what lies within mappings too, for those that have one."""
    found = {}
    for name, value in values.items():
        if text := short(value):
            found[name] = text
        if isinstance(value, dict) and len(value) <= _LEAVES:
            found.update(_leaves(name, value))
    return found


def _leaves(name: str, value: dict[Any, object], depth: int = 4) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if type(key) is not str:
            continue
        inner = f"{name}.{key}"
        if isinstance(item, dict) and item and depth and len(item) <= _LEAVES:
            yield from _leaves(inner, item, depth - 1)
        elif text := short(item):
            yield inner, text


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
