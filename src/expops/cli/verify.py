"""``expops verify``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from .. import wiring
from ..cache.leases import UNKNOWN
from ..cache.stability import Finding, note
from ..cache.store import ResultCache
from ..engine.setup import Setup
from ..engine.verify import variations
from ..engine.verify.bench import Bench
from ..engine.verify.check import Checked
from ..engine.verify.laboratory import Laboratory
from ..engine.verify.session import Session, Wanted
from ..engine.verify.subjects import Subjects, find_subjects
from ..engine.verify.verdicts import BITWISE, FAILED, TOLERANCE, UNSTABLE, Verdict, document, untested, verdicts
from ..errors import StorageError, UnknownName, UsageError
from ..executors.base import Executor
from ..pipeline.nearest import advice
from ..pipeline.signing_keys import variables
from . import opening
from .parsing import Parser, add_json, add_project, add_settings, count, known_process
from .text import stdout
from .verify_report import Progress, print_verdicts

_EXAMPLES = """\
  expops verify                                # every process whose result is recorded
  expops verify train                          # one process, and all steps that it calls
  expops verify train/fit                      # the same, and tell of that step alone
  expops verify --quick                        # one plain re-execution, for a commit hook
  expops verify --vary hash-seed,threads       # these variations only
  expops verify train --except home,locale     # all but these
  expops verify --json | jq '.actions[] | select(.verdict == "unstable")'
"""
_DIFFERS = 3
_TURNS = 2


def parser() -> Parser:
    """Arguments and help."""
    listed = "\n".join(f"  {name:16}{what}" for name, what in variations.VARIATIONS.items())
    made = Parser(
        "verify",
        "[PROCESS[/STEP]] [options]",
        "Execute recorded processes again, from their recorded inputs, and compare what comes out, bit by bit:\n"
        "once as they were, then with all varied that should make no difference. For what differs, say where it\n"
        "starts and the smallest set of variations that it takes. Of this, the cache only notes the verdicts.\n\n"
        f"what is varied:\n{listed}\n\n"
        "Verdicts: bitwise, tolerance(E) where the process declares `tolerance: {OUTPUT: E}`, unstable, untested.\n"
        "Exit code: 0 all survived, 1 a process failed when it was executed again, 2 bad usage, 3 a difference.",
        _EXAMPLES,
    )
    made.add_argument("path", metavar="PROCESS[/STEP]", nargs="?", help="what to verify (default: all)")
    add_project(made, positional=False)
    add_settings(made)
    made.add_argument("--quick", action="store_true", help="only execute once more, with nothing varied")
    made.add_argument("--vary", metavar="NAMES", type=_names, help="vary these only, with commas between them")
    made.add_argument("--except", metavar="NAMES", type=_names, default=(), dest="without", help="don't vary these")
    made.add_argument(
        "--turns", metavar="N", type=count, default=_TURNS, help=f"ways in which to vary each (default: {_TURNS})"
    )
    made.add_argument("-j", "--jobs", metavar="N", type=count, help="workers at once (default: one a core)")
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Verify, and tell what came of it."""
    chosen = _chosen(args)
    if args.seed is None:
        args.seed = _drawn_seed(args)
    with opening.project(args, mode="read") as loaded, _elsewhere() as elsewhere:
        found = _verify(loaded, args, chosen, elsewhere)
    if args.json:
        from .documents import write_json  # not for people

        write_json({"actions": [document(item) for item in found]}, sys.stdout)
    else:
        print_verdicts(found, stdout(), quick=args.quick)
    if any(item.verdict == FAILED for item in found):
        return 1
    return _DIFFERS if any(item.verdict == UNSTABLE for item in found) else 0


def _chosen(args: argparse.Namespace) -> tuple[str, ...]:
    if args.quick and (args.vary is not None or args.without):
        raise UsageError("--quick varies nothing; leave out --vary and --except, or --quick")
    wanted = args.vary if args.vary is not None else tuple(variations.VARIATIONS)
    chosen = tuple(name for name in variations.VARIATIONS if name in wanted and name not in args.without)
    if not chosen:
        raise UsageError("nothing is left to vary; `--quick` executes once more as it was")
    if args.turns < 1:
        raise UsageError("--turns 0 varies nothing; `--quick` executes once more as it was")
    return chosen


def _drawn_seed(args: argparse.Namespace) -> int | None:
    """Of a project whose runs draw their seeds, that of the latest."""
    with opening.stores(args) as stores:
        if stores.config.seed is not None:
            return None
        runs = stores.ledger.runs()
        return int(runs[-1].seed) if runs else None


def _verify(loaded: wiring.Loaded, args: argparse.Namespace, chosen: tuple[str, ...], elsewhere: str) -> list[Verdict]:
    project = loaded.project
    name = args.path.partition("/")[0] if args.path else ""
    if name:
        known_process(name, list(project.graph.names))
    assert loaded.scratch is not None
    scratch = loaded.scratch.path
    options = wiring.run_options(loaded, jobs=args.jobs)
    opener = partial(wiring.open_replay, loaded.folder, project.config, scratch)
    setup = Setup(
        project=project.root,
        project_name=project.config.name,
        run_id="",
        work=scratch,
        seed=loaded.seed,
        import_roots=project.import_roots,
        data=project.config.data,
        libraries=project.config.cache.libraries,
        profile=project.config.profile,
        audit=False,
        holder=UNKNOWN,
        open_cache=partial(opener, "", False),
        open_memo=options.open_memo,
        secrets=variables(project.config.cache.signing),
    )
    project.cache.require_stable = False  # what was found unstable is looked at all the same
    plan = wiring.planner(loaded).plan_all(frozenset(project.graph.names))
    subjects = find_subjects(project, plan, setup)
    names = _ready(subjects, name)
    machine = variations.machine_of(project.root, scratch, elsewhere, project.config.profile)
    laboratory = Laboratory(_worker, options.jobs or 1)
    bench = Bench(laboratory, subjects.ready, machine, scratch, opener)
    with Progress(sys.stderr) as progress:
        session = Session(laboratory, bench, project.graph, subjects.ready, variations.missing(machine), progress.tell)
        checked = session.run(Wanted(names, chosen, args.turns, args.quick))
        progress.tell("looking into the values that differ")
        judged = [(one, _verdicts(one, bench, loaded)) for one in checked]
    _note(project.cache, judged, quick=args.quick)
    found = [item for _, items in judged for item in items]
    if not name:
        found += [untested(path, why) for path, why in subjects.untested.items()]
    return _of_step(found, args.path) if "/" in (args.path or "") else found


def _note(cache: ResultCache, judged: Sequence[tuple[Checked, list[Verdict]]], *, quick: bool) -> None:
    """Write down what was found, for `require_stable`; where that can't be, it is told on the screen alone."""
    findings = [
        Finding(
            one.subject.recorded.actions[item.path].action,
            item.path,
            item.verdict,
            tuple(dict.fromkeys(name for told in item.told for name in told.variations)),
            item.survived,
        )
        for one, items in judged
        for item in items
        if item.verdict in (BITWISE, TOLERANCE, UNSTABLE) and one.subject.recorded.actions[item.path].action
    ]
    with suppress(StorageError):
        note(cache.kv, findings, quick=quick)


def _worker(environment: dict[str, str]) -> Executor:
    return wiring.make_executor(1, lambda message: None, environment=lambda: environment)


def _ready(subjects: Subjects, name: str) -> Sequence[str]:
    if name and name not in subjects.ready:
        raise UsageError(f"process '{name}' can't be verified: {subjects.untested[name]}")
    if not subjects.ready:
        raise UsageError("no process has a recorded result that is up to date; `expops run` makes them")
    return [name] if name else list(subjects.ready)


def _verdicts(checked: Checked, bench: Bench, loaded: wiring.Loaded) -> list[Verdict]:
    examine = partial(bench.examine, checked.subject)
    return verdicts(checked, examine, loaded.project.cache.blobs)


def _of_step(found: list[Verdict], path: str) -> list[Verdict]:
    """The verdicts of one step: of that call, or of all its calls."""
    told = [item for item in found if item.path == path or item.path.partition("#")[0] == path]
    told += [item for item in found if item.verdict == FAILED and item not in told]
    if not told:
        steps = [item.path for item in found if item.kind == "step"]
        raise UnknownName(f"no step '{path}' was called; {advice(path, steps, 'the steps are')}")
    return told


@contextmanager
def _elsewhere() -> Iterator[str]:
    """A folder far from the project, with a blank in its name."""
    folder = tempfile.mkdtemp(prefix="expops elsewhere ")
    try:
        yield os.path.realpath(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    for name in names:
        if name not in variations.VARIATIONS:
            told = advice(name, variations.VARIATIONS, "they are")
            raise argparse.ArgumentTypeError(f"there is no variation '{name}'; {told}")
    return names
