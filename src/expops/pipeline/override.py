"""``--set process.parameter=value``: a configuration with some parameters replaced."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError, UnknownName, UsageError
from .config import Config, ProcessConfig
from .nearest import advice


def override(config: Config, settings: Sequence[str]) -> Config:
    """``config`` with each of ``settings`` applied in turn; ``config`` itself stays as it is.

    The value is read as YAML: ``0.1``, ``true``, ``[1, 2]``, ``{depth: 3}``, ``text``. Further dots reach
    into a parameter that is a mapping; a parameter that the configuration lacks is added. Raises
    :class:`UnknownName` for a process that does not exist and :class:`UsageError` for a setting that can't be
    read.
    """
    processes = {process.name: process for process in config.processes}
    for setting in settings:
        target, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: has no '='; write --set process.parameter=value")
        process, keys = _target(setting, target, processes)
        value = _value(setting, text)
        processes[process.name] = process._replace(parameters=_replaced(setting, process.parameters, keys, value))
    return config._replace(processes=tuple(processes.values()))


def _target(setting: str, target: str, processes: dict[str, ProcessConfig]) -> tuple[ProcessConfig, list[str]]:
    """The process and the path into its parameters; the longest name that fits is the process."""
    parts = target.split(".")
    for count in range(len(parts) - 1, 0, -1):
        process = processes.get(".".join(parts[:count]))
        if process is not None and all(parts[count:]):
            return process, parts[count:]
    if len(parts) < 2 or not all(parts):
        raise UsageError(f"--set {setting}: names no parameter; write --set process.parameter=value")
    told = advice(parts[0], processes, "the processes are")
    raise UnknownName(f"--set {setting}: no process is called '{parts[0]}'; {told}")


def _value(setting: str, text: str) -> object:
    from .yaml_nodes import parse  # with yaml behind it, for runs that set something

    node, problems = parse(text.encode("utf-8", "surrogateescape"), f"--set {setting}")
    if problems:
        raise ConfigError([problem._replace(line=0) for problem in problems])
    return None if node is None else node.plain()


def _replaced(setting: str, parameters: dict[str, object], keys: list[str], value: object) -> dict[str, object]:
    key, *deeper = keys
    whole = ".".join(keys)
    if not deeper or whole in parameters:
        return {**parameters, whole: value}
    inner = parameters.get(key, {})
    if not isinstance(inner, dict):
        raise UsageError(f"--set {setting}: '{key}' is no mapping but {inner!r}, so nothing in it can be set")
    return {**parameters, key: _replaced(setting, inner, deeper, value)}
