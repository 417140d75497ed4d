"""From the nodes of a valid document to a draft: the configuration as JSON data, files not looked at yet."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, TypedDict

from ..hashing.code.versions import POLICIES
from .adjlist import read_rows
from .config import CODECS, DEFAULT_SEED, PROFILES, SHARING
from .graph import find_cycle
from .nearest import advice
from .rules import Report, check
from .schema import ROOT, places
from .signing_setting import read_signing
from .spellings import child, normalise
from .stores import KV_ALIASES, KV_KINDS, OBJECT_ALIASES, OBJECT_KINDS, read_store
from .yaml_nodes import Node, parse

_BAD_IN_NAME: Final = re.compile("/|[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^\\s|\\s$")
_SLASH: Final = "a '/' sets a step apart from its process, so use another character"


class ProcessDraft(TypedDict):
    """A process; ``script`` is still a key."""

    name: str
    line: int
    script: str
    function: str
    parameters: dict[str, object]
    description: str
    environment: str
    cache: bool
    version: str
    ignore: list[str]
    tolerance: dict[str, float]


class Draft(TypedDict):
    """A whole configuration as JSON data; files stand with the line and key that name them."""

    name: str
    description: str
    version: str
    scripts: dict[str, tuple[str, int, str]]
    seed: int | None
    profile: str
    data: list[tuple[str, int, str]]
    parameters: dict[str, object]
    processes: list[ProcessDraft]
    edges: list[tuple[str, str]]
    kv: tuple[str, dict[str, object]]
    objects: tuple[str, dict[str, object]]
    libraries: str
    require_stable: bool
    mode: str
    codecs: str
    signing: tuple[str, str, int]
    jobs: int | None
    environment: dict[str, object]
    reporting: dict[str, object]


def draft(data: bytes, file: str) -> tuple[Draft | None, Report]:
    """All that ``data`` says, and every problem with it; ``None`` if nothing in it can be read."""
    report = Report(file, places())
    root, problems = parse(data, file)
    report.problems.extend(problems)
    if root is None or root.value is None:
        if not problems:
            report.line(0, "", "empty; describe the project, its scripts and its experiment")
        return None, report
    if not isinstance(root.value, dict):
        report.mistyped(root, f"a mapping of {', '.join(ROOT.fields)}")
        return None, report
    normalise(root, report)
    clean = check(root, ROOT, report)
    assert clean is not None
    return _Builder(clean, report).draft(), report


class _Builder:
    """Reads a checked document; what is missing or was wrong takes its default."""

    def __init__(self, root: Node, report: Report) -> None:
        self._root = root
        self._report = report
        self._faulty = {problem.line for problem in report.problems}

    def draft(self) -> Draft:
        """The draft. Reports what only the whole can tell: unknown names, duplicates, cycles."""
        scripts = self._files(self._at("scripts"))
        environment = self._mapping("environment")
        self._environments(environment)
        processes = self._processes(scripts, environment)
        cache = self._at("experiment.cache")
        store = child(cache, "object_store")
        objects = read_store(store, OBJECT_KINDS, OBJECT_ALIASES, "folder", self._report)
        # With nothing but a bucket, the bucket holds the records too, or they would not be shared.
        default = "sqlite" if objects.type == "folder" else "bucket"
        kv = read_store(child(cache, "backend"), KV_KINDS, KV_ALIASES, default, self._report)
        if kv.type == "bucket" and store is None and cache is not None:
            self._report.at(cache, "backend 'bucket' keeps records where the object store is; add that: object_store")
        mode = self._at("experiment.cache.mode")
        if mode is not None and mode.value == SHARING[1] and objects.type == "folder" and kv.type != "bucket":
            self._report.at(mode, "only a cache in a bucket can be read-only; use `expops run --cache read`")
        signing = self._at("experiment.cache.signing")
        if signing is not None and objects.type == "folder" and kv.type in ("sqlite", "memory"):
            self._report.at(signing, "only records that others can write to are signed, and this cache is not shared")
        version = self._at("metadata.version")
        seed = self._value("reproducibility.random_seed", DEFAULT_SEED)
        jobs = self._value("execution.jobs", None)
        assert seed is None or isinstance(seed, int)
        assert jobs is None or isinstance(jobs, int)
        return Draft(
            name=str(self._value("metadata.name", "")),
            description=str(self._value("metadata.description", "")),
            version=version.raw if version is not None else "",
            scripts=scripts,
            seed=seed,
            profile=str(self._value("reproducibility.profile", PROFILES[0])),
            data=self._data(),
            parameters=self._mapping("experiment.parameters"),
            processes=list(processes.values()),
            edges=self._edges(processes),
            kv=(kv.type, kv.options),
            objects=(objects.type, objects.options),
            libraries=str(self._value("experiment.cache.libraries", POLICIES[0])),
            require_stable=bool(self._value("experiment.cache.require_stable", False)),
            mode=str(self._value("experiment.cache.mode", SHARING[0])),
            codecs=str(self._value("experiment.cache.codecs", CODECS[0])),
            signing=read_signing(signing, self._report),
            jobs=jobs,
            environment=environment,
            reporting=self._mapping("reporting"),
        )

    def _at(self, path: str) -> Node | None:
        node: Node | None = self._root
        for key in path.split("."):
            node = child(node, key)
        return node

    def _value(self, path: str, default: object) -> object:
        node = self._at(path)
        return default if node is None else node.plain()

    def _mapping(self, path: str) -> dict[str, object]:
        value = self._value(path, None)
        return value if isinstance(value, dict) else {}

    def _files(self, node: Node | None) -> dict[str, tuple[str, int, str]]:
        if node is None or not isinstance(node.value, dict):
            return {}
        return {key: (str(one.value), one.line, one.path) for key, one in node.value.items()}

    def _data(self) -> list[tuple[str, int, str]]:
        node = self._at("data.paths")
        if node is None or not isinstance(node.value, list):
            return []
        return [(str(one.value), one.line, one.path) for one in node.value]

    def _environments(self, environment: dict[str, object]) -> None:
        node = self._at("environment")
        for name, value in environment.items():
            entry = child(node, name)
            if entry is not None and not isinstance(value, dict | list | str):
                self._report.mistyped(entry, "settings, such as {venv: [requirements.txt]}")

    def _processes(
        self, scripts: dict[str, tuple[str, int, str]], environment: dict[str, object]
    ) -> dict[str, ProcessDraft]:
        processes: dict[str, ProcessDraft] = {}
        listed = self._at("experiment.pipeline.processes")
        if listed is None or not listed.value or not isinstance(listed.value, list):
            self._no_processes(listed)
            return processes
        if not scripts and not self._reported("scripts"):
            where = self._at("scripts")
            mend = "missing; name the files that hold the code: scripts: {main: src/main.py}"
            self._report.line(where.line if where is not None else 0, "scripts", mend)
        for node in listed.value:
            process = self._process(node, scripts, environment)
            if process is None:
                continue
            first = processes.setdefault(process["name"], process)
            if first is not process:
                message = f"duplicate process '{process['name']}'; it is defined on line {first['line']} already"
                self._report.at(child(node, "name") or node, message)
        return processes

    def _no_processes(self, listed: Node | None) -> None:
        """Report that there is no process, unless that follows from something reported already."""
        if self._reported(listed.path) if listed is not None else self._reported("pipeline", "processes"):
            return
        line = listed.line if listed is not None else 0
        self._report.line(line, "experiment.pipeline.processes", "no process; list at least one: - name: train")

    def _reported(self, *paths: str) -> bool:
        return any(path in problem.key for problem in self._report.problems for path in paths)

    def _process(
        self, node: Node, scripts: dict[str, tuple[str, int, str]], environment: dict[str, object]
    ) -> ProcessDraft | None:
        entries = node.value
        assert isinstance(entries, dict)
        if "name" not in entries:
            if node.line not in self._faulty:
                self._report.at(node, "has no name; add one: name: train")
            return None
        name = str(entries["name"].value)
        bad = _BAD_IN_NAME.search(name)
        if bad is not None:
            mend = _SLASH if bad.group() == "/" else "remove the blank at its end or the control character"
            self._report.at(entries["name"], f"{name!r} can't be the name of a process; {mend}")
        script, function = self._code(entries.get("code"), name, scripts)
        used = entries.get("environment")
        if used is not None and used.value not in environment:
            told = advice(str(used.value), environment, "defined under 'environment'")
            self._report.at(used, f"no environment is called '{used.value}'; {told}")
        parameters = entries["parameters"].plain() if "parameters" in entries else {}
        tolerance = entries["tolerance"].plain() if "tolerance" in entries else {}
        return ProcessDraft(
            name=name,
            line=node.line,
            script=script,
            function=function,
            parameters=parameters if isinstance(parameters, dict) else {},
            description=str(entries["description"].value) if "description" in entries else "",
            environment=str(used.value) if used is not None else next(iter(environment), ""),
            cache=bool(entries["cache"].value) if "cache" in entries else True,
            version=entries["version"].raw if "version" in entries else "",
            ignore=_names(entries.get("ignore")),
            tolerance=tolerance if isinstance(tolerance, dict) else {},
        )

    def _code(self, code: Node | None, name: str, scripts: dict[str, tuple[str, int, str]]) -> tuple[str, str]:
        default = next(iter(scripts), "")
        if code is None:
            return default, name
        script, dot, function = str(code.value).rpartition(".")
        if not dot:
            return default, function
        if script not in scripts:
            self._report.at(code, f"no script is called '{script}'; {advice(script, scripts, 'known scripts')}")
        elif not function:
            self._report.at(code, f"names no function; write 'code: {script}.function'")
        return script, function

    def _edges(self, processes: dict[str, ProcessDraft]) -> list[tuple[str, str]]:
        node = self._at("experiment.pipeline.process_adjlist")
        lines: dict[tuple[str, str], int] = {}
        key = node.path if node is not None else ""
        for line, names in read_rows(node, self._report):
            unknown = [name for name in dict.fromkeys(names) if name not in processes]
            for name in unknown:
                told = advice(name, processes, "defined are")
                self._report.line(line, key, f"no process is called '{name}'; {told}")
            known = [name for name in names if name in processes]
            if names[0] in processes:
                for name in known[1:]:
                    lines.setdefault((names[0], name), line)
        cycle = find_cycle(list(processes), lines)
        if cycle is not None:
            line = max(lines[edge] for edge in pairwise(cycle))
            mend = "remove one of its edges" if len(cycle) > 2 else "a process can't be upstream of itself"
            self._report.line(line, key, f"cycle: {' -> '.join(cycle)}; {mend}")
        return list(lines)


def _names(node: Node | None) -> list[str]:
    listed = node.plain() if node is not None else None
    return sorted({str(name) for name in listed}) if isinstance(listed, list) else []
