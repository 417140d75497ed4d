"""What is Firestore's own: documents of limited size, replies that are lost, refusals in words, and accounts."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest
import urllib3
from proxy import proxied
from servers import firestore_server

from expops.errors import StoreUnavailable
from expops.kv._firestore_api import API, Target
from expops.kv.firestore import FirestoreKV

pytestmark = pytest.mark.service

_NUMBER = count()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with firestore_server() as address:
        yield f"http://{address}"


@pytest.fixture
def name() -> str:
    return f"own-{os.getpid()}-{next(_NUMBER)}"


def opened(url: str, name: str) -> FirestoreKV:
    return FirestoreKV(Target("p", "(default)", url), collection=name)


def documents(url: str, collection: str) -> list[str]:
    query = {"structuredQuery": {"from": [{"collectionId": collection}]}}
    reply = API(Target("p", "(default)", url)).call("runQuery", query)
    return [item["document"]["name"].rpartition("/")[2] for item in reply if "document" in item]


@contextmanager
def answering(status: int, body: object) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says the same to everyone, and what it was told."""
    told: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()
        thread.join()


def test_parts_go_with_the_value_that_they_are_of(url: str, name: str) -> None:
    with closing(opened(url, name)) as store:
        large, larger = b"1" * (2 << 20), b"2" * (5 << 20)
        store.put("a", large)
        assert len(documents(url, name + "_parts")) == 3
        store.put_many({"a": larger, "b": b"small"})
        assert store.get_many(["a", "b"]) == {"a": larger, "b": b"small"}
        assert len(documents(url, name + "_parts")) == 6
        assert store.replace("a", larger, large)
        assert not store.replace("a", larger, b"")
        assert len(documents(url, name + "_parts")) == 3
        assert store.replace("a", large, None)
        assert store.create("a", large, ttl=3600)
        assert not store.create("a", larger)
        assert len(documents(url, name + "_parts")) == 3
        assert dict(store.scan("")) == {"a": large, "b": b"small"}
        store.delete(["a"])
        assert documents(url, name + "_parts") == []
        assert documents(url, name) == ["kb"]


def test_a_large_value_is_whole_at_every_moment(url: str, name: str) -> None:
    values = [bytes([number]) * (1 << 20) for number in range(3)]
    with closing(opened(url, name)) as store, closing(opened(url, name)) as other:
        store.put("a", values[0])
        ended = threading.Event()

        def write() -> None:
            for _ in range(5):
                for value in values:
                    other.put("a", value)
            ended.set()

        writer = threading.Thread(target=write)
        writer.start()
        while not ended.is_set():
            assert store.get_many(["a"])["a"] in values
        writer.join()


def test_many_large_values_are_read_and_listed(url: str, name: str) -> None:
    items = {f"a{number:02}": bytes([number]) * (800 << 10) for number in range(12)}
    with closing(opened(url, name)) as store:
        store.put_many(items)
        assert store.get_many(items) == items
        assert list(store.scan("a")) == list(items.items())


def test_long_keys_with_one_beginning_are_in_order_over_pages(url: str, name: str) -> None:
    beginning = "x" * 439
    long = [f"{beginning}{number:04}" for number in range(700)]
    short = ["x" * 438, beginning, beginning + "0", beginning + "1", beginning + "zz", "xy"]
    items = {key: key[-4:].encode() for key in [*long, *short]}
    with closing(opened(url, name)) as store:
        store.put_many(items)
        assert list(store.scan("")) == sorted(items.items())
        for prefix in (beginning, beginning + "0", beginning + "012", "x" * 500):
            assert [key for key, _ in store.scan(prefix)] == sorted(key for key in items if key.startswith(prefix))


def test_documents_of_others_are_left_alone(url: str, name: str) -> None:
    api = API(Target("p", "(default)", url))
    for one in ("kother", "someone", "k~~"):
        update = {"name": f"{api.documents()}/{name}/{one}", "fields": {"value": {"stringValue": "?"}}}
        api.call("commit", {"writes": [{"update": update}]})
    with closing(opened(url, name)) as store:
        store.put("mine", b"1")
        assert store.get_many(["other", "mine"]) == {"mine": b"1"}
        assert list(store.scan("")) == [("mine", b"1")]


def test_a_look_up_is_one_round_trip(url: str, name: str) -> None:
    with proxied(url) as (through, _), answering(200, []) as (counter, told):
        with closing(opened(through, name)) as store:
            store.put_many({str(number): b"" for number in range(400)})
        with closing(opened(counter, name)) as store:
            assert store.get_many(str(number) for number in range(400)) == {}
            assert len(told) == 1
            store.put_many({str(number): b"" for number in range(400)})
            assert len(told) == 2


@pytest.mark.parametrize("cuts", [1, 2])
def test_writes_whose_reply_was_lost_are_known_again(url: str, name: str, cuts: int) -> None:
    with proxied(url) as (through, proxy), closing(opened(through, name)) as store:
        proxy.mode, proxy.cuts = "cut", cuts
        assert store.create("a", b"1")
        assert store.get_many(["a"]) == {"a": b"1"}
        assert not store.create("a", b"2")
        proxy.cuts = cuts
        store.put("b", b"1")
        assert store.get_many(["a", "b"]) == {"a": b"1", "b": b"1"}


def test_a_replacement_whose_reply_was_lost(url: str, name: str) -> None:
    with proxied(url) as (through, proxy), closing(opened(through, name)) as store:
        store.put_many({"a": b"1", "b": b"1"})
        proxy.mode, proxy.cuts = "cut", 0
        lose_the_second_reply(store, proxy)
        assert store.replace("a", b"1", b"2")
        assert not store.replace("a", b"1", b"3")
        lose_the_second_reply(store, proxy)
        with pytest.raises(StoreUnavailable, match="the connection broke"):
            store.replace("b", b"1", None)
        assert store.get_many(["a", "b"]) == {"a": b"2"}


def lose_the_second_reply(store: FirestoreKV, proxy: object) -> None:
    """Of the next two calls."""
    api = store._api
    call = api.call

    def once(method: str, body: object, **how: bool) -> object:
        if method == "commit":
            proxy.cuts = 1  # type: ignore[attr-defined]
            api.call = call  # type: ignore[method-assign]
        return call(method, body, **how)

    api.call = once  # type: ignore[method-assign,assignment]


def test_a_server_that_does_not_answer_is_told_at_once(url: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("expops.kv._firestore_api._SECONDS", 0.2)
    with proxied(url) as (through, proxy), closing(opened(through, name)) as store:
        proxy.mode = "stall"
        with pytest.raises(StoreUnavailable, match="no answer; check the network"):
            store.get_many(["a"])
        assert proxy.connections == 1


@pytest.mark.parametrize(
    ("status", "name", "mend", "asked"),
    [
        (403, "PERMISSION_DENIED", "Cloud Datastore User", 1),
        (404, "NOT_FOUND", "firestore databases create", 1),
        (400, "FAILED_PRECONDITION", "the words", 1),
        (429, "RESOURCE_EXHAUSTED", "quota", 4),
        (503, "UNAVAILABLE", "the words", 4),
    ],
)
def test_refusals_are_told_with_their_mend(status: int, name: str, mend: str, asked: int) -> None:
    body = {"error": {"code": status, "status": name, "message": "the words"}}
    with answering(status, body) as (url, told):
        with closing(opened(url, "own")) as store, pytest.raises(StoreUnavailable, match=f"{status} {name}: .*{mend}"):
            store.get_many(["a"])
        assert len(told) == asked


@pytest.mark.parametrize("name", ["", "a/b", ".", "..", "__a__", "ä"])
def test_what_can_be_no_collection(name: str) -> None:
    with pytest.raises(ValueError, match="no name for a collection"):
        FirestoreKV(Target("p", "(default)"), collection=name)


def key_file(folder: Path, **parts: str) -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "project_id": "of-the-key", "private_key_id": "1", "client_email": "a@b"}
    path = folder / "key.json"
    path.write_text(json.dumps({**account, "private_key": key.decode(), **parts}))
    return str(path)


def test_a_service_account_signs_in_with_its_key(tmp_path: Path) -> None:
    from expops.kv._google_account import account

    with answering(200, {"access_token": "the-token", "expires_in": 3600}) as (url, told):
        file = key_file(tmp_path, token_uri="https://oauth2.googleapis.com/token")
        with urllib3.PoolManager(retries=False) as pool:
            path = Path(file)
            path.write_text(path.read_text().replace("https://oauth2.googleapis.com", url))
            found = account(pool, "https://firestore.googleapis.com", file)
            headers: dict[str, str] = {}
            found.sign(headers)
            found.sign(headers)
    assert found.project == "of-the-key"
    assert headers["authorization"] == "Bearer the-token"
    assert len(told) == 1


def test_accounts_that_are_refused_are_told_without_their_secrets(tmp_path: Path) -> None:
    with answering(400, {"error": "invalid_grant", "error_description": "secret"}) as (url, _):
        file = key_file(tmp_path, token_uri=url)
        store = FirestoreKV(Target("p", "(default)", "https://127.0.0.1:1", file))
        with pytest.raises(StoreUnavailable, match=r"give no access .*credentials_json") as caught:
            store.get_many(["a"])
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"type": "service_account", "private_key": "secret"}', '{"type": "x"}']
)
def test_files_that_are_no_key(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "key.json"
    if text is not None:
        path.write_text(text)
    store = FirestoreKV(Target("p", "(default)", "https://127.0.0.1:1", str(path)))
    with pytest.raises(StoreUnavailable, match=r"key\.json, from credentials_json") as caught:
        store.get_many(["a"])
    assert "secret" not in str(caught.value)


def test_an_emulator_is_sent_no_credentials(tmp_path: Path) -> None:
    with answering(200, []) as (url, told):
        store = FirestoreKV(Target("p", "(default)", url, str(tmp_path / "none")))
        assert store.get_many(["a"]) == {}
        store.close()
    assert len(told) == 1
