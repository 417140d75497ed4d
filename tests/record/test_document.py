"""The document of a run: valid, whole, with a digest that says so, and without secrets."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from recorded import document_of, make, validator

from expops.errors import CorruptData
from expops.record.document import check_document, document_digest, source_bytes
from expops.runs.canonical import canonical


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of a run in which all executed, and of one in which all was cached."""
    sandbox = make(tmp_path_factory.mktemp("record") / "project")
    sandbox.run()
    first = document_of(sandbox.root)
    sandbox.run()
    return first, document_of(sandbox.root)


def test_documents_are_valid_under_the_schema(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for document in documents:
        assert [error.message for error in validator().iter_errors(document)] == []
        assert check_document(json.loads(canonical(document))) == document


def test_the_document_has_what_reproducing_needs(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for document in documents:
        files = document["code"]["files"]
        # Also what is imported without being used, and what that imports.
        assert files.keys() == {
            *("configs/project_config.yaml", "src/model.py", "src/helpers.py"),
            *("src/unused_here.py", "src/pieces/__init__.py"),
        }
        assert all(source_bytes(document, mark) is not None for mark in files.values())
        read = {item["name"]: item for group in document["inputs"] for item in group["files"]}
        assert read["project/src/settings.json"]["recorded"]
        assert not read["project/data/rows.txt"]["recorded"]
        assert source_bytes(document, read["project/src/settings.json"]["digest"]) == b'{"shift": 3}'
        assert document["configuration"]["resolved"]["processes"][1]["parameters"] == {"factor": 2}
        names = {package["name"] for package in document["environment"]["packages"]}
        assert {"expops", "pytest", "blake3"} <= names


def test_each_action_says_what_it_took_and_gave(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = documents
    actions = {item["path"]: item for item in first["actions"]}
    assert actions.keys() == {"load", "load/draw", "fit", "aside"}
    assert actions["load/draw"]["drew"]
    assert not actions["aside"]["drew"]
    assert "src/helpers.py::scale" in actions["fit"]["code"]["symbols"]
    assert actions["fit"]["takes"]["inputs"]["rows"] == actions["load"]["outputs"]["rows"]["fingerprint"]
    assert [item["path"] for item in actions["fit"]["artifacts"]] == ["report.txt"]
    assert all(item["digests"] for item in actions["fit"]["outputs"].values())
    assert first["measurements"]["actions"]["fit"]["peak_memory_bytes"] > 1_000_000
    assert {item["producer"] for item in second["actions"]} == {first["run"]["id"]}
    assert [item["outcome"] for item in second["actions"]] == ["hit", "hit", "hit"]


def test_times_and_resources_are_outside_the_digest(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    document = copy.deepcopy(documents[0])
    document["measurements"]["actions"]["fit"]["seconds"] += 1
    document["measurements"]["host"] = "elsewhere"
    assert document_digest(document) == document["digest"]


@pytest.mark.parametrize("path", [("run", "seed"), ("code", "files"), ("actions", 0), ("metrics", "fit")])
def test_an_altered_document_is_refused(
    documents: tuple[dict[str, Any], dict[str, Any]], path: tuple[str, str | int]
) -> None:
    document = copy.deepcopy(documents[0])
    document[path[0]][path[1]] = {} if path[1] != "seed" else "7"
    with pytest.raises(CorruptData, match="altered or damaged"):
        check_document(document)


def test_altered_sources_are_refused(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    document = copy.deepcopy(documents[0])
    mark = document["code"]["files"]["src/model.py"]
    document["sources"][mark]["text"] += "\n# more"
    with pytest.raises(CorruptData, match="other bytes"):
        source_bytes(document, mark)


@pytest.mark.parametrize("document", [None, [], {}, {"schema": "expops.run/99"}, {"schema": "expops.run/1"}])
def test_what_is_no_record_is_refused(document: Any) -> None:
    with pytest.raises(CorruptData):
        check_document(document)


def test_secrets_stay_out_of_the_record(tmp_path: Path) -> None:
    sandbox = make(tmp_path / "project")
    sandbox.write("src/.env", "TOKEN=hunter2-env")
    sandbox.write("src/api_key.txt", "hunter2-key")
    sandbox.write(
        "src/model.py",
        """
        import os
        from expops import process

        @process()
        def load(count):
            here = os.path.dirname(__file__)
            sizes = [len(os.environ["A_PASSWORD"])]
            for name in (".env", "api_key.txt"):
                with open(os.path.join(here, name)) as file:
                    sizes.append(len(file.read()))
            return {"sizes": sizes}
        """,
    )
    sandbox.configure([{"name": "load", "parameters": {"count": 1}}])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_PASSWORD", "hunter2-variable")
        sandbox.run(settings=["load.count=2"])
    text = canonical(document_of(sandbox.root)).decode()
    assert "hunter2" not in text
    assert '"A_PASSWORD"' in text  # by name and digest
    assert "project/src/api_key.txt" in text


def test_credentials_in_urls_are_taken_out(tmp_path: Path) -> None:
    sandbox = make(tmp_path / "project")
    sandbox.run(settings=["aside.factor='https://user:hunter2@host/x'"])
    document = document_of(sandbox.root)
    resolved = json.dumps(document["configuration"])
    assert "https://host/x" in resolved
    assert "hunter2" not in resolved


def test_a_failed_run_has_a_valid_document(tmp_path: Path) -> None:
    sandbox = make(tmp_path / "project")
    (sandbox.root / "data" / "rows.txt").write_text("no number")
    assert sandbox.run().run.status == "failed"
    document = document_of(sandbox.root)
    assert [error.message for error in validator().iter_errors(document)] == []
    assert {item["path"]: item["outcome"] for item in document["actions"]}["fit"] == "skipped"
    assert document["code"]["left_out"] == {}


def test_credentials_in_the_configuration_are_not_recorded(tmp_path: Path) -> None:
    sandbox = make(tmp_path)
    path = sandbox.root / "configs" / "project_config.yaml"
    note = "\n# was redis://me:hunter2@host/0, or postgresql://host/db?sslpassword=hunter3&user=me\n"
    path.write_text(path.read_text() + note)
    sandbox.run()
    document = document_of(sandbox.root)
    held = document["sources"][document["code"]["files"]["configs/project_config.yaml"]]["text"]
    assert "redis://host/0, or postgresql://host/db?sslpassword=&user=me" in held
    assert "hunter" not in json.dumps(document)


def test_the_text_of_code_that_is_named_for_secrets_is_not_in_the_document(tmp_path: Path) -> None:
    sandbox = make(tmp_path)
    sandbox.write("src/helpers.py", "from my_secrets import KEY\n\ndef scale(rows, factor):\n    return [KEY, *rows]\n")
    sandbox.write("src/my_secrets.py", "KEY = 4711\n")
    sandbox.run()
    document = document_of(sandbox.root)
    assert "src/my_secrets.py" in document["code"]["left_out"]
    assert "4711" not in json.dumps(document["sources"])
