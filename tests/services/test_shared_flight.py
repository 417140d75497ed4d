"""Two machines that begin at the same time and share a cache: each action executes on one of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cloud import KINDS, Cloud, cloud, new_bucket
from gcs_server import gcs_server
from proxy import proxied
from servers import firestore_server, postgresql_server, redis_server

from two_machines import Machine, address, outcomes, outputs

pytestmark = pytest.mark.service

SLOW = """
import random, time

from expops import process, step


@step
def draw(count):
    time.sleep(1)
    return [random.random() for _ in range(count)]


@process()
def load():
    time.sleep(1)
    return {"items": draw(5000)}


@process()
def total(items):
    time.sleep(1)
    return {"total": sum(items) + draw(1)[0]}
"""
ACTIONS = {"load", "load/draw", "total", "total/draw"}


def _check(machines: list[Machine]) -> None:
    with ThreadPoolExecutor(len(machines)) as pool:
        runs = list(pool.map(Machine.run, machines))
    executed = [path for document, _ in runs for path, outcome in outcomes(document).items() if outcome == "executed"]
    assert sorted(executed) == sorted(ACTIONS)
    assert all(outputs(document) == outputs(runs[0][0]) for document, _ in runs)
    told = "".join(err for _, err in runs)
    assert "warning" not in told


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(request.param, tmp_path_factory.mktemp("clouds")) as found:
        yield found


def test_over_a_bucket(server: Cloud, tmp_path: Path) -> None:
    cache = address(server.kind, new_bucket(server))
    _check([Machine(tmp_path / name, cache, server.environment, SLOW) for name in ("one", "other", "third")])


@pytest.fixture(params=[redis_server, postgresql_server])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with request.param() as url:
        yield url


def test_over_a_server_and_a_folder_of_blobs(backend: str, tmp_path: Path) -> None:
    cache = f'{{backend: "{backend}", object_store: {{type: folder, path: "{tmp_path}/blobs"}}}}'
    _check([Machine(tmp_path / name, cache, {}, SLOW) for name in ("one", "other", "third")])


def test_over_a_server_and_a_bucket(backend: str, tmp_path: Path) -> None:
    with gcs_server("b") as (url, _):
        cache = f'{{backend: "{backend}", object_store: {{type: gcs, bucket: b}}}}'
        environment = {"STORAGE_EMULATOR_HOST": url}
        _check([Machine(tmp_path / name, cache, environment, SLOW) for name in ("one", "other", "third")])


def test_over_firestore_and_a_bucket(tmp_path: Path) -> None:
    with gcs_server("b") as (url, _), firestore_server() as address:
        environment = {"STORAGE_EMULATOR_HOST": url, "FIRESTORE_EMULATOR_HOST": address}
        cache = "{backend: {type: firestore, gcp_project: team}, object_store: {type: gcs, bucket: b}}"
        _check([Machine(tmp_path / name, cache, environment, SLOW) for name in ("one", "other", "third")])


def test_a_machine_without_network_waits_for_nobody(tmp_path: Path) -> None:
    with gcs_server("b") as (url, _), proxied(url) as (through, proxy):
        proxy.mode = "refuse"
        cache = "{url: 'gs://b/team', timeout: 1}"
        document, told = Machine(tmp_path, cache, {"STORAGE_EMULATOR_HOST": through}, SLOW).run()
    assert set(outcomes(document).values()) == {"executed"}
    assert told.count("warning: ") == 1
