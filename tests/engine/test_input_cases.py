"""What counts as an input, as tables: a line of user code, what happens between two runs, and what it must lead to.

Each case runs twice: in a process's body, and in a step.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import Sandbox, outcomes, reasons

HEAD = """
import ctypes, glob, io, json, os, pathlib, shutil, subprocess, sys, tempfile
from pathlib import Path
from expops import InputFile, process, step
PROJECT = Path(os.environ["MLOPS_WORKSPACE_DIR"]) / "project"
"""

BODY = """
def body():
    return {line}

@step
def inner():
    return body()

@process()
def plain():
    return {{"x": body()}}

@process()
def stepped():
    return {{"x": inner()}}
"""

Edit = Callable[[Path], object]


def _write(path: str, text: str) -> Edit:
    def edit(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    return edit


def _remove(path: str) -> Edit:
    return lambda root: (root / path).unlink()


def _touch(path: str) -> Edit:
    return lambda root: os.utime(root / path, (1, 1))


def _make_folder(root: Path) -> None:
    (root / "data" / "x.csv").unlink()
    (root / "data" / "x.csv").mkdir()


def _link(root: Path) -> None:
    (root / "data" / "x.csv").rename(root / "data" / "real.csv")
    (root / "data" / "x.csv").symlink_to("real.csv")


def _nothing(root: Path) -> None: ...


APPEARS = _write("data/new.csv", "1")
GROWS = _write("data/x.csv", "1\n22\n")
OTHER = _write("data/x.csv", "1\n3\n")  # of the same size
GONE = _remove("data/x.csv")

MUST_RERUN: list[tuple[str, str, Edit, str]] = [
    # Whether it is there.
    ("exists", "os.path.exists('data/new.csv')", APPEARS, "file data/new.csv appeared"),
    ("exists, gone", "os.path.exists('data/x.csv')", GONE, "file data/x.csv is gone"),
    ("lexists", "os.path.lexists('data/new.csv')", APPEARS, "file data/new.csv appeared"),
    ("isfile", "os.path.isfile('data/new.csv')", APPEARS, "file data/new.csv appeared"),
    ("isdir", "os.path.isdir('data/new')", lambda root: (root / "data/new").mkdir(), "folder data/new appeared"),
    ("isdir of a file", "os.path.isdir('data/x.csv')", _make_folder, "data/x.csv is a file now, or a folder"),
    ("access", "os.access('data/new.csv', os.R_OK)", APPEARS, "file data/new.csv appeared"),
    ("Path.exists", "Path('data/new.csv').exists()", APPEARS, "file data/new.csv appeared"),
    ("Path.is_file", "Path('data/new.csv').is_file()", APPEARS, "file data/new.csv appeared"),
    ("Path.is_dir", "Path('data/new.csv').is_dir()", APPEARS, "file data/new.csv appeared"),
    ("absolute", "(PROJECT / 'extra.txt').exists()", _write("extra.txt", ""), "file extra.txt appeared"),
    ("follow_symlinks", "os.stat('data/x.csv', follow_symlinks=True).st_mode > 0", GONE, "file data/x.csv is gone"),
    ("dir_fd", "opened('data', lambda f: os.stat('x.csv', dir_fd=f).st_size)", GROWS, "size of file data/x.csv"),
    ("bytes", "os.path.exists(b'data/new.csv')", APPEARS, "file data/new.csv appeared"),
    (
        "try to open",
        "[p.read_text() for p in [Path('data/new.csv')] if p.exists()]",
        APPEARS,
        "file data/new.csv app",
    ),
    ("mtime, gone", "os.path.exists('data/x.csv') and os.path.getmtime('data/x.csv') > 0", GONE, "file data/x.csv is"),
    # How large it is.
    ("getsize", "os.path.getsize('data/x.csv')", GROWS, "size of file data/x.csv changed"),
    ("stat", "os.stat('data/x.csv').st_size", GROWS, "size of file data/x.csv changed"),
    ("lstat", "os.lstat('data/x.csv').st_size", GROWS, "size of file data/x.csv changed"),
    ("Path.stat", "Path('data/x.csv').stat().st_size", GROWS, "size of file data/x.csv changed"),
    ("Path.lstat", "Path('data/x.csv').lstat().st_size", GROWS, "size of file data/x.csv changed"),
    # Links.
    ("islink", "os.path.islink('data/x.csv')", _link, "link data/x.csv leads elsewhere"),
    ("is_symlink", "Path('data/x.csv').is_symlink()", _link, "link data/x.csv leads elsewhere"),
    # Listings.
    ("listdir", "len(os.listdir('data'))", APPEARS, "folder data has other files"),
    ("scandir", "len(list(os.scandir('data')))", APPEARS, "folder data has other files"),
    ("listdir of a descriptor", "opened('data', lambda f: len(os.listdir(f)))", APPEARS, "folder data has other files"),
    ("glob", "sorted(glob.glob('data/*.csv'))", APPEARS, "folder data has other files"),
    ("glob below", "sorted(glob.glob('data/**', recursive=True))", _write("data/sub/b.csv", ""), "folder data/sub has"),
    (
        "glob in",
        "sorted(glob.glob('*/part.csv', root_dir='data'))",
        _write("data/sub/part.csv", ""),
        "data/sub/part.csv",
    ),
    ("Path.glob", "len(list(Path('data').glob('*')))", APPEARS, "folder data has other files"),
    ("Path.glob literal", "len(list(Path('data').glob('*/part.csv')))", _write("data/sub/part.csv", ""), "data/sub"),
    (
        "Path.rglob",
        "len(list(Path('data').rglob('*')))",
        _write("data/sub/b.csv", ""),
        "folder data/sub has other files",
    ),
    ("iterdir", "len(list(Path('data').iterdir()))", APPEARS, "folder data has other files"),
    ("walk", "[names for _, _, names in os.walk('data')]", _write("data/sub/b.csv", ""), "folder data/sub has other"),
    (
        "fwalk",
        "[names for _, _, names, _ in os.fwalk('data/sub')]",
        _write("data/sub/b.csv", ""),
        "folder data/sub has",
    ),
    # Content.
    ("copy", "shutil.copy('data/x.csv', 'y.csv')", OTHER, "file data/x.csv changed"),
    ("copytree", "shutil.copytree('data', 'copy')", OTHER, "file data/x.csv changed"),
    ("os.open", "opened('data/x.csv', lambda f: os.read(f, 9))", OTHER, "file data/x.csv changed"),
    (
        "open in a folder",
        "opened('data', lambda f: opened('x.csv', lambda g: os.read(g, 9), dir_fd=f))",
        OTHER,
        "file data/x.csv changed",
    ),
    (
        "io.open_code",
        "(f := io.open_code(os.path.abspath('data/x.csv')), f.read(), f.close())[1]",
        OTHER,
        "file data/x.csv changed",
    ),
    ("threads", "threads()", _write("data/9.txt", "other"), "file data/9.txt changed"),
    # Commands.
    ("a command's file", "run(sys.executable, 'data/tool.py', 'data/x.csv')", OTHER, "file data/x.csv changed"),
    (
        "a command's script",
        "run(sys.executable, 'data/tool.py')",
        _write("data/tool.py", "print(2)"),
        "file data/tool.py",
    ),
    ("an option", "run(sys.executable, 'data/tool.py', '--in=data/x.csv')", OTHER, "file data/x.csv changed"),
    ("another folder", "run('cat', 'x.csv', cwd='data')", OTHER, "file data/x.csv changed"),
    ("a shell", "subprocess.run('cat data/x.csv>y', shell=True).returncode", OTHER, "file data/x.csv changed"),
    ("os.system", "os.system('cat < data/x.csv > y')", OTHER, "file data/x.csv changed"),
    (
        "posix_spawn",
        "os.waitpid(os.posix_spawn('/bin/cat', ['cat', 'data/x.csv'], {}), 0)[1]",
        OTHER,
        "file data/x.csv",
    ),
    # The environment.
    ("getenvb", "os.getenvb(b'SANDBOX_MODE')", _nothing, "environment variable SANDBOX_MODE changed"),
    ("environb", "os.environb.get(b'SANDBOX_MODE')", _nothing, "environment variable SANDBOX_MODE changed"),
    ("in environb", "b'SANDBOX_MODE' in os.environb", _nothing, "environment variable SANDBOX_MODE changed"),
    # Input files.
    ("InputFile", "seen_by_nobody(InputFile('data/x.csv'))", OTHER, "file data/x.csv changed"),
    ("InputFile, missing", "repr(InputFile('data/new.csv'))", APPEARS, "file data/new.csv appeared"),
    (
        "InputFile of a folder",
        "repr(InputFile('data'))",
        _write("data/sub/a.csv", "new"),
        "file data/sub/a.csv changed",
    ),
]

MUST_STAY: list[tuple[str, str, Edit]] = [
    ("exists, other content", "os.path.exists('data/x.csv')", GROWS),
    ("isfile, touched", "os.path.isfile('data/x.csv')", _touch("data/x.csv")),
    ("isdir", "os.path.isdir('data')", APPEARS),
    ("size, other content", "os.path.getsize('data/x.csv')", OTHER),
    ("size, touched", "os.stat('data/x.csv').st_size", _touch("data/x.csv")),
    ("mtime, touched", "os.path.getmtime('data/x.csv') > 0", _touch("data/x.csv")),
    ("mtime, other content", "os.path.getmtime('data/x.csv') > 0", GROWS),
    ("size of a folder", "os.stat('data').st_mode > 0", APPEARS),
    ("a copy, touched", "shutil.copy2('data/x.csv', 'y.csv')", _touch("data/x.csv")),
    ("where a path leads", "(Path('data/x.csv').resolve(), os.path.realpath('data/x.csv'))[1] != ''", GROWS),
    ("parts of the path", "os.path.realpath(PROJECT) != ''", APPEARS),
    ("a folder made if need be", "os.makedirs(PROJECT / 'out', exist_ok=True)", _nothing),
    ("the same with pathlib", "(PROJECT / 'out').mkdir(exist_ok=True)", _nothing),
    ("the same after a look", "None if os.path.exists(PROJECT / 'out') else os.mkdir(PROJECT / 'out')", _nothing),
    ("a file written, then asked for", "(Path('y').write_text('1'), os.path.getsize('y'))[1]", _write("y", "22")),
    ("a file removed, then asked for", "(Path('y').write_text(''), os.remove('y'), os.path.exists('y'))[2]", _nothing),
    (
        "a file moved, then asked for",
        "(Path('y').write_text(''), os.rename('y', 'z'), os.path.exists('y'))[2]",
        _nothing,
    ),
    ("a folder filled, then asked for", "(os.mkdir('o'), Path('o/y').write_text(''), os.path.isdir('o'))[2]", _nothing),
    ("a look of a library before it writes", "(save_image(PROJECT / 'plot.png'), 1)[1]", _nothing),
    ("scratch files", "tempfile.NamedTemporaryFile().write(b'1')", _nothing),
    ("scratch folders", "os.path.exists(tempfile.mkdtemp())", _nothing),
    ("byte code", "os.path.exists(PROJECT / 'src/__pycache__/model.pyc')", _write("src/__pycache__/model.pyc", "")),
    ("the cache's own folder", "os.path.exists(PROJECT / '.expops/x')", _write(".expops/x", "")),
    ("installed packages", "os.path.getsize(json.__file__) > 0", _nothing),
    ("programs", "shutil.which('sh') != ''", _nothing),
    ("the environment as a whole", "len({**os.environ, 'A': '1'}) > 0", _nothing),
    ("a copy of the environment", "len(dict(os.environ)) + len(os.environ.copy()) > 0", _nothing),
    ("variables one after the other", "[v for k, v in os.environ.items() if k == 'HOME']", _nothing),
    ("a command's output", "run(sys.executable, 'data/copy.py', str(PROJECT / 'made'))", _nothing),
    ("a command's folder", "run('ls', 'data', cwd=PROJECT) != 'x'", _write("data/x.csv", "5")),
    ("a command's output, again", "run(sys.executable, 'data/log.py', str(PROJECT / 'data/log'))", _nothing),
    ("InputFile, touched", "seen_by_nobody(InputFile('data/x.csv'))", _touch("data/x.csv")),
]

HELPERS = """
def opened(path, use, **folder):
    descriptor = os.open(path, os.O_RDONLY, **folder)
    try:
        return use(descriptor)
    finally:
        os.close(descriptor)

def run(*command, cwd=None):
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)

def save_image(path):
    from PIL import Image
    Image.new("L", (2, 2)).save(path)

def seen_by_nobody(path):
    libc = ctypes.CDLL(None, use_errno=True)
    file = libc.open(os.fsencode(path), os.O_RDONLY)
    return (os.read(file, 100), os.close(file))[0]

def threads():
    from concurrent.futures import ThreadPoolExecutor
    def read(index):
        return len(Path(f"data/{index}.txt").read_bytes())
    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(read, range(20)))
"""


def _project(folder: Path, line: str) -> Sandbox:
    sandbox = Sandbox(folder / "project")
    sandbox.configure(["plain", "stepped"])
    sandbox.write("data/x.csv", "1\n2\n")
    sandbox.write("data/sub/a.csv", "1\n")
    sandbox.write("data/tool.py", "print(1)")
    sandbox.write("data/copy.py", "import sys; open(sys.argv[1], 'w').write('new')")
    sandbox.write("data/log.py", "import sys; open(sys.argv[1], 'a').write('line')")
    sandbox.write("data/log", "line")
    for index in range(20):
        sandbox.write(f"data/{index}.txt", str(index) * 100_000 if "threads" in line else "")
    (sandbox.root / "src/model.py").write_text(HEAD + HELPERS + BODY.format(line=line))
    return sandbox


@pytest.fixture(autouse=True)
def no_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_MODE", raising=False)


@pytest.mark.parametrize(("line", "edit", "reason"), [case[1:] for case in MUST_RERUN], ids=[c[0] for c in MUST_RERUN])
def test_must_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, edit: Edit, reason: str) -> None:
    sandbox = _project(tmp_path, line)
    first = sandbox.run()
    assert set(outcomes(first).values()) == {"executed"}, [action.error for action in first.actions]
    assert outcomes(sandbox.run()) == {"plain": "hit", "stepped": "hit"}
    edit(sandbox.root)
    monkeypatch.setenv("SANDBOX_MODE", "other")
    again = sandbox.run()
    assert set(outcomes(again)) == {"plain", "stepped", "stepped/inner"}
    assert {path for path, why in reasons(again).items() if reason not in why} == set(), reasons(again)


@pytest.mark.parametrize(("line", "edit"), [case[1:] for case in MUST_STAY], ids=[c[0] for c in MUST_STAY])
def test_must_stay_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, edit: Edit) -> None:
    sandbox = _project(tmp_path, line)
    first = sandbox.run()
    assert set(outcomes(first).values()) == {"executed"}, [action.error for action in first.actions]
    edit(sandbox.root)
    monkeypatch.setenv("SANDBOX_MODE", "other")
    again = sandbox.run()
    assert outcomes(again) == {"plain": "hit", "stepped": "hit"}, reasons(again)


@pytest.mark.parametrize("line", [case[1] for case in MUST_RERUN if "PROJECT" not in case[1]][::5])
def test_another_checkout_finds_it(tmp_path: Path, line: str) -> None:
    sandbox = _project(tmp_path, line)
    sandbox.run()
    shutil.move(sandbox.root, tmp_path / "elsewhere")
    assert outcomes(Sandbox(tmp_path / "elsewhere").run()) == {"plain": "hit", "stepped": "hit"}
