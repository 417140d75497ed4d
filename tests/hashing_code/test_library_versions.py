"""How much of a library's version counts, and installs whose version says too little."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import write
from test_code_libraries import install, site

from expops.hashing.code import CodeFingerprint, ProjectCode
from expops.hashing.code.versions import POLICIES, counted, joined

__all__ = ["site"]  # a fixture

SOURCE = "import thing\ndef f(): return thing.x\n"

# Two versions, and whether `minor` takes them for the same.
MINOR = [
    ("1.26.4", "1.26.5", True),
    ("1.26", "1.26.0", True),
    ("1", "1.0.7", True),
    ("1.26.4", "1.27.0", False),
    ("1.26.4", "2.26.4", False),
    ("2024.1", "2024.2", False),
    ("2024.01.1", "2024.1.2", True),
    ("1!1.2.3", "1.2.3", False),
    ("1!1.2.3", "1!1.2.4", True),
    ("1.2.0rc1", "1.2.0", False),
    ("1.2.0rc1", "1.2.0rc2", False),
    ("1.2.dev3", "1.2.dev4", False),
    ("1.2.3", "1.2.3.post1", True),
    ("2.1.0+cu118", "2.1.2+cu118", True),
    ("2.1.0+cu118", "2.1.0+cpu", False),
    ("2.1.0+cu118", "2.1.0", False),
    ("unknown", "missing", False),
    ("1.2.3:aa", "1.2.4:aa", True),
    ("1.2.3:aa", "1.2.3:bb", False),
]


@pytest.mark.parametrize(("old", "new", "same"), MINOR)
def test_minor_takes_the_first_two_parts(old: str, new: str, same: bool) -> None:
    assert (counted({"thing": old}, "minor") == counted({"thing": new}, "minor")) is same
    assert counted({"thing": old}, "exact") != counted({"thing": new}, "exact")


def test_ignore_counts_only_code_that_has_no_version() -> None:
    assert counted({"a": "1.0", "b": "2"}, "ignore") == counted({"a": "1.1", "c": "2"}, "ignore")
    assert counted({"a": "1.0:aa"}, "ignore") == counted({"a": "1.1:aa"}, "ignore")
    assert counted({"a": "1.0:aa"}, "ignore") != counted({"a": "1.0:bb"}, "ignore")


PATTERN = r"(\d!)?\d{1,4}(\.\d{1,2}){0,3}(rc\d|\.dev\d|\.post\d)?(\+[a-z0-9]{1,4})?(:[a-f]{2})?"
versions = st.from_regex(PATTERN, fullmatch=True)
found = st.dictionaries(st.sampled_from(["a", "b", "c"]), versions | st.sampled_from(["missing", "source:ab"]))


@given(found, found, st.sampled_from(POLICIES), st.sampled_from(POLICIES))
def test_no_policy_gives_what_another_gives_for_other_versions(
    one: dict[str, str], two: dict[str, str], first: str, second: str
) -> None:
    """What was kept under a loose policy is never handed out under a stricter one for other versions."""
    if counted(one, first) == counted(two, second) and one != two:
        assert first == second != "exact"


@given(st.lists(versions, min_size=1), st.randoms())
def test_parts_of_a_distribution_are_joined_in_no_order(parts: list[str], order: object) -> None:
    shuffled = list(parts)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert joined(set(parts)) == joined(set(shuffled))


def of(tmp_path: Path, policy: str = "exact", source: str = SOURCE) -> CodeFingerprint:
    root = write(tmp_path / "project", {"src/m.py": source})
    return ProjectCode(os.fspath(root), libraries=policy).fingerprint("src/m.py", "f")


@pytest.mark.parametrize(
    ("policy", "patch", "minor"), [("exact", True, True), ("minor", False, True), ("ignore", False, False)]
)
def test_the_digest_follows_the_policy_and_versions_are_told_in_full(
    tmp_path: Path, site: Path, policy: str, patch: bool, minor: bool
) -> None:
    install(site, "thing", "1.2.3", "thing.py")
    made = of(tmp_path, policy)
    changed = []
    for before, after in (("1.2.3", "1.2.4"), ("1.2.4", "1.3.0")):
        os.rename(site / f"thing-{before}.dist-info", site / f"thing-{after}.dist-info")
        again = of(tmp_path, policy)
        assert again.libraries == {"thing": after}
        changed.append(again.digest != made.digest)
        made = again
    assert changed == [patch, minor]


def test_policies_share_no_digest(tmp_path: Path, site: Path) -> None:
    install(site, "thing", "1.2", "thing.py")
    assert len({of(tmp_path, policy).digest for policy in POLICIES}) == 3
    assert len({of(tmp_path, policy, "def f(): return 1\n").digest for policy in POLICIES}) == 1


@pytest.mark.parametrize("policy", POLICIES)
def test_an_editable_install_counts_by_its_code_whatever_the_policy(tmp_path: Path, site: Path, policy: str) -> None:
    elsewhere = write(tmp_path / "elsewhere", {"src/thing/__init__.py": "x = 1\n"})
    origin = f'{{"url": "{elsewhere.as_uri()}", "dir_info": {{"editable": true}}}}'
    install(site, "thing", "1", direct_url_json=origin)
    before = of(tmp_path, policy)
    write(elsewhere, {"src/thing/__init__.py": "x = 2\n"})
    assert of(tmp_path, policy).digest != before.digest


def test_metadata_beside_source_code_is_no_version_of_it(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editable install puts the source folder on the path, where its build has left an ``.egg-info``."""
    metadata = {"thing.egg-info/PKG-INFO": "Name: thing\nVersion: 1\n", "thing.egg-info/top_level.txt": "thing\n"}
    source = write(tmp_path / "elsewhere" / "src", {**metadata, "thing/__init__.py": "x = 1\n"})
    monkeypatch.setattr(sys, "path", [*sys.path, os.fspath(source)])
    before = of(tmp_path)
    write(source, {"thing/__init__.py": "x = 2\n"})
    assert before.libraries["thing"].startswith("1:")
    assert of(tmp_path).digest != before.digest


def test_what_comes_first_on_the_path_counts(tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "thing", "1", "thing.py")
    shadow = write(tmp_path / "shadow", {"thing.py": "x = 1\n"})
    monkeypatch.setattr(sys, "path", [os.fspath(shadow), *sys.path])
    before = of(tmp_path)
    write(shadow, {"thing.py": "x = 2\n"})
    assert of(tmp_path).digest != before.digest
    (shadow / "thing.py").unlink()
    assert of(tmp_path).libraries == {"thing": "1"}


def rebuilt(site: Path, content: str, origin: str) -> None:
    """Install version 1 of thing with an extension module of that content, from ``origin``."""
    shutil.rmtree(site)
    site.mkdir()
    extra = {"direct_url_json": origin} if origin else {}
    install(site, "thing", "1", "thing/__init__.py", "thing/fast.cpython-311-x86_64-linux-gnu.so", **extra)
    record = site / "thing-1.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("sha256=x", f"sha256={content}") + "../../bin/thing,sha256=env,9\n")


@pytest.mark.parametrize(
    ("origin", "counts"),
    [
        ("", False),
        ('{"url": "file:///home/me/thing", "dir_info": {}}', True),
        ('{"url": "file:///home/me/thing-1.whl", "archive_info": {}}', True),
        ('{"url": "https://example.org/thing", "vcs_info": {"vcs": "git", "commit_id": "1"}}', True),
    ],
)
def test_a_rebuilt_extension_module_under_the_same_version(
    tmp_path: Path, site: Path, origin: str, counts: bool
) -> None:
    """From an index, name and version say what the code is, on every platform; a build of one's own may be any."""
    source = "from thing import fast\ndef f(): return fast.x\n"
    rebuilt(site, "one", origin)
    before = of(tmp_path, source=source)
    rebuilt(site, "one", origin)
    assert of(tmp_path, source=source).digest == before.digest
    rebuilt(site, "two", origin)
    assert (of(tmp_path, source=source).digest != before.digest) is counts
    assert list(before.libraries) == ["thing"]


def compiled(folder: Path, value: int) -> None:
    """A C extension module ``fast`` with a function that gives ``value``."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("platform: no C compiler")
    source = f"""
        #include <Python.h>
        static PyObject *value(PyObject *self, PyObject *none) {{ return PyLong_FromLong({value}); }}
        static PyMethodDef methods[] = {{{{"value", value, METH_NOARGS, ""}}, {{0}}}};
        static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "fast", "", -1, methods}};
        PyMODINIT_FUNC PyInit_fast(void) {{ return PyModule_Create(&module); }}
    """
    import sysconfig

    headers = sysconfig.get_paths()["include"]
    if not os.path.exists(os.path.join(headers, "Python.h")):
        pytest.skip("platform: no headers of Python")
    write(folder, {"fast.c": source})
    target = folder / f"fast{sysconfig.get_config_var('EXT_SUFFIX')}"
    command = [compiler, "-shared", "-fPIC", f"-I{headers}", "-o", os.fspath(target), os.fspath(folder / "fast.c")]
    subprocess.run(command, check=True)


@pytest.mark.parametrize("where", ["project", "editable", "path"])
def test_a_compiled_module_of_ones_own_counts_by_its_content(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    folder = {"project": tmp_path / "project" / "src"}.get(where, tmp_path / "elsewhere")
    if where == "editable":
        origin = f'{{"url": "{folder.as_uri()}", "dir_info": {{"editable": true}}}}'
        install(site, "swift", "1", direct_url_json=origin)
    elif where == "path":
        monkeypatch.setattr(sys, "path", [*sys.path, os.fspath(folder)])
    source = "import fast\ndef f(): return fast.value()\n"
    compiled(folder, 1)
    before = of(tmp_path, source=source)
    compiled(folder, 1)
    assert of(tmp_path, source=source).digest == before.digest
    compiled(folder, 2)
    assert of(tmp_path, source=source).digest != before.digest
    assert list(before.libraries) == {"project": [], "editable": ["swift"], "path": ["fast"]}[where]


def test_an_editable_install_whose_extension_module_alone_is_installed(tmp_path: Path, site: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere", {"src/thing/__init__.py": "x = 1\n"})
    origin = f'{{"url": "{elsewhere.as_uri()}", "dir_info": {{"editable": true}}}}'
    install(site, "thing", "1", "thing/_core.so", direct_url_json=origin)
    for source in (SOURCE, "from thing._core import go\ndef f(): return go()\n"):
        before = of(tmp_path, source=source)
        write(elsewhere, {"src/thing/__init__.py": f"x = {source!r}\n"})
        assert list(before.libraries) == ["thing"]
        assert of(tmp_path, source=source).digest != before.digest


@pytest.mark.slow
def test_real_installs(tmp_path: Path) -> None:
    """What pip really leaves behind: editable with a source layout, and a local folder without a new version."""
    files = {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "thing"\nversion = "1.0"\n'
        '[tool.setuptools]\npackage-dir = {"" = "lib"}\npackages = ["thing"]\n',
        "lib/thing/__init__.py": "x = 1\n",
    }
    package = write(tmp_path / "package", files)
    project = write(tmp_path / "project", {"src/m.py": SOURCE})
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", os.fspath(environment)], check=True)
    python = environment / "bin" / "python"
    look = "import sys; from expops.hashing.code import ProjectCode; "
    look += "print(ProjectCode(sys.argv[1]).fingerprint('src/m.py', 'f').libraries['thing'])"
    import expops

    paths = [entry for entry in sys.path if "site-packages" in entry] + [str(Path(expops.__file__).parents[1])]

    def version() -> str:
        command = [os.fspath(python), "-c", look, os.fspath(project)]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.strip()

    def pip(*args: str) -> None:
        command = [os.fspath(python), "-m", "pip", "install", "-q", "--no-deps", *args, os.fspath(package)]
        subprocess.run(command, check=True)

    for options in (["-e"], ["--force-reinstall"]):
        pip(*options)
        before = version()
        write(package, {"lib/thing/__init__.py": f"x = {options}\n"})
        if options != ["-e"]:
            assert version() == before
            pip(*options)
        assert before.startswith("1.0:")
        assert version() != before
