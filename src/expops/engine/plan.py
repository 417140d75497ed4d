"""What a run would do: for each process whose inputs are known, a hit or a miss with its reasons.

Nothing of the user's is imported and no output is loaded: code comes from source, inputs from upstream manifests.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from ..cache.discovery import Places, Surroundings
from ..cache.explain import DEFAULT_PROFILE, LACKING, NEVER_RAN, Described, texts, why_hit
from ..cache.files import FileDigests
from ..cache.keys import ActionKey
from ..cache.leases import lease_key
from ..cache.manifest import Manifest
from ..cache.store import LookUp, ResultCache
from ..errors import ProcessError
from ..hashing.code import CodeFingerprint, ProjectCode
from ..hashing.values import fingerprint
from ..pipeline.binding import Binding, Takes, bind, takes, without
from ..pipeline.caching import DEFAULT, Caching, of_source
from ..pipeline.config import Config, ProcessConfig
from ..pipeline.graph import Graph
from .frames import SeedPath
from .reasons import reasons_of

OFF: Final = "caching is off for it"


class Planned(NamedTuple):
    """What is known of a process before it runs.

    ``verdict`` is "hit", "miss", "unknown" (an upstream process has to run first) or "failed" (its arguments can't be
    bound; the reason says why). ``reasons`` are all causes that are known. The other fields are set for hits and
    misses; ``caching`` is what the source of its function says, and a result of what is
    ``unstable`` is not to be kept.
    """

    name: str
    verdict: str
    reasons: tuple[str, ...]
    described: Described | None = None
    look_up: LookUp | None = None
    binding: Binding | None = None
    caching: Caching = DEFAULT
    unstable: bool = False

    @property
    def reason(self) -> str:
        """All reasons in one line."""
        return "; ".join(self.reasons)

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of a hit."""
        return self.look_up.manifest if self.look_up is not None and self.verdict == "hit" else None


class _Keyed(NamedTuple):
    """A process whose key is known."""

    process: ProcessConfig
    described: Described
    action: str
    binding: Binding
    caching: Caching
    around: Surroundings


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
        self._profile = config.profile
        self._numeric: dict[str, bool] = {}
        self._functions: dict[tuple[str, str], tuple[CodeFingerprint, Takes, Caching]] = {}
        self._returned: dict[tuple[str, str], frozenset[str]] = {}

    def plan_all(self, names: Collection[str]) -> dict[str, Planned]:
        """A plan for all of ``names``, in topological order; "unknown" below whatever must run."""
        self._cache.prefetch(names)
        with self._files.snapshot():
            return self._plan_all(names)

    def _plan_all(self, names: Collection[str]) -> dict[str, Planned]:
        plan: dict[str, Planned] = {}
        for generation in self._graph.generations():
            wanted = [name for name in generation if name in names]
            upstream = {name: self._upstream(name, plan) for name in wanted}
            known = {name: found for name, found in upstream.items() if not isinstance(found, str)}
            planned = self.plan_many(known)
            for name in wanted:
                plan[name] = planned[name] if name in known else Planned(name, "unknown", (str(upstream[name]),))
        return plan

    def _upstream(self, name: str, plan: Mapping[str, Planned]) -> dict[str, Manifest] | str:
        """The manifests that a process takes from, or for what it waits."""
        upstream = {}
        for source in self._graph.upstream(name):
            manifest = plan[source].manifest
            if manifest is None:
                return f"waits for '{source}'"
            upstream[source] = manifest
        return upstream

    def plan(self, name: str, upstream: Mapping[str, Manifest]) -> Planned:
        """The plan of one process whose upstream manifests are all known."""
        return self.plan_many({name: upstream})[name]

    def plan_many(self, upstream: Mapping[str, Mapping[str, Manifest]]) -> dict[str, Planned]:
        """The plans of processes whose upstream manifests are all known, looked up in one round trip where they can."""
        planned: dict[str, Planned] = {}
        missing: list[_Keyed] = []
        for name, manifests in upstream.items():
            keyed = self._keyed(name, manifests)
            if isinstance(keyed, Planned):
                planned[name] = keyed
                continue
            look_up = self._cache.at_hand(name, keyed.action, keyed.around)
            if look_up is None:
                missing.append(keyed)
            else:
                planned[name] = self._judged(keyed, look_up)
        if missing:
            self._cache.prefetch_actions((it.process.name, it.action, it.described.code.digest) for it in missing)
            for keyed in missing:
                name = keyed.process.name
                planned[name] = self._judged(keyed, self._cache.look_up(name, keyed.action, keyed.around))
        return planned

    def _keyed(self, name: str, upstream: Mapping[str, Manifest]) -> _Keyed | Planned:
        process = self._processes[name]
        code, signature, caching = self._function(process)
        outputs = {source: manifest.outputs for source, manifest in upstream.items()}
        try:
            binding = bind(process, signature, outputs, self._parameters)
        except ProcessError as fault:
            return Planned(name, "failed", (str(fault),))
        counted = without(binding, signature, {*process.ignore, *caching.ignore})
        inputs = {
            argument: outputs[source][output].fingerprint for argument, (source, output) in counted.outputs.items()
        }
        parameters = {argument: fingerprint(value) for argument, value in counted.parameters.items()}
        profile = self._profile if self._profile != DEFAULT_PROFILE and self._is_numeric(name) else ""
        key = ActionKey("process", name, code.digest, inputs, parameters, {}, process.version, profile)
        labels = {argument: source for argument, (source, _) in counted.outputs.items()}
        described = Described(key, code, labels, texts(counted.parameters))
        return _Keyed(process, described, key.digest(), binding, caching, self._around(name, code))

    def _judged(self, keyed: _Keyed, look_up: LookUp) -> Planned:
        process, described, _, binding, caching, around = keyed
        name = process.name
        reasons: tuple[str, ...]
        unstable = False
        if not (process.cache and caching.cache):
            verdict, reasons = "miss", (OFF,)
        elif told := self._cache.unstable(look_up.action):
            verdict, reasons, unstable = "miss", (told,), True
        elif name in self._forced:
            verdict, reasons = "miss", ("forced",)
        elif look_up.manifest is not None and not self._is_complete(process, look_up.manifest):
            verdict, reasons = "miss", (LACKING,)
        elif look_up.manifest is not None:
            verdict, reasons = "hit", (why_hit(look_up.manifest),)
        else:
            verdict, reasons = "miss", self._reasons(described, look_up, around)
        return Planned(name, verdict, reasons, described, look_up, binding, caching, unstable)

    def _around(self, name: str, code: CodeFingerprint) -> Surroundings:
        seeds = SeedPath(self._seed, name, streams=code.streams)
        return Surroundings(self._places, self._files, seeds.identity)

    def again(self, planned: Planned) -> Planned:
        """A miss, looked up once more: others may have executed it since."""
        assert planned.described is not None
        assert planned.look_up is not None
        around = self._around(planned.name, planned.described.code)
        look_up = self._cache.look_again(planned.name, planned.look_up.action, around)
        if look_up.manifest is None or not self._is_complete(self._processes[planned.name], look_up.manifest):
            return planned._replace(look_up=look_up)
        return planned._replace(verdict="hit", reasons=(why_hit(look_up.manifest),), look_up=look_up)

    def lease(self, planned: Planned) -> str:
        """The name of the lease for executing a miss; ``""`` for one that nobody else has a use for."""
        process = self._processes[planned.name]
        look_up, described = planned.look_up, planned.described
        kept = process.cache and planned.caching.cache and not planned.unstable
        if not kept or look_up is None or described is None or planned.name in self._forced:
            return ""
        return lease_key(look_up, SeedPath(self._seed, planned.name, streams=described.code.streams).identity())

    def _is_numeric(self, name: str) -> bool:
        """Whether a numeric profile may affect it: libraries are reached by its code, or come with what it takes."""
        if name not in self._numeric:
            code, _, _ = self._function(self._processes[name])
            self._numeric[name] = bool(code.libraries) or any(map(self._is_numeric, self._graph.upstream(name)))
        return self._numeric[name]

    def _reasons(self, described: Described, look_up: LookUp, around: Surroundings) -> tuple[str, ...]:
        reasons = reasons_of(self._cache, described, look_up, around, self._seed)
        other = self._cache.ran_at(described.code.digest) if reasons == (NEVER_RAN,) else ""
        if other and other not in self._processes:
            return (f"never ran under this name; its code ran as '{other}'",)
        return reasons

    def _is_complete(self, process: ProcessConfig, manifest: Manifest) -> bool:
        return self._promised(process) <= manifest.outputs.keys()

    def _promised(self, process: ProcessConfig) -> frozenset[str]:
        """Outputs that each result must have, as far as the source tells: a record without them is nobody's of us."""
        where = (process.script, process.function)
        if where not in self._returned:
            facts = self._code.functions(process.script)[process.function]
            # Any other decorator may take some away.
            self._returned[where] = frozenset(facts.always if len(facts.decorators) == 1 else ())
        return self._returned[where]

    def _function(self, process: ProcessConfig) -> tuple[CodeFingerprint, Takes, Caching]:
        """What the source says of a function; many processes may be of one."""
        where = (process.script, process.function)
        if where not in self._functions:
            facts = self._code.functions(process.script)[process.function]
            caching, _ = of_source(facts)  # what is wrong with them was told when the project was opened
            self._functions[where] = (self._code.fingerprint(*where), takes(facts), caching)
        return self._functions[where]

    def files(self) -> dict[str, str]:
        """Digests of the Python files that the planned code reaches."""
        names = {file for code, _, _ in self._functions.values() for file in code.files if file.endswith(".py")}
        return {file: self._code.content(file) for file in names}

    def libraries(self) -> dict[str, str]:
        """Versions of all libraries that the planned code reaches."""
        found: dict[str, str] = {}
        for code, _, _ in self._functions.values():
            found.update(code.libraries)
        return dict(sorted(found.items()))
