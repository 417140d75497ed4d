"""The packages of an environment: as the interpreter sees them, as a lock file, and as requirements."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from typing import Any

import pytest
from packaging.pylock import Pylock
from packaging.requirements import Requirement

from expops.record.pylock import pylock, requirements
from expops.runs.environment import environment
from expops.runs.secrets import is_secret, redacted

PACKAGES: list[dict[str, Any]] = [
    {"name": "a", "version": "1.0", "wheel": "a-1.0-py3-none-any.whl", "record": "0" * 64},
    {"name": "b", "version": "2.0", "origin": {"url": "b-folder", "dir_info": {"editable": True}}},
    {
        "name": "c",
        "version": "3.0",
        "origin": {"url": "https://example.org/c.git", "vcs_info": {"vcs": "git", "commit_id": "f" * 40}},
    },
    {
        "name": "d",
        "version": "4.0",
        "origin": {"url": "https://example.org/d-4.0.tar.gz", "archive_info": {"hashes": {"sha256": "1" * 64}}},
    },
    {"name": "old-style", "version": "5.0"},
]


def test_every_installed_package_is_there_with_its_version() -> None:
    found = environment()
    assert {"pytest", "numpy", "blake3"} <= {package["name"] for package in found["packages"]}
    for package in found["packages"]:
        assert version(package["name"]) == package["version"]
    assert found == environment()


def test_the_lock_file_of_this_environment_is_valid() -> None:
    found = environment()
    lock = Pylock.from_dict(tomllib.loads(pylock(found)))
    lock.validate()
    assert {str(package.name) for package in lock.packages} == {package["name"] for package in found["packages"]}


def test_the_lock_file_says_where_packages_came_from() -> None:
    text = pylock({"python": {"version": "3.11.7"}, "packages": PACKAGES})
    lock = Pylock.from_dict(tomllib.loads(text))
    lock.validate()
    found = {str(package.name): package for package in lock.packages}
    # Without a wheel's name or any hash there is nothing that a lock file may say.
    assert found.keys() == {"a", "b", "c", "d"}
    assert found["a"].wheels is not None
    assert found["a"].wheels[0].hashes == {"record-sha256": "0" * 64}
    assert found["b"].directory is not None
    assert found["b"].directory.editable
    assert found["c"].vcs is not None
    assert found["c"].vcs.commit_id == "f" * 40
    assert found["d"].archive is not None
    assert found["d"].archive.hashes == {"sha256": "1" * 64}


def test_requirements_can_be_read_by_pip() -> None:
    lines = requirements({"packages": PACKAGES}).splitlines()
    read = [str(Requirement(line)) for line in lines if not line.startswith("#")]
    assert read == [
        "a==1.0",
        f"c @ git+https://example.org/c.git@{'f' * 40}",
        "d @ https://example.org/d-4.0.tar.gz",
        "old-style==5.0",
    ]
    assert "# b==2.0 was installed from b-folder" in lines


@pytest.mark.parametrize(
    "path",
    [
        *(".env", "src/.env.local", "prod.env", "keys/server.pem", "id_rsa", "src/id_ed25519.pub", "credentials.json"),
        *("config/aws_credentials", "SECRETS.yaml", "my-secret.txt", "api_key.txt", "apikey.json", "token.json"),
        *("deploy_key", "key.txt", "x.key", "secrets.py", "secrets/settings.py", ".netrc"),
    ],
)
def test_names_of_secrets(path: str) -> None:
    assert is_secret(path)


@pytest.mark.parametrize(
    "path",
    [
        "src/model.py",
        "src/sort_keys.py",
        "src/tokenizer.py",
        "src/keys.py",
        "data/keyboard.csv",
        "env.yaml",
        "monkey.txt",
    ],
)
def test_names_of_what_is_none(path: str) -> None:
    assert not is_secret(path)


def test_credentials_are_taken_out_of_urls() -> None:
    assert redacted("git+https://u:p@h.org/x and redis://:p@h:1/0") == "git+https://h.org/x and redis://h:1/0"
    assert redacted("mail me@h.org, see https://h.org/@me") == "mail me@h.org, see https://h.org/@me"
