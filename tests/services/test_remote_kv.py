"""The KV stores that machines share keep the contract, on real servers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from servers import firestore_server, free_port, postgresql_server, redis_server

from expops.errors import StoreUnavailable
from expops.kv._firestore_api import Target
from expops.kv.base import KVStore
from expops.kv.firestore import FirestoreKV
from expops.kv.postgresql import PostgreSQLKV
from expops.kv.redis import RedisKV
from expops.testing.kv_suite import KVStoreSuite

pytestmark = pytest.mark.service


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


@pytest.fixture(scope="session")
def firestore_url() -> Iterator[str]:
    with firestore_server() as address:
        yield f"http://{address}"


class OnServer(KVStoreSuite):
    """Two clients of one server."""

    @pytest.fixture
    def address(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def store(self, address: str) -> Iterator[KVStore]:
        with closing(opened(address, "suite")) as store:
            yield store

    @pytest.fixture
    def second(self, address: str) -> Iterator[KVStore]:
        with closing(opened(address, "suite")) as store:
            yield store


class TestRedisKV(OnServer):
    @pytest.fixture
    def address(self, redis_url: str) -> str:
        return redis_url


class TestPostgreSQLKV(OnServer):
    @pytest.fixture
    def address(self, postgresql_url: str) -> str:
        return postgresql_url


class TestFirestoreKV(OnServer):
    examples = 15

    @pytest.fixture
    def address(self, firestore_url: str) -> str:
        return firestore_url


_NUMBER = count()


@pytest.fixture(params=["redis", "postgresql", "firestore"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


def opened(url: str, name: str) -> RedisKV | PostgreSQLKV | FirestoreKV:
    if url.startswith("http"):
        return FirestoreKV(Target("p", "(default)", url), collection=name)
    return RedisKV(url, prefix=name) if url.startswith("redis") else PostgreSQLKV(url, table=name)


@pytest.fixture
def name() -> str:
    return f"own_{os.getpid()}_{next(_NUMBER)}"


def test_caches_with_names_of_their_own_share_nothing(url: str, name: str) -> None:
    one, other = opened(url, name), opened(url, name + "x")
    one.put("a", b"1")
    assert other.get_many(["a"]) == {}
    assert list(other.scan("")) == []
    assert other.create("a", b"2")
    assert list(one.scan("")) == [("a", b"1")]
    one.close()
    other.close()


def test_keys_of_expired_entries_do_not_pile_up(redis_url: str, name: str) -> None:
    import redis

    store = RedisKV(redis_url, prefix=name)
    for number in range(20):
        assert store.create(f"lease/{number}", b"", ttl=0.001)
    store.put("kept", b"")
    while list(store.scan("lease/")):
        pass
    client = redis.Redis.from_url(redis_url)
    assert client.zrange(f"{{{name}}}keys", 0, -1) == [b"kept"]
    client.close()
    store.close()


def test_many_first_users_make_one_table(postgresql_url: str, name: str) -> None:
    stores = [PostgreSQLKV(postgresql_url, table=name) for _ in range(8)]
    faults: list[BaseException] = []

    def use(number: int) -> None:
        try:
            stores[number].put(str(number), b"")
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(list(stores[0].scan(""))) == 8
    for store in stores:
        store.close()


def test_a_store_works_on_both_sides_of_a_fork(url: str, name: str) -> None:
    store = opened(url, name)
    store.put("before", b"1")
    child = os.fork()
    if child == 0:
        ok = store.get_many(["before"]) == {"before": b"1"}
        store.put("child", b"2")
        store.close()
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get_many(["before", "child"]) == {"before": b"1", "child": b"2"}
    store.close()


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
@pytest.mark.parametrize(
    "rest", ["me:secret@127.0.0.1:{port}/0", "127.0.0.1:{port}/0?password=secret", "me:secret@127.0.0.1:port/0"]
)
def test_nobody_there_is_a_clear_error_without_the_password(scheme: str, rest: str) -> None:
    store = opened(f"{scheme}://{rest.format(port=free_port())}", "own")
    for use in (lambda: store.get_many(["a"]), lambda: store.put("a", b""), lambda: store.create("a", b"")):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:") as caught:
            use()
        assert "secret" not in str(caught.value)


def test_a_connection_that_broke_is_made_anew(tmp_path: Path, name: str) -> None:
    with redis_server() as url:
        store = RedisKV(url, prefix=name)
        store.put("a", b"1")
        import redis

        with redis.Redis.from_url(url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert store.get_many(["a"]) == {"a": b"1"}
        store.close()


def test_a_session_that_was_ended_is_made_anew(postgresql_url: str, name: str) -> None:
    import psycopg

    store = PostgreSQLKV(postgresql_url, table=name)
    store.put("a", b"1")
    with psycopg.connect(postgresql_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'expops' AND pid <> pg_backend_pid()"
        )
    assert store.get_many(["a"]) == {"a": b"1"}
    store.close()
