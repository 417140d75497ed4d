"""Garbage collection and checks of what a team shares, in real buckets and on real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud import KINDS, Cloud, cloud, new_bucket
from gcs_server import gcs_server
from servers import postgresql_server, redis_server

from two_machines import HITS, MODEL, Machine, address, outcomes

pytestmark = pytest.mark.service

EDITED = MODEL.replace('"aside": bytes', '"aside": b"x" + bytes').replace("sum(items) +", "2 * sum(items) +")


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(request.param, tmp_path_factory.mktemp("clouds")) as found:
        yield found


@pytest.fixture(params=[redis_server, postgresql_server])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with request.param() as url:
        yield url


def _care(machine: Machine, *words: str) -> dict[str, object]:
    done = machine.command("cache", *words, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout)
    return document


def test_in_a_bucket(server: Cloud, tmp_path: Path) -> None:
    cache = address(server.kind, new_bucket(server))
    one, other, third = (Machine(tmp_path / name, cache, server.environment) for name in ("one", "other", "third"))
    one.run()
    one.write(EDITED)
    one.run()
    dry = _care(one, "gc", "--remote", "--keep-runs", "1", "--max-size", "0", "--grace", "0s", "--dry-run")
    assert dry["blobs"]
    done = _care(one, "gc", "--remote", "--keep-runs", "1", "--max-size", "0", "--grace", "0s")
    assert (done["results"], done["freed_bytes"]) == (dry["results"], dry["freed_bytes"])
    assert _care(other, "verify", "--remote")["dangling"] == []
    other.write(EDITED)
    assert set(outcomes(other.run()[0]).values()) == {"hit"}
    document, told = third.run()
    assert "executed" in set(outcomes(document).values())
    assert "warning" not in told
    _care(one, "gc", "--remote", "--older-than", "0s", "--grace", "0s")
    assert _care(one, "verify", "--remote")["blobs"] == 0
    # This machine has its own, and a bucket that was emptied does it no harm.
    assert outcomes(one.run()[0]) == HITS


def test_what_has_not_been_uploaded_stays(tmp_path: Path) -> None:
    with gcs_server("b") as (url, held):
        machine = Machine(tmp_path, "{url: 'gs://b/team', timeout: 1}", {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"})
        machine.run()
        _care(machine, "gc", "--max-size", "0", "--older-than", "0s", "--grace", "0s")
        machine.environment = {"STORAGE_EMULATOR_HOST": url}
        assert machine.command("cache", "push").returncode == 0
        other = Machine(tmp_path / "other", "{url: 'gs://b/team', timeout: 1}", machine.environment)
        assert outcomes(other.run()[0]) == HITS
        assert held.objects["b"]


def test_a_damaged_bucket_is_repaired(tmp_path: Path) -> None:
    with gcs_server("b") as (url, held):
        machine = Machine(tmp_path / "one", "gs://b/team", {"STORAGE_EMULATOR_HOST": url})
        machine.run()
        blobs = [name for name in held.objects["b"] if "/blobs/" in name]
        item = held.objects["b"][blobs[0]]
        held.objects["b"][blobs[0]] = item._replace(data=bytes([item.data[0] ^ 1]) + item.data[1:])
        del held.objects["b"][blobs[1]]
        done = machine.command("cache", "verify", "--remote")
        assert done.returncode == 3, done.stderr
        assert "damaged" in done.stdout
        assert "missing or damaged" in done.stdout
        assert machine.command("cache", "verify", "--remote", "--repair").returncode == 0
        assert machine.command("cache", "verify", "--remote").returncode == 0
        other = Machine(tmp_path / "other", "gs://b/team", {"STORAGE_EMULATOR_HOST": url})
        assert "executed" in outcomes(other.run()[0]).values()


def test_read_only_buckets_are_only_looked_at(tmp_path: Path) -> None:
    with gcs_server("b") as (url, _):
        Machine(tmp_path / "one", "gs://b/team", {"STORAGE_EMULATOR_HOST": url}).run()
        reader = Machine(tmp_path / "two", "{url: 'gs://b/team', mode: read-only}", {"STORAGE_EMULATOR_HOST": url})
        assert reader.command("cache", "verify", "--remote").returncode == 0
        assert reader.command("cache", "gc", "--remote", "--dry-run").returncode == 0
        for words in (("gc", "--remote"), ("verify", "--remote", "--repair")):
            done = reader.command("cache", *words)
            assert done.returncode == 2
            assert "is only read" in done.stderr


def test_on_a_server(backend: str, tmp_path: Path) -> None:
    cache = f'{{backend: "{backend}", object_store: {{type: folder, path: "{tmp_path}/blobs"}}}}'
    one, other = (Machine(tmp_path / name, cache, {}) for name in ("one", "other"))
    one.run()
    one.write(EDITED)
    one.run()
    _care(other, "gc", "--keep-runs", "1", "--max-size", "0", "--grace", "0s")
    assert _care(other, "verify")["orphans"] == {"count": 0, "bytes": 0}
    other.write(EDITED)
    assert set(outcomes(other.run()[0]).values()) == {"hit"}
