"""Earlier spellings of the configuration, turned into the canonical form before anything is checked.

Nodes keep the line and path under which they were written, so that messages speak of what the author wrote.
Two spellings of one thing are an error that names both lines.
"""

from __future__ import annotations

from typing import Final

from .rules import Report
from .store_spellings import normalise_cache
from .yaml_nodes import Node

_MOVES: Final = (
    ("experiment.parameters.cache", "experiment.cache"),
    ("experiment.parameters.pipeline", "experiment.pipeline"),
    ("reproducibility.seed", "reproducibility.random_seed"),
    ("data.path", "data.paths"),
)
_PROCESS_MOVES: Final = (("hyperparameters", "parameters"),)
# What ``model`` and ``experiment`` may both hold, as long as the keys in it differ.
_MERGED: Final = frozenset({"experiment", "parameters"})


def normalise(root: Node, report: Report) -> None:
    """Rewrite ``root`` in place into the canonical form."""
    _data(root)
    move(root, "model", "experiment", report, merge=_MERGED)
    for source, target in _MOVES:
        move(root, source, target, report)
    _data_paths(root)
    _environment(root)
    experiment = child(root, "experiment")
    normalise_cache(child(experiment, "cache"), report)
    processes = child(child(experiment, "pipeline"), "processes")
    if processes is not None and isinstance(processes.value, list):
        for process in processes.value:
            for source, target in _PROCESS_MOVES:
                move(process, source, target, report)
            _code(process, report)


def child(node: Node | None, key: str) -> Node | None:
    """The entry ``key`` of a mapping, or ``None``."""
    if node is None or not isinstance(node.value, dict):
        return None
    return node.value.get(key)


def move(root: Node, source: str, target: str, report: Report, merge: frozenset[str] = frozenset()) -> None:
    """Move the entry at the dotted path ``source`` to ``target``, if there is one."""
    *above, key = source.split(".")
    holder: Node | None = root
    for name in above:
        holder = child(holder, name)
    if holder is None or not isinstance(holder.value, dict) or key not in holder.value:
        return
    *into, new = target.split(".")
    place: Node | None = root
    for name in into:
        place = child(place, name)
    if place is not None and isinstance(place.value, dict):
        give(place, new, holder.value.pop(key), report, merge)


def give(place: Node, key: str, node: Node, report: Report, merge: frozenset[str] = frozenset()) -> None:
    """Put ``node`` under ``key``; two mappings under a key in ``merge`` become one, else two are an error."""
    assert isinstance(place.value, dict)
    there = place.value.get(key)
    if there is None:
        place.value[key] = node
    elif key in merge and isinstance(there.value, dict) and isinstance(node.value, dict):
        for inner, value in node.value.items():
            give(there, inner, value, report, merge)
    else:
        both(there, node, report)


def both(one: Node, other: Node, report: Report) -> None:
    """Report two spellings of one thing, at the later of the two."""
    first, second = sorted((one, other), key=lambda node: node.line)
    report.at(second, f"line {first.line} says the same thing as '{first.path}'; keep one of the two")


def _data(root: Node) -> None:
    """``data: x`` and ``data: [x, y]`` are ``data: {paths: ...}``."""
    data = child(root, "data")
    if data is not None and isinstance(data.value, str | list):
        inner = Node(data.value, data.line, root, "data")
        inner.raw = data.raw
        data.value = {"paths": inner}


def _data_paths(root: Node) -> None:
    """One path is a list of one."""
    paths = child(child(root, "data"), "paths")
    if paths is not None and isinstance(paths.value, str):
        inner = Node(paths.value, paths.line, paths.parent, paths.key)
        inner.raw = paths.raw
        paths.value = [inner]


def _environment(root: Node) -> None:
    """``environment: {type: venv, python_version: "3.9"}`` is one environment without a name."""
    environment = child(root, "environment")
    kind = child(environment, "type")
    if environment is not None and kind is not None and isinstance(kind.value, str):
        environment.value = {"default": Node(environment.value, environment.line, root, "environment")}


def _code(process: Node, report: Report) -> None:
    """``script`` and ``code_function`` are the two parts of ``code``."""
    if not isinstance(process.value, dict):
        return
    function = process.value.pop("code_function", None)
    script = process.value.pop("script", None)
    code = process.value.get("code")
    for part in (function, script):
        if part is not None and code is not None:
            both(code, part, report)
        elif part is not None and not (isinstance(part.value, str) and part.value):
            report.mistyped(part, "a name")
            function = script = None
    if code is not None or (function is None and script is None):
        return
    name = process.value.get("name")
    called = function or name
    if called is None or not isinstance(called.value, str):
        return
    written = function or script
    assert written is not None
    text = f"{script.value}.{called.value}" if script is not None else called.value
    process.value["code"] = Node(text, written.line, process, written.key)
