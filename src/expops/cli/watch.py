"""``expops status --watch``: look again whenever a file that the plan depends on has changed.

Plain polling: a few ``stat`` calls each half second work on every file system, network mounts included.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, TypeAlias

from .. import wiring
from ..cache.discovery import Places
from ..errors import ConfigError, ExpopsError, SourceError
from ..hashing.code.finder import Finder
from ..pipeline.config import CONFIG_PATH
from ..pipeline.config_load import find_project
from . import opening
from .parsing import project_folder
from .text import Printer, plural

if TYPE_CHECKING:
    from ..engine.plan import Planned

_INTERVAL: Final = 0.5  # seconds
_CLEAR: Final = "\033[H\033[2J"
Stamps: TypeAlias = dict[str, tuple[int, ...]]


class Look(NamedTuple):
    """What there is to show, and the files on which it depends; ``None`` where that can't be told."""

    text: str
    files: frozenset[str] | None


class Screen(io.StringIO):
    """Collects text that is laid out as for standard output."""

    def isatty(self) -> bool:
        """Whether standard output is a terminal."""
        return sys.stdout.isatty()

    def fileno(self) -> int:
        """Standard output's, whose size counts."""
        return sys.stdout.fileno()


def watch(
    args: argparse.Namespace,
    plan: Callable[[wiring.Loaded], list[Planned]],
    show: Callable[[list[Planned], Printer], None],
) -> int:
    """Show the plan now and after each change, until Ctrl-C, which is how it is meant to end.

    Raises :class:`~expops.errors.ProjectNotFound`; whatever else is wrong with the project is shown, and may be mended.
    """
    root = find_project(project_folder(args))
    try:
        _follow(lambda: _look(args, plan, show), _candidates(root))
    except KeyboardInterrupt:
        return 0


def _follow(look: Callable[[], Look], files: frozenset[str]) -> NoReturn:
    shown = ""
    while True:
        before = stamps(files)
        text, found = look()
        if found is not None and not found <= files:
            files |= found
            continue  # it might have changed between being read and being stamped
        files = found or files
        if text != shown:
            shown = text
            _draw(text, len(files))
        _await_change({file: before[file] for file in files})


def _await_change(known: Stamps) -> None:
    columns = _columns()
    while stamps(known) == known and _columns() == columns:
        time.sleep(_INTERVAL)


def _look(
    args: argparse.Namespace,
    plan: Callable[[wiring.Loaded], list[Planned]],
    show: Callable[[list[Planned], Printer], None],
) -> Look:
    screen = Screen()
    out = Printer(screen)
    try:
        with opening.project(args) as loaded:
            planned = plan(loaded)
            files = depends_on(loaded, planned)
    except ExpopsError as error:
        problems = error.problems if isinstance(error, ConfigError) else [error]
        for problem in problems:
            out.line(str(problem), "red")
        return Look(screen.getvalue(), None)
    show(planned, out)
    return Look(screen.getvalue(), files)


def depends_on(loaded: wiring.Loaded, plan: Iterable[Planned]) -> frozenset[str]:
    """Absolute paths of the files and folders that the plan was made from."""
    project = loaded.project
    found = {os.path.join(project.root, CONFIG_PATH), *_stores(loaded.folder)}
    # What is installed there may change.
    found.update(entry for entry in sys.path if os.path.isdir(entry))
    places = Places(project.root, None)
    processes = {process.name: process for process in project.config.processes}
    for item in plan:
        process = processes[item.name]
        code = project.code.fingerprint(process.script, process.function)
        found.update(map(project.code.absolute, code.files))
        manifest = item.manifest
        if manifest is None and item.look_up is not None:
            manifest = project.cache.before(item.look_up)
        if manifest is not None:
            names = [name for kind in ("file", "folder") for name in manifest.discovered.get(kind, {})]
            found.update(places.path(name) for name in names if not name.startswith("work/"))
    # A new module in a folder of code may be what an import means from then on.
    return frozenset(found | {os.path.dirname(file) for file in found if file.endswith(".py")})


def _stores(folder: str) -> list[str]:
    """What another run writes its results to."""
    return [os.path.join(folder, name) for name in ("cache.sqlite", "cache.sqlite-wal")]


def _candidates(root: str) -> frozenset[str]:
    """What a project can be mended by whose plan can't be made: its configuration and all of its code."""
    try:
        files = Finder(root, ()).every_file()
    except SourceError:
        files = []
    return frozenset(os.path.join(root, file) for file in [CONFIG_PATH, *files])


def stamps(files: Collection[str]) -> Stamps:
    """What tells whether each file has changed; empty for one that is not there."""
    return {file: _stamp(file) for file in files}


def _stamp(file: str) -> tuple[int, ...]:
    try:
        status = os.stat(file)
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _draw(text: str, count: int) -> None:
    told = f"watching {plural(count, 'file')}; Ctrl-C ends"
    moment = time.strftime("%H:%M:%S")
    if sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb"):
        sys.stdout.write(f"{_CLEAR}{text}\n{moment}, {told}\n")
    else:
        sys.stdout.write(f"{moment}\n{text}\n")
    sys.stdout.flush()


def _columns() -> int | None:
    return Printer(sys.stdout).columns
