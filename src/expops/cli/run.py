"""``expops run``."""

from __future__ import annotations

import argparse
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING

from .. import wiring
from ..engine.run import Runner, RunResult
from ..errors import ExpopsError, UsageError
from ..seeding.derive import ROOT_BITS
from . import opening
from .parsing import Parser, add_json, add_only, add_project, add_variation, count, one_of, project_folder, seeds
from .uploading import uploading
from .watchers import PlainWatcher

if TYPE_CHECKING:
    from ..engine.options import Options

_EXAMPLES = """\
  expops run                                # the project around the current folder
  expops run my-project --jobs 4            # another folder, four worker processes
  expops run --set train.lr=0.2 --seed 7    # vary a parameter and the seed
  expops run --seeds 5                      # five seeds, and each metric's mean and interval across them
  expops run --only evaluate --force train  # train anew, and stop at evaluate
  expops run --jobs 0                       # in this very process, where breakpoint() works
  expops run --json > run.json              # results for a program
  expops run --audit-code --cache off       # check that all code that runs is followed
"""
_EXIT = {"done": 0, "failed": 1, "interrupted": 130}
_DIFFERENCE = 3
_TWICE = 1.0  # seconds in which another signal is the same one, sent to the group as well


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "run",
        "[PROJECT] [options]",
        "Run a project. What has not changed comes from the cache; the rest executes, in parallel where it can.\n"
        "Exit code: 0 done, 1 a process failed, 2 bad usage or configuration, 3 the audit found code that isn't\n"
        "followed, 130 interrupted.",
        _EXAMPLES,
    )
    add_project(made, positional=True)
    made.add_argument(
        "-j", "--jobs", metavar="N", type=count, help="worker processes (default: one a core); 0: none, for debuggers"
    )
    add_variation(made)
    made.add_argument(
        "--seeds",
        metavar="N|S1,S2,...",
        type=seeds,
        help="run once for each of these seeds, or for N seeds from the configured one on; what draws no random "
        "numbers executes once",
    )
    add_only(made)
    made.add_argument(
        "--cache",
        metavar="MODE",
        type=one_of(*wiring.MODES),
        default="readwrite",
        help="readwrite (default), read: keep nothing, write: take nothing, off: neither",
    )
    made.add_argument(
        "--audit-code",
        action="store_true",
        help="check that code fingerprints follow all project code that runs (Python 3.12 and newer). Only what "
        "executes is checked: --cache off for all, --force for some. A result that fails is not kept",
    )
    made.add_argument("--local", action="store_true", help="run on this machine (the default)")
    made.add_argument("-q", "--quiet", action="store_true", help="print warnings and failures only")
    add_json(made)
    return made


def execute(args: argparse.Namespace) -> int:
    """Run the project."""
    warning = _fix_environment(project_folder(args)) if args.jobs == 0 else ""
    _stop_on_sigterm()
    if args.audit_code:
        from ..engine.audit import check_available  # not needed by other runs

        check_available()
    with opening.project(args, mode=args.cache) as loaded:
        options = wiring.run_options(
            loaded,
            jobs=args.jobs,
            forced=args.force,
            targets=args.only,
            settings=args.settings,
            command=["expops", *args.argv],
            audit=args.audit_code,
        )
        if args.seeds is not None:
            return _sweep(args, loaded, options, warning)
        watcher = _watcher(args, loaded, options)
        if warning:
            watcher.warned(warning)
        if args.json:
            result = _run_for_program(loaded, options, watcher)
        else:
            result = _run(loaded, options, watcher)
            _summarise(args, result, watcher)
    unfollowed = any(action.unfollowed for action in result.actions)
    return _DIFFERENCE if unfollowed and result.run.status == "done" else _EXIT.get(result.run.status, 1)


def _sweep(args: argparse.Namespace, loaded: wiring.Loaded, options: Options, warning: str) -> int:
    from . import sweep  # not needed by a run with one seed
    from .documents import stdout_on_stderr
    from .report import print_failures
    from .text import Printer

    if isinstance(args.seeds, list) and args.seed is not None:
        raise UsageError("--seed and --seeds both name seeds; give one of them, or --seeds a number")
    wanted = args.seeds if isinstance(args.seeds, list) else range(loaded.seed, loaded.seed + args.seeds)
    if wanted[-1] >= 1 << ROOT_BITS:
        many = f"{args.seeds} seeds from {loaded.seed} on"
        raise UsageError(f"{many} go beyond 2**{ROOT_BITS} - 1; begin with a lower one")

    def run(one: Options) -> RunResult:
        watcher = _watcher(args, loaded, one)
        watcher.note(f"seed {one.seed}:")
        if warning and one.seed == wanted[0]:
            watcher.warned(warning)
        result = _run(loaded, one, watcher)
        print_failures(result.actions, Printer(sys.stderr))
        return result

    if args.json:
        with stdout_on_stderr():
            results = sweep.run_each(options, wanted, run)
        sweep.write_results(results)
    else:
        results = sweep.run_each(options, wanted, run)
        if not args.quiet:
            sweep.print_results(results, Printer(sys.stdout))
    return _EXIT.get(sweep.worst(results), 1)


def _run(loaded: wiring.Loaded, options: Options, watcher: PlainWatcher) -> RunResult:
    try:
        with uploading(loaded, watcher) as uploads:
            result = Runner(loaded.project, options, watcher).run()
            uploads.wanted = result.run.status != "interrupted"
        for path in _unmatched(options, result):
            watcher.warned(f"--force {path}: no step of that name was called")
        return result
    finally:
        watcher.close()


def _unmatched(options: Options, result: RunResult) -> list[str]:
    if not options.forced:
        return []
    from .report import unmatched  # not needed by a run in which nothing is forced

    return unmatched(sorted(options.forced), result.actions)


def _run_for_program(loaded: wiring.Loaded, options: Options, watcher: PlainWatcher) -> RunResult:
    from .documents import audit_document, run_document, stdout_on_stderr, write_json  # not for people
    from .report import print_failures
    from .text import Printer

    with stdout_on_stderr():
        result = _run(loaded, options, watcher)
        print_failures(result.actions, Printer(sys.stderr))
    document = run_document(result.run, result.run.status, result.actions, result.metrics)
    if options.audit:
        document["audit"] = audit_document(result.actions)
    write_json(document, sys.stdout)
    return result


def _summarise(args: argparse.Namespace, result: RunResult, watcher: PlainWatcher) -> None:
    from .report import print_audit, print_failures, print_summary
    from .text import Printer, let_go_of_stdout

    print_failures(result.actions, Printer(sys.stderr))
    sys.stderr.flush()
    if args.quiet:
        return
    try:
        if args.audit_code:
            print_audit(result.actions, Printer(sys.stdout))
        print_summary(result, watcher.warnings, Printer(sys.stdout))
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads it; how the run ended is in the exit code and the ledger.
        let_go_of_stdout()


def _watcher(args: argparse.Namespace, loaded: wiring.Loaded, options: Options) -> PlainWatcher:
    if args.json:
        return PlainWatcher(sys.stderr, sys.stderr, progress=False)
    if args.quiet:
        return PlainWatcher(sys.stdout, sys.stderr, progress=False, output=False)
    if options.jobs > 0 and sys.stdout.isatty():
        from .live import LiveWatcher, can_draw  # only where somebody looks on

        if can_draw():
            return LiveWatcher(sys.stdout, sys.stderr, loaded.project.graph)
    return PlainWatcher(sys.stdout, sys.stderr)


def _fix_environment(start: str) -> str:
    from . import inline  # workers have theirs from the start

    try:
        profile = wiring.profile_of(start)
    except ExpopsError:
        return ""  # it is told where the project is opened
    return inline.fix(wiring.worker_environment(profile))


def _stop_on_sigterm() -> None:
    """SIGTERM ends a run as Ctrl-C does. A signal that comes twice at once, to us and to our group, counts once."""
    import signal

    last = 0.0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > _TWICE:
            last = now
            raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        # Whoever started us with a signal ignored wants it so: nohup, a shell's background job.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
