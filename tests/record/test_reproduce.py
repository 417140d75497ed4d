"""``expops reproduce``: what was the same is the same, what differs is told, what can't run says why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from recorded import document_of, expops, make

from sandbox import Sandbox


def reproduce(*arguments: str, cwd: Path) -> tuple[int, dict[str, Any], str]:
    ran = expops("reproduce", *arguments, "--json", "--jobs", "0", cwd=cwd)
    return ran.returncode, json.loads(ran.stdout), ran.stderr


def verdicts(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {item["path"]: (item["verdict"], "; ".join(item["details"])) for item in document["actions"]}


@pytest.fixture
def project(tmp_path: Path) -> Sandbox:
    sandbox = make(tmp_path / "project")
    sandbox.run(settings=["fit.factor=5"], seed=7)
    return sandbox


def test_a_run_is_reproduced_after_its_project_has_changed(project: Sandbox, tmp_path: Path) -> None:
    project.write("src/helpers.py", "def scale(rows, factor):\n    return rows\n")
    project.write("src/settings.json", '{"shift": 99}')
    (project.root / "src" / "unused_here.py").unlink()
    project.configure(["load"], seed=1)
    code, document, _ = reproduce("last", "--into", str(tmp_path / "again"), cwd=project.root)
    assert verdicts(document) == dict.fromkeys(("load", "load/draw", "fit", "aside"), ("same", ""))
    assert (code, document["verdict"]) == (0, "same")
    assert (tmp_path / "again" / "src" / "unused_here.py").exists()


def test_a_cached_run_is_reproduced_by_execution(project: Sandbox) -> None:
    project.run(settings=["fit.factor=5"], seed=7)
    code, document, err = reproduce("last", cwd=project.root)
    assert (code, document["verdict"]) == (0, "same")
    assert err.count("done    ") == 3


def test_an_exported_file_is_enough_without_the_project(project: Sandbox, tmp_path: Path) -> None:
    expops("export", "last", "-o", str(tmp_path / "run.json"), cwd=project.root)
    shutil.copytree(project.root / "data", tmp_path / "data")
    shutil.rmtree(project.root)
    empty = tmp_path / "empty"
    empty.mkdir()
    code, document, _ = reproduce("../run.json", "--data", "../data", cwd=empty)
    assert (code, document["verdict"]) == (0, "same")
    assert list(empty.iterdir()) == []


def test_a_run_survives_a_cleared_cache(project: Sandbox) -> None:
    assert expops("cache", "clear", "--yes", cwd=project.root).returncode == 0
    code, document, _ = reproduce("last", cwd=project.root)
    assert (code, document["verdict"]) == (0, "same")


def test_a_changed_input_is_named_and_the_rest_still_runs(project: Sandbox) -> None:
    project.write("data/rows.txt", "1\n3\n")
    code, document, _ = reproduce("last", cwd=project.root)
    found = verdicts(document)
    assert code == 1
    assert found["load"][0] == "could not run"
    assert "data/rows.txt has changed (recorded" in found["load"][1]
    assert found["fit"] == ("could not run", "'load' could not run")
    assert found["aside"] == ("same", "")


def test_a_missing_data_folder_is_told_by_its_files(project: Sandbox, tmp_path: Path) -> None:
    expops("export", "last", "-o", str(tmp_path / "run.json"), cwd=project.root)
    code, document, _ = reproduce("run.json", cwd=tmp_path)
    assert code == 1
    assert "data/rows.txt is missing" in verdicts(document)["load"][1]
    assert verdicts(document)["aside"] == ("same", "")


def test_a_difference_is_found_and_named(tmp_path: Path) -> None:
    """A generator without a seed is the one thing that expops can't pin."""
    sandbox = make(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        """
        import os
        from expops import log_metric, process

        @process()
        def load():
            drawn = int.from_bytes(os.urandom(6), "big")
            log_metric("drawn", 1 + drawn / 2**60)
            with open("drawn.txt", "w") as file:
                file.write(str(drawn))
            return {"drawn": drawn, "fixed": 1}

        @process()
        def below(fixed):
            log_metric("near", 1 + int.from_bytes(os.urandom(6), "big") / 2**60)
            return {"same": fixed}
        """,
    )
    sandbox.configure(["load", "below"], "load below")
    sandbox.run()
    code, document, _ = reproduce("last", cwd=sandbox.root)
    assert (code, document["verdict"]) == (3, "different")
    found = verdicts(document)
    assert found["load"][0] == "different"
    assert "output 'drawn' differs; artifact drawn.txt differs; metric drawn: 1" in found["load"][1]
    assert "fixed" not in found["load"][1]
    assert found["below"][0] == "different"
    code, document, _ = reproduce("last", "--rtol", "1e-3", cwd=sandbox.root)
    assert verdicts(document)["below"][0] == "within tolerance"
    assert (code, verdicts(document)["load"][0]) == (3, "different")


def test_only_what_ran_is_run_again(project: Sandbox) -> None:
    project.run(targets=["aside"])
    code, document, _ = reproduce("last", cwd=project.root)
    assert code == 0
    assert verdicts(document) == {"aside": ("same", "")}


def test_a_failure_that_comes_again_is_no_difference(project: Sandbox) -> None:
    project.write("data/rows.txt", "no number")
    assert project.run().run.status == "failed"
    code, document, _ = reproduce("last", cwd=project.root)
    assert code == 0
    assert verdicts(document)["load"] == ("not recorded", "failed then, too")
    assert verdicts(document)["aside"] == ("same", "")


def test_a_source_that_is_left_out_is_taken_from_the_project_if_it_is_the_same(project: Sandbox) -> None:
    project.write("src/secrets_of.py", "value = 4\n")
    project.write("src/helpers.py", "from secrets_of import value\n\ndef scale(rows, factor):\n    return value\n")
    project.run()
    assert reproduce("last", cwd=project.root)[0] == 0
    project.write("src/secrets_of.py", "value = 5\n")
    code, document, _ = reproduce("last", cwd=project.root)
    assert code == 2
    assert "src/secrets_of.py (its name says that it holds secrets)" in document["error"]["message"]


def test_configured_stores_are_not_touched(tmp_path: Path) -> None:
    sandbox = make(tmp_path / "project")
    config = sandbox.root / "configs" / "project_config.yaml"
    document = json.loads(config.read_text())
    document["experiment"]["cache"] = {"backend": {"type": "sqlite", "path": str(tmp_path / "elsewhere.sqlite")}}
    config.write_text(json.dumps(document))
    sandbox.run()
    before = (tmp_path / "elsewhere.sqlite").read_bytes()
    assert expops("export", "last", "-o", str(tmp_path / "run.json"), cwd=sandbox.root).returncode == 0
    assert reproduce(str(tmp_path / "run.json"), "--data", str(sandbox.root / "data"), cwd=tmp_path)[0] == 0
    assert (tmp_path / "elsewhere.sqlite").read_bytes() == before


def test_environment_variables_and_library_versions_are_told_as_causes(
    project: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(
        "src/model.py",
        """
        import os
        import yaml
        from expops import process

        @process()
        def aside(factor):
            yaml.safe_load("1")
            return {"mode": os.environ.get("A_MODE")}
        """,
    )
    project.configure([{"name": "aside", "parameters": {"factor": 3}}])
    monkeypatch.setenv("A_MODE", "one")
    project.run()
    path = tmp_path / "run.json"
    expops("export", "last", "-o", str(path), cwd=project.root)
    monkeypatch.setenv("A_MODE", "two")
    code, document, _ = reproduce(str(path), cwd=tmp_path)
    assert code == 3
    assert document["causes"] == ["the environment variable A_MODE is not what it was"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing-like-it",), "there is no run 'nothing-like-it'"),
        (("missing.json",), "missing.json can't be read: No such file"),
        (("last", "--into", "."), "is not empty; name a folder that is"),
        (("last", "--data", "nowhere"), "--data nowhere: no such folder"),
        (("last", "--rtol", "-1"), "'-1' is not a number of 0 or more"),
    ],
)
def test_wrong_usage_is_told_with_the_mend(project: Sandbox, arguments: tuple[str, ...], told: str) -> None:
    ran = expops("reproduce", *arguments, cwd=project.root)
    assert ran.returncode == 2
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_table_is_for_people(project: Sandbox) -> None:
    ran = expops("reproduce", "last", cwd=project.root)
    assert ran.returncode == 0, ran.stderr
    assert "  action     compared  what" in ran.stdout
    assert ran.stdout.rstrip().endswith("again: same (3 processes: 3 same)")


@pytest.mark.parametrize("dirty", [False, True])
def test_the_diff_of_a_dirty_tree_is_recorded_without_secrets(tmp_path: Path, dirty: bool) -> None:
    from recorded import document_of

    sandbox = make(tmp_path / "project")
    sandbox.write(".gitignore", ".expops/\n")
    sandbox.write("server_key.pem", "old")

    def git(*words: str) -> None:
        identity = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        subprocess.run(["git", "-C", str(sandbox.root), *identity, *words], check=True, env=environment)

    git("init", "-q")
    git("remote", "add", "origin", "https://me:hunter2@example.org/project.git")
    git("add", "-A")
    git("commit", "-qm", "first")
    if dirty:
        sandbox.write("src/helpers.py", "def scale(rows, factor):\n    return factor\n")
        sandbox.write("server_key.pem", "hunter2-key")
    sandbox.run()
    code = document_of(sandbox.root)["code"]
    assert code["commit"]
    assert code["dirty"] is dirty
    assert code["changes"]["remote"] == "https://example.org/project.git"
    if dirty:
        assert "+    return factor" in code["changes"]["diff"]
        assert "hunter2" not in json.dumps(code)
    else:
        assert code["changes"]["diff"] is None


def test_what_was_asked_about_paths_is_rebuilt_and_checked(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write("weights.bin", "12345")
    sandbox.write("caches/kept.txt", "")
    sandbox.write(
        "src/model.py",
        """
        import os
        from expops import process

        ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

        @process()
        def look():
            there = [os.path.exists(os.path.join(ROOT, name)) for name in ("weights.bin", "gone.bin", "caches")]
            return {"found": (there, os.path.getsize(os.path.join(ROOT, "weights.bin")))}
        """,
    )
    sandbox.configure(["look"])
    sandbox.run()
    (asked,) = [group["asked"] for group in document_of(sandbox.root)["inputs"]]
    assert asked["size"] == {"project/weights.bin": "file 5"}
    code, document, _ = reproduce("last", cwd=sandbox.root)
    assert (code, verdicts(document)) == (0, {"look": ("same", "")})
    sandbox.write("weights.bin", "123456")
    code, document, _ = reproduce("last", cwd=sandbox.root)
    assert code == 1
    assert "weights.bin: absent (recorded: file 5)" in verdicts(document)["look"][1]


def test_a_declared_tolerance_counts_for_that_metric_alone(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        """
        import os
        from expops import log_metric, process

        @process()
        def fit():
            log_metric("near", 1 + int.from_bytes(os.urandom(6), "big") / 2**60)
            return {}
        """,
    )
    sandbox.configure([{"name": "fit", "tolerance": {"near": 1e-3}}])
    sandbox.run()
    assert verdicts(reproduce("last", cwd=sandbox.root)[1])["fit"][0] == "within tolerance"
    sandbox.configure([{"name": "fit", "tolerance": {"far": 1e-3}}])
    sandbox.run(forced=["fit"])
    assert verdicts(reproduce("last", cwd=sandbox.root)[1])["fit"][0] == "different"


def test_without_workers_hash_seed_and_numeric_profile_are_those_of_workers(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.write(
        "src/model.py",
        """
        import ctypes
        from expops import process

        def threads():
            environment = ctypes.CDLL(None)
            environment.getenv.restype = ctypes.c_char_p
            return environment.getenv(b"OMP_NUM_THREADS")

        @process()
        def look():
            return {"order": list({str(number) for number in range(40)}), "threads": threads()}
        """,
    )
    sandbox.configure(["look"])
    path = sandbox.root / "configs" / "project_config.yaml"
    document = json.loads(path.read_text())
    document["reproducibility"]["profile"] = "stable"
    path.write_text(json.dumps(document))
    sandbox.run(jobs=1)
    ran = expops(
        "reproduce", "last", "--json", "--jobs", "0", cwd=sandbox.root, PYTHONHASHSEED="5", OMP_NUM_THREADS="3"
    )
    assert json.loads(ran.stdout)["verdict"] == "same", ran.stdout
