"""Signed records on real servers: the contract, and two checkouts with a server that somebody else writes to."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cloud import KINDS, Cloud, cloud, new_bucket
from servers import postgresql_server, redis_server

from expops.blobs._stamp import stamp
from expops.buckets.bucket import Bucket
from expops.buckets.clients import connect
from expops.buckets.place import Place
from expops.cache.manifest import StoredValue, pack, unpack
from expops.kv.base import KVStore
from expops.kv.bucket import BucketKV
from expops.kv.enveloped import SIGNED
from expops.kv.postgresql import PostgreSQLKV
from expops.kv.redis import RedisKV
from expops.kv.signed import SignedKV
from expops.testing.kv_suite import KVStoreSuite
from two_machines import HITS, Machine, address, outcomes, outputs

pytestmark = pytest.mark.service

ONE, OTHER = "1f" * 32, "2e" * 32
KEYS = [bytes.fromhex(ONE), bytes.fromhex(OTHER)]


@pytest.fixture(scope="module", params=[redis_server, postgresql_server], ids=["redis", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with request.param() as url:
        yield url


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(request.param, tmp_path_factory.mktemp("clouds")) as found:
        yield found


def opened(url: str, name: str) -> RedisKV | PostgreSQLKV:
    return RedisKV(url, prefix=name) if url.startswith("redis") else PostgreSQLKV(url, table=name)


class TestSignedOnServers(KVStoreSuite):
    """Two clients, whose keys are being replaced."""

    examples = 8

    @pytest.fixture
    def store(self, url: str) -> Iterator[KVStore]:
        with closing(SignedKV(opened(url, "signed"), KEYS)) as store:
            yield store

    @pytest.fixture
    def second(self, url: str) -> Iterator[KVStore]:
        with closing(SignedKV(opened(url, "signed"), KEYS[::-1])) as store:
            yield store


class TestSignedInBuckets(KVStoreSuite):
    examples = 4

    @pytest.fixture
    def bucket(self, server: Cloud) -> Iterator[Bucket]:
        place = Place(server.kind, new_bucket(server), "team/signed")
        bucket = Bucket(place, connect(place, server.environment))
        yield bucket
        bucket.close()

    @pytest.fixture
    def store(self, bucket: Bucket) -> KVStore:
        return SignedKV(BucketKV(lambda: bucket), KEYS)

    @pytest.fixture
    def second(self, bucket: Bucket) -> KVStore:
        return SignedKV(BucketKV(lambda: bucket), KEYS[::-1])


def test_two_machines_with_a_key_share_and_one_with_another_does_not(server: Cloud, tmp_path: Path) -> None:
    cache = address(server.kind, new_bucket(server))
    one, other, stranger = (
        Machine(tmp_path / name, cache, {**server.environment, "EXPOPS_SIGNING_KEYS": keys})
        for name, keys in (("one", ONE), ("other", ONE), ("stranger", OTHER))
    )
    first, told = one.run()
    assert "warning" not in told
    second, told = other.run()
    assert outcomes(second) == HITS
    assert outputs(second) == outputs(first)
    assert "warning" not in told
    third, told = stranger.run()
    assert set(outcomes(third).values()) == {"executed"}
    assert "none of this machine's signing keys has signed" in told


MODEL = """
from expops import process, step


class Data:
    def __init__(self, size):
        self.rows = list(range(size))


@process()
def load():
    return {"data": Data(500_000)}


@process()
def total(data):
    return {"total": sum(data.rows)}
"""


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.trace,)


def on_server(tmp_path: Path, name: str, url: str, keys: str | None = ONE) -> Machine:
    # All records of one test, and none of another, lie below the name of its folder.
    prefix = f"t{abs(hash(str(tmp_path)))}"
    backend = f"{{type: {url.partition(':')[0]}, url: '{url}', prefix: {prefix}}}"
    cache = f"{{backend: {backend}, object_store: {{type: folder, path: '{tmp_path}/blobs'}}}}"
    return Machine(tmp_path / name, cache, {} if keys is None else {"EXPOPS_SIGNING_KEYS": keys}, MODEL)


def records(tmp_path: Path, url: str) -> RedisKV | PostgreSQLKV:
    return opened(url, f"t{abs(hash(str(tmp_path)))}")


def test_what_is_forged_on_a_server_is_a_miss(url: str, tmp_path: Path) -> None:
    trace = tmp_path / "unpickled"
    first, told = on_server(tmp_path, "one", url).run()
    assert "warning" not in told
    document, told = on_server(tmp_path, "other", url).run()
    assert outcomes(document) == HITS
    with closing(records(tmp_path, url)) as store:
        for key, raw in list(store.scan("result/")):
            assert raw.startswith(SIGNED)
            manifest = unpack(raw[len(SIGNED) + 32 :])
            evil = StoredValue("mark", "pickle", pickle.dumps(Evil(trace)), (), 1)
            store.put(key, pack(manifest._replace(outputs=dict.fromkeys(manifest.outputs, evil))))
    third = on_server(tmp_path, "third", url)
    third.write(MODEL.replace("sum(", "2 * sum("))
    document, told = third.run()
    assert set(outcomes(document).values()) == {"executed"}
    assert outputs(document)["load"] == outputs(first)["load"]
    assert told.count("warning: ") == 1, told
    assert not trace.exists()


@pytest.mark.parametrize("signed", [True, False])
def test_a_blob_that_was_forged_with_its_stamp_is_found_where_records_are_signed(
    url: str, tmp_path: Path, signed: bool
) -> None:
    """Without keys, whoever may write there is trusted."""
    trace = tmp_path / "unpickled"
    keys = ONE if signed else None
    on_server(tmp_path, "one", url, keys).run()
    (blob,) = [path for path in (tmp_path / "blobs").glob("??/*") if path.stat().st_size > 1 << 20]
    evil = pickle.dumps(Evil(trace)).ljust(blob.stat().st_size, b".")
    blob.chmod(0o644)
    blob.write_bytes(evil)
    moment = stamp(blob.parent.name + blob.name, len(evil))
    os.utime(blob, ns=(moment, moment))
    other = on_server(tmp_path, "other", url, keys)
    other.write(MODEL.replace("sum(", "2 * sum("))
    done = other.command("run", "--jobs", "1", "--json")
    assert trace.exists() == (not signed)
    if signed:
        assert done.returncode == 0, done.stderr
        assert "'load' runs again" in done.stderr


def test_a_journal_that_a_killed_run_left_is_signed_when_it_is_handed_over(url: str, tmp_path: Path) -> None:
    """What is on this machine is its own."""
    one = on_server(tmp_path, "one", url)
    nowhere = on_server(tmp_path, "one", f"{url.partition(':')[0]}://127.0.0.1:1/0")
    assert set(outcomes(nowhere.run()[0]).values()) == {"executed"}
    one = on_server(tmp_path, "one", url)
    assert outcomes(one.run()[0]) == HITS
    with closing(records(tmp_path, url)) as store:
        found = dict(store.scan(""))
    assert found
    assert all(raw.startswith(SIGNED) for raw in found.values())
