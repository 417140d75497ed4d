"""Two machines and one bucket: what one computed is a hit for the other, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud import KINDS, Cloud, cloud, new_bucket
from gcs_server import Buckets, gcs_server
from proxy import proxied
from servers import firestore_server, free_port, redis_server

import expops
from two_machines import HITS, MODEL, Machine, address, outcomes, outputs

pytestmark = pytest.mark.service

EDITED = MODEL.replace("sum(items) +", "2 * sum(items) +")


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(request.param, tmp_path_factory.mktemp("clouds")) as found:
        yield found


@pytest.fixture
def gcs() -> Iterator[tuple[str, Buckets]]:
    with gcs_server("b") as found:
        yield found


def on_gcs(root: Path, url: str, more: str = "") -> Machine:
    return Machine(root, f"{{url: 'gs://b/team', timeout: 1{more}}}", {"STORAGE_EMULATOR_HOST": url})


def test_the_second_machine_executes_nothing(server: Cloud, tmp_path: Path) -> None:
    cache = address(server.kind, new_bucket(server))
    one, other = (Machine(tmp_path / name, cache, server.environment) for name in ("one", "other"))
    first, _ = one.run()
    assert set(outcomes(first).values()) == {"executed"}
    second, told = other.run()
    assert outcomes(second) == HITS
    assert outputs(second) == outputs(first)
    assert "warning" not in told
    other.write(EDITED)
    third, told = other.run()
    assert outcomes(third) == {"load": "hit", "total": "executed", "total/draw": "hit"}
    assert "warning" not in told
    one.write(EDITED)
    fourth, _ = one.run()
    assert outcomes(fourth) == HITS
    assert outputs(fourth) == outputs(third)
    assert json.loads(one.command("show", "--json", "last").stdout)["status"] == "done"


def test_only_what_is_loaded_comes_down(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    on_gcs(tmp_path / "one", url).run()
    assert sum("/blobs/" in name for name in held.objects["b"]) == 3
    other = on_gcs(tmp_path / "other", url)
    held.requests.clear()
    other.run("--only", "total")
    # The table is shown to people, so it comes down; the outputs, which nobody loads, don't.
    assert sum(method == "GET" and "/blobs/" in name for method, name in held.requests) == 1
    other.write(EDITED)
    held.requests.clear()
    other.run()
    assert sum(method == "GET" and "/blobs/" in name for method, name in held.requests) == 1
    assert other.blobs() == 2
    held.requests.clear()
    other.run()
    assert held.requests == []


def test_a_no_op_on_a_fresh_machine_asks_for_all_at_once(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    on_gcs(tmp_path / "one", url).run()
    held.requests.clear()
    on_gcs(tmp_path / "other", url).run()
    names = [name.split("/records/")[1].split("/")[0] for method, name in held.requests if "/records/" in name]
    assert sorted(names) == ["action"] * 2 + ["last"] * 2 + ["result"] * 2
    assert not [method for method, _ in held.requests if method != "GET"]


def test_push_and_pull(server: Cloud, tmp_path: Path) -> None:
    cache = address(server.kind, new_bucket(server))
    one, other = (Machine(tmp_path / name, cache, server.environment) for name in ("one", "other"))
    one.configure("local")
    first, _ = one.run()
    one.configure(cache)
    # What was made before there was a bucket goes up when it is asked for.
    pushed = json.loads(one.command("cache", "push", "--json").stdout)
    assert pushed["pushed"]["blobs"] == 3
    assert json.loads(one.command("cache", "push", "--json").stdout)["pushed"]["records"] == 0
    done = other.command("cache", "pull", "--run", first["run_id"][:12])
    assert done.returncode == 0, done.stderr
    assert other.blobs() == 3
    other.environment = {}
    alone, told = other.run() if server.kind != "folder" else one.run()
    assert outcomes(alone) == HITS
    assert outputs(alone) == outputs(first)
    assert "warning" not in told


def test_a_process_and_all_are_pulled(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, _ = gcs
    on_gcs(tmp_path / "one", url).run()
    other = on_gcs(tmp_path / "other", url)
    one_process = json.loads(other.command("cache", "pull", "--process", "total", "--json").stdout)["pulled"]
    assert one_process["blobs"] == 0
    everything = json.loads(other.command("cache", "pull", "--json").stdout)["pulled"]
    assert everything["blobs"] == 3
    assert json.loads(other.command("cache", "pull", "--json").stdout)["pulled"] == {
        "records": 0,
        "blobs": 0,
        "bytes": 0,
    }
    unknown = other.command("cache", "pull", "--process", "nobody")
    assert unknown.returncode == 2
    assert "nobody" in unknown.stderr


def test_read_only_machines_write_nothing(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    on_gcs(tmp_path / "one", url).run()
    fork = on_gcs(tmp_path / "fork", url, ", mode: read-only")
    held.requests.clear()
    assert outcomes(fork.run()[0]) == HITS
    fork.write(EDITED)
    document, told = fork.run()
    assert outcomes(document)["total"] == "executed"
    assert "warning" not in told
    assert {method for method, _ in held.requests} <= {"GET", "HEAD"}
    done = fork.command("cache", "push")
    assert done.returncode == 2
    assert "read-only" in done.stderr
    assert outcomes(fork.run()[0]) == HITS


@pytest.mark.parametrize("mode", ["refuse", "stall"])
def test_without_an_answer_a_run_goes_on_and_a_later_one_uploads(
    gcs: tuple[str, Buckets], tmp_path: Path, mode: str
) -> None:
    url, held = gcs
    with proxied(url) as (through, proxy):
        one = on_gcs(tmp_path / "one", through)
        proxy.mode = mode
        alone, told = one.run()
        assert set(outcomes(alone).values()) == {"executed"}
        assert told.count("warning: ") == 1, told
        assert "gs://b/team/shared can't be used: no answer" in told
        assert "expops cache push" in told
        assert not held.objects["b"]
        # Not even that, where all is at hand.
        again, told = one.run()
        assert outcomes(again) == HITS
        assert outputs(again) == outputs(alone)
        proxy.mode = "pass"
        assert one.command("run", "--jobs", "1").returncode == 0
        assert outcomes(on_gcs(tmp_path / "other", url).run()[0]) == HITS


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_bucket_that_refuses_is_one_warning(gcs: tuple[str, Buckets], tmp_path: Path, status: int) -> None:
    url, held = gcs
    one = on_gcs(tmp_path / "one", url)
    held.refuse = lambda method, name: status
    alone, told = one.run()
    assert set(outcomes(alone).values()) == {"executed"}
    assert told.count("warning: ") == 1, told
    assert str(status) in told
    done = one.command("cache", "push")
    assert done.returncode == 1
    assert str(status) in done.stderr
    held.refuse = lambda method, name: 0
    done = one.command("cache", "push")
    assert done.returncode == 0, done.stderr
    assert outcomes(on_gcs(tmp_path / "other", url).run()[0]) == HITS


def test_a_bucket_that_may_be_read_and_not_written(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    on_gcs(tmp_path / "one", url).run()
    held.refuse = lambda method, name: 403 if method in ("PUT", "POST", "DELETE") else 0
    other = on_gcs(tmp_path / "other", url)
    assert outcomes(other.run()[0]) == HITS
    other.write(EDITED)
    document, told = other.run()
    assert outcomes(document) == {"load": "hit", "total": "executed", "total/draw": "hit"}
    assert told.count("warning: ") == 1, told
    assert "403 Forbidden" in told


def test_now_and_then_busy_is_no_warning(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    seen: dict[tuple[str, str], int] = {}

    def busy(method: str, name: str) -> int:
        seen[method, name] = seen.get((method, name), 0) + 1
        return (503, 429)[len(name) % 2] if seen[method, name] == 1 else 0

    held.refuse = busy
    _, told = on_gcs(tmp_path / "one", url).run()
    assert "warning" not in told
    document, told = on_gcs(tmp_path / "other", url).run()
    assert outcomes(document) == HITS
    assert "warning" not in told


def test_replies_that_are_lost_after_the_write_took_effect(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    seen: set[str] = set()

    def first(method: str, name: str) -> bool:
        fresh = method == "PUT" and name not in seen
        seen.add(name)
        return fresh

    held.forget_reply = first
    alone, told = on_gcs(tmp_path / "one", url).run()
    assert "warning" not in told
    document, _ = on_gcs(tmp_path / "other", url).run()
    assert outcomes(document) == HITS
    assert outputs(document) == outputs(alone)


def test_connections_that_are_cut_under_way(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, _ = gcs
    with proxied(url) as (through, proxy):
        proxy.mode, proxy.cuts = "cut", 3
        _, told = on_gcs(tmp_path / "one", through).run()
        assert "warning" not in told
        proxy.cuts = 3
        document, told = on_gcs(tmp_path / "other", through).run()
    assert outcomes(document) == HITS
    assert "warning" not in told


def _alter(held: Buckets, part: str, how: str) -> None:
    objects = held.objects["b"]
    for name in [name for name in objects if part in name]:
        data = objects[name].data
        if how == "missing":
            del objects[name]
        elif how == "cut short":
            objects[name] = objects[name]._replace(data=data[: len(data) // 2])
        else:
            middle = len(data) // 2
            flipped = bytes([data[middle] ^ 1])
            objects[name] = objects[name]._replace(data=data[:middle] + flipped + data[middle + 1 :])


@pytest.mark.parametrize("how", ["flipped", "cut short", "missing"])
def test_damaged_blobs_are_made_again(gcs: tuple[str, Buckets], tmp_path: Path, how: str) -> None:
    url, held = gcs
    first, _ = on_gcs(tmp_path / "one", url).run()
    _alter(held, "/blobs/", how)
    other = on_gcs(tmp_path / "other", url)
    other.write(EDITED)
    document, told = other.run()
    assert outcomes(document)["load"] == "executed"
    assert "output 'items' of 'load'" in told
    assert "'load' runs again" in told
    assert outputs(document)["load"] == outputs(first)["load"]
    # What was made again is what others find.
    third = on_gcs(tmp_path / "third", url)
    third.write(EDITED)
    document, told = third.run("--force", "total")
    assert outcomes(document)["load"] == "hit"
    assert "warning" not in told


@pytest.mark.parametrize("how", ["flipped", "cut short", "missing"])
def test_damaged_records_are_misses(gcs: tuple[str, Buckets], tmp_path: Path, how: str) -> None:
    url, held = gcs
    first, _ = on_gcs(tmp_path / "one", url).run()
    _alter(held, "/records/", how)
    document, told = on_gcs(tmp_path / "other", url).run()
    assert outcomes(document)["load"] == "executed"
    assert outputs(document) == outputs(first)
    assert ("damaged" in told) == (how != "missing")
    document, told = on_gcs(tmp_path / "third", url).run()
    assert outcomes(document) == HITS
    assert "warning" not in told


def test_killed_while_it_uploads_nothing_is_lost(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    one = on_gcs(tmp_path / "one", url)
    reached: list[str] = []
    held.refuse = lambda method, name: reached.append(name) or 503 if "/result/" in name and method == "PUT" else 0
    environment = {**os.environ, "PYTHONPATH": str(Path(expops.__file__).parents[1]), **one.environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "expops", "run", "--jobs", "1", "-q"], cwd=one.root, env=environment
    )
    while not reached:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    held.refuse = lambda method, name: 0
    assert one.command("run", "-q").returncode == 0
    assert outcomes(on_gcs(tmp_path / "other", url).run()[0]) == HITS


def test_what_ends_goes_up_while_the_rest_still_runs_and_an_interrupted_run_leaves_the_rest(
    gcs: tuple[str, Buckets], tmp_path: Path
) -> None:
    url, held = gcs
    one = on_gcs(tmp_path / "one", url)
    one.write(MODEL.replace("def total(items):\n", "def total(items):\n    __import__('time').sleep(90)\n"))
    environment = {**os.environ, "PYTHONPATH": str(Path(expops.__file__).parents[1]), **one.environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "expops", "run", "--jobs", "1", "-q"], cwd=one.root, env=environment
    )
    while not any(method == "PUT" and "/last/" in name for method, name in held.requests):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert json.loads(one.command("cache", "info", "--json").stdout)["waiting"] > 0
    document, _ = on_gcs(tmp_path / "other", url).run()
    assert outcomes(document)["load"] == "hit"
    assert one.command("cache", "push").returncode == 0
    assert json.loads(one.command("cache", "info", "--json").stdout)["waiting"] == 0


def test_a_manifest_is_never_there_before_its_blobs(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    on_gcs(tmp_path / "one", url).run()
    written = [name for method, name in held.requests if method == "PUT"]
    first_result = min(index for index, name in enumerate(written) if "/result/" in name)
    assert max(index for index, name in enumerate(written) if "/blobs/" in name) < first_result


def test_credentials_are_shown_nowhere(server: Cloud, tmp_path: Path) -> None:
    if server.kind not in ("s3", "azure"):
        return
    secrets = [part.partition("AccountKey=")[2].partition(";")[0] for part in server.environment.values()]
    secrets = [part for part in [*secrets, server.environment.get("AWS_SECRET_ACCESS_KEY", "")] if part]
    assert secrets
    cache = address(server.kind, new_bucket(server))
    missing = address(server.kind, "no-such-bucket")
    for name, where in (("one", cache), ("two", missing)):
        machine = Machine(tmp_path / name, where, server.environment)
        shown = ""
        for words in (["run", "--jobs", "1"], ["cache", "info", "--json"], ["status"], ["show"], ["cache", "push"]):
            done = machine.command(*words)
            shown += done.stdout + done.stderr
        assert "Traceback" not in shown
        kept = b"".join(path.read_bytes() for path in machine.root.rglob("*") if path.is_file())
        for secret in secrets:
            assert secret not in shown
            assert secret.encode() not in kept


def test_records_may_be_on_a_server_and_blobs_in_a_bucket(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    with redis_server() as redis:
        given = f"{{url: 'gs://b/team', timeout: 1, backend: '{redis}'}}"
        _share(held, [Machine(tmp_path / name, given, {"STORAGE_EMULATOR_HOST": url}) for name in ("one", "other")])


@pytest.mark.parametrize(
    "cache",
    [
        "{url: 'gs://b/team', backend: firestore, gcp_project: p}",
        "{backend: {type: firestore}, object_store: {type: gcs, bucket: b, prefix: team}}",
        "{backend: gcs, bucket: b, prefix: team, kv_backend: firestore, gcp_project: p}",
    ],
)
def test_records_may_be_in_firestore(gcs: tuple[str, Buckets], tmp_path: Path, cache: str) -> None:
    url, held = gcs
    with firestore_server() as host:
        found = {"STORAGE_EMULATOR_HOST": url, "FIRESTORE_EMULATOR_HOST": host}
        _share(held, [Machine(tmp_path / name, cache, found) for name in ("one", "other")])


def _share(held: Buckets, machines: list[Machine]) -> None:
    first, told = machines[0].run()
    assert "warning" not in told
    assert not [name for name in held.objects["b"] if "/records/" in name]
    second, _ = machines[1].run()
    assert outcomes(second) == HITS
    machines[1].write(EDITED)
    third, _ = machines[1].run()
    assert outcomes(third)["load"] == "hit"
    assert outputs(second) == outputs(first)


def test_a_cache_that_was_cleared_finds_what_the_bucket_has(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, held = gcs
    one = on_gcs(tmp_path / "one", url)
    one.run()
    before = set(held.objects["b"])
    done = one.command("cache", "clear", "--yes")
    assert "the bucket keeps what it has" in done.stdout
    assert before <= set(held.objects["b"])
    assert outcomes(one.run()[0]) == HITS


def test_nobody_there_and_no_client(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "one", "{url: 's3://b', timeout: 1}", {})
    machine.environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "AWS_ACCESS_KEY_ID": "a"}
    document, told = machine.run()
    assert set(outcomes(document).values()) == {"executed"}
    assert told.count("warning: ") == 1
    hidden = tmp_path / "without"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as util\nreal = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'obstore' else real(name, *rest)\n"
    )
    source = str(Path(expops.__file__).parents[1])
    machine.environment = {"PYTHONPATH": f"{hidden}{os.pathsep}{source}"}
    done = machine.command("status")
    assert done.returncode == 2
    assert "pip install 'expops[bucket]'" in done.stderr


@pytest.mark.parametrize("backend", ["local", "memory"])
def test_blobs_in_a_bucket_and_records_at_home_are_refused(tmp_path: Path, backend: str) -> None:
    done = Machine(tmp_path / "one", f"{{url: 's3://b', backend: {backend}}}", {}).command("status")
    assert done.returncode == 2
    assert "use 'bucket, redis, postgresql or firestore', or leave it out" in done.stderr


def test_what_one_machine_found_unstable_the_other_does_not_take(gcs: tuple[str, Buckets], tmp_path: Path) -> None:
    url, _ = gcs
    one, other = (on_gcs(tmp_path / name, url, ", require_stable: true") for name in ("one", "other"))
    for machine in (one, other):
        machine.write(MODEL.replace('"name": "x"', '"name": list(set("abcdefgh"))'))
    one.run()
    assert one.command("verify", "load", "--vary", "hash-seed", "--turns", "1").returncode == 3
    assert outcomes(one.run()[0])["load"] == "executed"
    document, _ = other.run()
    assert outcomes(document) == {"load": "executed", "load/draw": "hit", "total": "hit"}
    assert "found it unstable" in document["actions"][0]["reason"] + document["actions"][1]["reason"]
