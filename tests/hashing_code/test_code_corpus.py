"""Real code as input: every function of well-known packages, as if they were the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import corpus
from expops.hashing.code import ProjectCode

SCRIPT = """
import json, sys
from expops.hashing.code import ProjectCode
root, *files = sys.argv[1:]
code = ProjectCode(root, import_roots=[root])
if sys.argv[1].endswith("b"):
    files.reverse()  # in what order they are asked for is all the same
found = {f"{file}::{name}": code.fingerprint(file, name).digest for file in files for name in code.symbols(file)}
json.dump(found, sys.stdout)
"""


def fingerprints(root: Path, seed: str) -> dict[str, str]:
    command = [sys.executable, "-c", SCRIPT, os.fspath(root), *corpus.files(root)]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", corpus.PACKAGES)
def test_real_packages_have_the_same_fingerprints_in_every_process_and_place(name: str, tmp_path: Path) -> None:
    one = fingerprints(corpus.copy(name, tmp_path / "a"), "1")
    assert len(one) > 150
    assert one == fingerprints(corpus.copy(name, tmp_path / "b"), "2")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", corpus.PACKAGES)
def test_an_edit_of_any_function_of_a_real_package_changes_its_fingerprint(name: str, tmp_path: Path) -> None:
    root = corpus.copy(name, tmp_path)
    code = ProjectCode(os.fspath(root), import_roots=[os.fspath(root)])
    functions = {file: code.functions(file) for file in corpus.files(root)}
    before = {(file, name): code.fingerprint(file, name).digest for file in functions for name in functions[file]}
    for file, known in functions.items():
        lines = (root / file).read_text(encoding="utf-8").splitlines(keepends=True)
        for function in sorted(known.values(), key=lambda facts: -facts.line):  # those above stay where they are
            definition = lines[function.line - 1]
            indent = definition[: len(definition) - len(definition.lstrip())]
            lines.insert(function.line - 1, f"{indent}@(lambda function: function)\n")
        (root / file).write_text("".join(lines), encoding="utf-8")
    edited = ProjectCode(os.fspath(root), import_roots=[os.fspath(root)])
    same = [where for where, digest in before.items() if edited.fingerprint(*where).digest == digest]
    assert same == []
