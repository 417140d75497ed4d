"""Two checkouts with one KV store and one folder of blobs: what one computed is a hit for the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import firestore_server, free_port, postgresql_server, redis_server

import expops
from expops.kv._firestore_api import Target
from expops.kv.firestore import FirestoreKV
from expops.kv.postgresql import PostgreSQLKV
from expops.kv.redis import RedisKV

pytestmark = pytest.mark.service

MODEL = """
import random

from expops import process, step


@step
def draw(count):
    return [random.random() for _ in range(count)]


@process()
def load():
    return {"items": draw(5000), "name": "x"}


@process()
def total(items):
    return {"total": sum(items) + draw(1)[0]}
"""
CONFIG = """
metadata: {{name: shared}}
scripts: {{main: src/model.py}}
experiment:
  cache:
    backend: {backend}
    object_store: {{type: folder, path: "{blobs}"}}
  pipeline:
    process_adjlist: load total
    processes: [{{name: load}}, {{name: total}}]
"""


def project(root: Path, backend: str | dict[str, str], blobs: Path) -> Path:
    for name, text in (
        ("configs/project_config.yaml", CONFIG.format(backend=json.dumps(backend), blobs=blobs)),
        ("src/model.py", MODEL),
    ):
        path = root / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return root


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(expops.__file__).parents[1])}
    given = [sys.executable, "-m", "expops", *words]
    return subprocess.run(given, cwd=root, capture_output=True, text=True, env=environment, check=False)


def run(root: Path) -> tuple[dict[str, Any], str]:
    done = command(root, "run", "--json", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document, done.stderr


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {action["path"]: action["outcome"] for action in document["actions"]}


def outputs(document: dict[str, Any]) -> dict[str, Any]:
    return {action["path"]: action["outputs"] for action in document["actions"] if action["kind"] == "process"}


@pytest.fixture(params=[redis_server, postgresql_server, firestore_server])
def url(request: pytest.FixtureRequest) -> Iterator[str | dict[str, str]]:
    with request.param() as url:
        yield {"type": "firestore", "endpoint": f"http://{url}", "project": "p"} if "://" not in url else url


def test_the_second_checkout_executes_nothing(url: str | dict[str, str], tmp_path: Path) -> None:
    one, other = (project(tmp_path / name, url, tmp_path / "blobs") for name in ("one", "other"))
    first, _ = run(one)
    assert set(outcomes(first).values()) == {"executed"}
    second, told = run(other)
    assert outcomes(second) == {"load": "hit", "total": "hit"}
    assert outputs(second) == outputs(first)
    assert "warning" not in told
    (other / "src" / "model.py").write_text(MODEL.replace("sum(items) +", "2 * sum(items) +"))
    third, _ = run(other)
    assert outcomes(third) == {"load": "hit", "total": "executed", "total/draw": "hit"}


def test_commands_that_look_read_the_server(url: str | dict[str, str], tmp_path: Path) -> None:
    one, other = (project(tmp_path / name, url, tmp_path / "blobs") for name in ("one", "other"))
    document, _ = run(one)
    for words in (["runs"], ["show"], ["diff", "last", "last"], ["explain", "total"], ["status"], ["cache", "info"]):
        done = command(other, *words)
        assert done.returncode == 0, done.stderr
    assert json.loads(command(other, "show", "--json").stdout)["run_id"] == document["run_id"]
    assert json.loads(command(other, "cache", "info", "--json").stdout)["results"]["process"] == 2


def test_what_is_derived_from_a_machines_files_stays_on_it(url: str | dict[str, str], tmp_path: Path) -> None:
    run(project(tmp_path / "one", url, tmp_path / "blobs"))
    place = "expops_shared"
    if isinstance(url, dict):
        store: FirestoreKV | RedisKV | PostgreSQLKV
        store = FirestoreKV(Target("p", "(default)", url["endpoint"]), collection=place)
    else:
        store = RedisKV(url, prefix=place) if url.startswith("redis") else PostgreSQLKV(url, table=place)
    kinds = {key.partition("/")[0] for key, _ in store.scan("")}
    store.close()
    assert {"result", "last", "run"} <= kinds
    assert "memo" not in kinds


@pytest.mark.parametrize("account", ["none", "broken"])
def test_without_firestore_a_run_goes_on_and_the_next_one_hands_over(account: str, tmp_path: Path) -> None:
    root = project(tmp_path / "one", {"type": "firestore", "credentials_json": "key.json"}, tmp_path / "blobs")
    if account == "broken":
        (root / "key.json").write_text('{"type": "service_account", "private_key": "secret"}')
    alone, told = run(root)
    assert set(outcomes(alone).values()) == {"executed"}
    assert told.count("can't be read") == 1
    assert str(root / "key.json") in told
    assert "secret" not in told
    with firestore_server() as host:
        path = root / "configs/project_config.yaml"
        path.write_text(path.read_text().replace('"key.json"', f'"key.json", "endpoint": "http://{host}"'))
        again, _ = run(root)
        assert outcomes(again) == {"load": "hit", "total": "hit"}
        assert outputs(again) == outputs(alone)


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    address = f"redis://me:secret@127.0.0.1:{free_port()}/0?password=secret"
    root = project(tmp_path / "one", address, tmp_path / "blobs")
    for words in (["cache", "info", "--json"], ["runs"], ["show"], ["run", "--json"], ["status"]):
        done = command(root, *words)
        assert "secret" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_prefix_that_can_be_no_table_is_a_problem_of_the_configuration(tmp_path: Path) -> None:
    root = project(tmp_path / "one", "postgresql://127.0.0.1/0", tmp_path / "blobs")
    path = root / "configs/project_config.yaml"
    backend = "{type: postgresql, url: 'postgresql://127.0.0.1/0', prefix: my-team}"
    path.write_text(path.read_text().replace('"postgresql://127.0.0.1/0"', backend))
    done = command(root, "status")
    assert done.returncode == 2
    assert "'my-team' is no name for a table" in done.stderr


def test_without_the_server_a_run_goes_on_and_the_next_one_hands_over(tmp_path: Path) -> None:
    address = f"redis://127.0.0.1:{free_port()}/0"
    root = project(tmp_path / "one", address, tmp_path / "blobs")
    alone, told = run(root)
    assert set(outcomes(alone).values()) == {"executed"}
    assert told.count("can't be read") == 1
    assert told.count("results are not") <= 1
    with redis_server() as url:
        path = root / "configs/project_config.yaml"
        path.write_text(path.read_text().replace(address, url))
        again, _ = run(root)
        assert outcomes(again) == {"load": "hit", "total": "hit"}
        assert outputs(again) == outputs(alone)


def test_projects_of_other_names_share_a_server_and_nothing_else(url: str | dict[str, str], tmp_path: Path) -> None:
    one, other = (project(tmp_path / name, url, tmp_path / "blobs") for name in ("one", "other"))
    path = other / "configs/project_config.yaml"
    path.write_text(path.read_text().replace("name: shared", "name: Shared"))
    run(one)
    document, _ = run(other)
    assert set(outcomes(document).values()) == {"executed"}


@pytest.mark.parametrize("kind", ["redis", "postgresql", "firestore"])
def test_without_the_client_library_the_mend_is_told(kind: str, tmp_path: Path) -> None:
    backend = kind if kind == "firestore" else f"{kind}://127.0.0.1/0"
    root = project(tmp_path / "one", backend, tmp_path / "blobs")
    without = "import sys; sys.modules['redis'] = sys.modules['psycopg'] = sys.modules['urllib3'] = None"
    code = f"{without}\nfrom expops.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "status", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"pip install 'expops[{kind}]'" in done.stderr
    assert "Traceback" not in done.stderr
