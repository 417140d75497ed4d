"""How buckets are reached: endpoints and credentials, from the configuration and as the clouds' own tools find them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from expops.buckets import azure, gcs, s3
from expops.buckets.clients import connect
from expops.buckets.faults import describe
from expops.buckets.place import Place
from expops.errors import StoreUnavailable


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("endpoint", "environment", "expected"),
    [
        ("http://a", {}, "http://a"),
        ("http://a", {"AWS_ENDPOINT_URL": "http://b"}, "http://a"),
        ("", {"AWS_ENDPOINT_URL": "http://b"}, "http://b"),
        ("", {"AWS_ENDPOINT_URL": "http://b", "AWS_ENDPOINT_URL_S3": "http://c"}, "http://c"),
    ],
)
def test_the_endpoint_of_s3(home: Path, endpoint: str, environment: dict[str, str], expected: str) -> None:
    found = s3.arguments(Place("s3", "b", endpoint=endpoint), environment)
    assert found["endpoint"] == found["aws_endpoint_url_s3"] == expected


def test_no_endpoint_is_amazons(home: Path) -> None:
    assert s3.arguments(Place("s3", "b"), {}) == {"bucket": "b", "region": "us-east-1"}


def test_the_region_of_s3(home: Path) -> None:
    (home / ".aws/config").write_text("[default]\nregion = eu-1\n[profile work]\nregion = eu-2\n")
    regions = [
        s3.arguments(Place("s3", "b", region=region), environment)["region"]
        for region, environment in (
            ("", {}),
            ("", {"AWS_PROFILE": "work"}),
            ("", {"AWS_DEFAULT_REGION": "eu-3"}),
            ("", {"AWS_DEFAULT_REGION": "eu-3", "AWS_REGION": "eu-4"}),
            ("eu-5", {"AWS_REGION": "eu-4"}),
        )
    ]
    assert regions == ["eu-1", "eu-2", "eu-3", "eu-4", "eu-5"]


def test_keys_of_the_aws_commands_files(home: Path) -> None:
    (home / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = A\naws_secret_access_key = S%x\n"
        "[work]\naws_access_key_id = B\naws_secret_access_key = T\naws_session_token = U\n"
    )
    found = s3.arguments(Place("s3", "b"), {})
    assert (found["access_key_id"], found["secret_access_key"]) == ("A", "S%x")
    found = s3.arguments(Place("s3", "b"), {"AWS_PROFILE": "work"})
    assert (found["access_key_id"], found["session_token"]) == ("B", "U")
    # The environment comes first, all of it.
    keys = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "F"}
    found = s3.arguments(Place("s3", "b"), {**keys, "AWS_PROFILE": "work"})
    assert (found["access_key_id"], found["secret_access_key"]) == ("E", "F")
    assert "session_token" not in found
    assert "access_key_id" not in s3.arguments(Place("s3", "b"), {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"})


def test_a_file_that_cannot_be_read_is_not_quoted(home: Path) -> None:
    (home / ".aws/credentials").write_text("aws_secret_access_key = verysecret\n")
    with pytest.raises(StoreUnavailable, match="credentials") as caught:
        s3.arguments(Place("s3", "b"), {})
    assert "verysecret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("host", ["http://127.0.0.1:4443", "127.0.0.1:4443"])
def test_the_emulator_of_gcs_has_no_accounts(host: str) -> None:
    found = gcs.arguments(Place("gcs", "b"), {"STORAGE_EMULATOR_HOST": host})
    account = json.loads(found["service_account_key"])
    assert account["gcs_base_url"] == "http://127.0.0.1:4443"
    assert account["disable_oauth"] is True
    assert gcs.arguments(Place("gcs", "b", endpoint=host), {}) != {"bucket": "b"}


def test_gcs_with_credentials() -> None:
    assert gcs.arguments(Place("gcs", "b", credentials="/key.json"), {}) == {
        "bucket": "b",
        "service_account": "/key.json",
    }
    found = gcs.arguments(Place("gcs", "b", endpoint="https://storage.example.org/"), {})
    assert found["base_url"] == "https://storage.example.org"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a+b/c==;EndpointSuffix=core.windows.net",
            {"account_name": "a", "account_key": "a+b/c==", "endpoint": "https://a.blob.core.windows.net"},
        ),
        (
            "BlobEndpoint=https://h/a;SharedAccessSignature=?sv=1&sig=x%3D",
            {"endpoint": "https://h/a", "sas_key": "sv=1&sig=x%3D"},
        ),
        (
            "AccountName=a;AccountKey=k;BlobEndpoint=http://h:1/a;",
            {"account_name": "a", "account_key": "k", "endpoint": "http://h:1/a"},
        ),
    ],
)
def test_connection_strings_of_azure(text: str, expected: dict[str, str]) -> None:
    found = azure.arguments(Place("azure", "c"), {"AZURE_STORAGE_CONNECTION_STRING": text})
    assert found == {"container_name": "c", **expected}


def test_the_emulator_and_the_configuration_of_azure() -> None:
    found = azure.arguments(Place("azure", "c"), {"AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"})
    assert found["endpoint"] == "http://127.0.0.1:10000/devstoreaccount1"
    environment = {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_KEY": "k"}
    found = azure.arguments(Place("azure", "c", account="mine", endpoint="https://e"), environment)
    assert found == {"container_name": "c", "account_name": "mine", "endpoint": "https://e", "account_key": "k"}


@pytest.mark.parametrize(
    "place",
    [
        Place("s3", "bucket", "p", endpoint="http://127.0.0.1:1"),
        Place("s3", "bucket"),
        Place("gcs", "bucket", endpoint="http://127.0.0.1:1"),
        Place("azure", "bucket", account="a", endpoint="http://127.0.0.1:1/a"),
    ],
)
def test_clients_take_what_they_are_given(home: Path, place: Place) -> None:
    environment = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "0123456789", "AZURE_STORAGE_KEY": "c2VjcmV0"}
    clients = connect(place, environment)
    assert (clients.read.prefix or "") == place.prefix
    assert place.kind == "gcs" or clients.secrets


def test_faults_are_told_without_secrets() -> None:
    said = Exception(
        "Invalid thing https://me:pass@host/b?sig=abcdefgh&x=1 of key 0123456789\n\nDebug source:\nmore 0123456789"
    )
    told = describe(said, ["0123456789"])
    for secret in ("pass", "abcdefgh", "0123456789", "more"):
        assert secret not in told
    assert "https://host/b" in told


def test_faults_read_the_same_each_time() -> None:
    text = (
        "Error performing GET http://h/{name} in {time}, after {n} retries - Server returned non-2xx status code: 503 "
    )
    ways = [Exception(text.format(name=n, time=f"{n}ms", n=n) + "Service Unavailable: <x/>") for n in range(3)]
    assert {describe(fault, []) for fault in ways} == {"503 Service Unavailable: it is down or busy; try again later"}
    lost = Exception("Error performing GET http://h/x in 3s - HTTP error: error sending request")
    assert describe(lost, []) == "no answer; check the network and the address"
