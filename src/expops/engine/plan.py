"""What a run would do: for each process whose inputs are known, a hit or a miss with its reasons.

Nothing of the user's is imported and no output is loaded: code comes from source, inputs from upstream manifests.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from ..cache.discovery import Places, Surroundings
from ..cache.explain import Described, short
from ..cache.files import FileDigests
from ..cache.keys import ActionKey
from ..cache.manifest import Manifest
from ..cache.store import LookUp, ResultCache
from ..errors import ProcessError
from ..hashing.code import CodeFingerprint, ProjectCode
from ..hashing.values import fingerprint
from ..pipeline.binding import Binding, Takes, bind, takes
from ..pipeline.config import Config, ProcessConfig
from ..pipeline.graph import Graph
from .frames import SeedPath


class Planned(NamedTuple):
    """What is known of a process before it runs.

    ``verdict`` is "hit", "miss", "unknown" (an upstream process has to run first) or "failed" (its arguments can't be
    bound; the reason says why). The other fields are set for hits and misses.
    """

    name: str
    verdict: str
    reason: str
    described: Described | None = None
    look_up: LookUp | None = None
    binding: Binding | None = None

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of a hit."""
        return self.look_up.manifest if self.look_up is not None and self.verdict == "hit" else None


class Planner:
    """Plans process by process, as the manifests of upstream processes become known."""

    def __init__(
        self,
        config: Config,
        graph: Graph,
        code: ProjectCode,
        cache: ResultCache,
        files: FileDigests,
        project: str,
        seed: int,
        forced: Collection[str] = (),
    ) -> None:
        self._processes = {process.name: process for process in config.processes}
        self._parameters = config.parameters
        self._graph = graph
        self._code = code
        self._cache = cache
        self._files = files
        self._places = Places(project, None)
        self._seed = seed
        self._forced = frozenset(path.split("/")[0] for path in forced)
        self._functions: dict[tuple[str, str], tuple[CodeFingerprint, Takes]] = {}

    def plan_all(self, names: Collection[str]) -> dict[str, Planned]:
        """A plan for all of ``names``, in topological order; "unknown" below whatever must run."""
        self._cache.prefetch(names)
        with self._files.snapshot():
            return self._plan_all(names)

    def _plan_all(self, names: Collection[str]) -> dict[str, Planned]:
        plan: dict[str, Planned] = {}
        for generation in self._graph.generations():
            for name in generation:
                if name in names:
                    plan[name] = self._plan_known(name, plan)
        return plan

    def _plan_known(self, name: str, plan: Mapping[str, Planned]) -> Planned:
        upstream = {}
        for source in self._graph.upstream(name):
            manifest = plan[source].manifest
            if manifest is None:
                return Planned(name, "unknown", f"waits for '{source}'")
            upstream[source] = manifest
        return self.plan(name, upstream)

    def plan(self, name: str, upstream: Mapping[str, Manifest]) -> Planned:
        """The plan of one process whose upstream manifests are all known."""
        process = self._processes[name]
        code, signature = self._function(process)
        outputs = {source: manifest.outputs for source, manifest in upstream.items()}
        try:
            binding = bind(process, signature, outputs, self._parameters)
        except ProcessError as fault:
            return Planned(name, "failed", str(fault))
        inputs = {
            argument: outputs[source][output].fingerprint for argument, (source, output) in binding.outputs.items()
        }
        parameters = {argument: fingerprint(value) for argument, value in binding.parameters.items()}
        key = ActionKey("process", name, code.digest, inputs, parameters, {})
        labels = {argument: source for argument, (source, _) in binding.outputs.items()}
        texts = {argument: text for argument, value in binding.parameters.items() if (text := short(value))}
        described = Described(key, code, labels, texts)
        around = Surroundings(self._places, self._files, SeedPath(self._seed, name).identity)
        look_up = self._cache.look_up(name, key.digest(), around)
        if not process.cache:
            return Planned(name, "miss", "caching is off for it", described, look_up, binding)
        if name in self._forced:
            return Planned(name, "miss", "forced", described, look_up, binding)
        if look_up.manifest is not None:
            return Planned(name, "hit", "nothing changed", described, look_up, binding)
        reasons = self._cache.reasons(described, look_up, around)
        return Planned(name, "miss", "; ".join(reasons), described, look_up, binding)

    def _function(self, process: ProcessConfig) -> tuple[CodeFingerprint, Takes]:
        where = (process.script, process.function)
        if where not in self._functions:
            facts = self._code.functions(process.script)[process.function]
            self._functions[where] = (self._code.fingerprint(*where), takes(facts))
        return self._functions[where]

    def files(self) -> dict[str, str]:
        """Digests of the Python files that the planned code reaches."""
        names = {file for code, _ in self._functions.values() for file in code.files if file.endswith(".py")}
        return {file: self._code.content(file) for file in names}

    def libraries(self) -> dict[str, str]:
        """Versions of all libraries that the planned code reaches."""
        found: dict[str, str] = {}
        for code, _ in self._functions.values():
            found.update(code.libraries)
        return dict(sorted(found.items()))
