"""Signing keys: where they come from, what is said of those that can't be used; and that they are nowhere else."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from expops.errors import ConfigError, UsageError
from expops.pipeline.config import Signing
from expops.pipeline.signing_keys import VARIABLE, read_keys
from two_machines import MODEL, Machine, outcomes

KEY = "0f" * 32
BYTES = bytes.fromhex(KEY)
TEXT = "correct horse battery staple, no: one key"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEY, [BYTES]),
        (KEY.upper(), [BYTES]),
        (f"  {KEY}\n\n", [BYTES]),
        (f"{KEY},{'2e' * 32}", [BYTES, b"\x2e" * 32]),
        (f"# ours\n{KEY}\r\n#{'2e' * 32}\n{'3d' * 40}\n", [BYTES, b"\x3d" * 40]),
        (f"{KEY}\n{KEY}", [BYTES]),
        ("x" * 32, [b"x" * 32]),
        ("ä" * 16, ["ä".encode() * 16]),
        ("a b " * 10, [b"a b " * 9 + b"a b"]),
    ],
)
def test_keys_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: list[bytes]) -> None:
    monkeypatch.setenv(VARIABLE, text)
    assert read_keys(Signing(), "/").keys == tuple(expected)
    monkeypatch.setenv(VARIABLE, "not this one")
    monkeypatch.setenv("TEAM", text)
    assert read_keys(Signing("env", "TEAM", 3), "/").keys == tuple(expected)
    path = tmp_path / "keys"
    path.write_bytes(text.encode())
    path.chmod(0o600)
    assert read_keys(Signing("file", "keys", 3), str(tmp_path)) == (tuple(expected), "")
    assert read_keys(Signing("file", str(path), 3), "/elsewhere") == (tuple(expected), "")


def test_nothing_is_signed_where_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert read_keys(Signing(), "/").keys == ()


UNUSABLE = [
    ("", "holds no key"),
    (" \n,\n# comment\n", "holds no key"),
    ("secret" * 5, "key 1 in PLACE is too short: 30 bytes, and 32 are needed"),
    (f"{KEY}\nsecret", "key 2 in PLACE is too short: 6 bytes"),
    ("0f" * 31, "key 1 in PLACE is too short: 31 bytes"),
    ("0f" * 32 + "0", "odd number of hexadecimal digits"),
]


@pytest.mark.parametrize(("text", "problem"), UNUSABLE)
def test_keys_that_can_not_be_used_are_told_of_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    (tmp_path / "keys").write_text(text)
    monkeypatch.setenv("TEAM", text)
    for signing in (Signing("env", "TEAM", 7), Signing("file", "keys", 7)):
        place = "the environment variable TEAM" if signing.source == "env" else str(tmp_path / "keys")
        with pytest.raises(ConfigError) as caught:
            read_keys(signing, str(tmp_path))
        said = str(caught.value)
        assert said.startswith(f"configs/project_config.yaml:7: experiment.cache.signing.{signing.source}: ")
        assert problem.replace("PLACE", place) in said
        assert "secrets.token_hex(32)" in said or "was not copied whole" in said
        assert "secret" not in said.replace("secrets", "")
        assert "0f0f" not in said
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UsageError, match=VARIABLE):
        read_keys(Signing(), str(tmp_path))


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (lambda path: None, "can't be read: No such file or directory"),
        (lambda path: path.mkdir(), "is no regular file"),
        (lambda path: path.write_bytes(b"\xff" * 40), "is no text"),
        (lambda path: path.write_bytes(b"a" * ((1 << 20) + 1)), "is too large for a file of keys"),
        (lambda path: os.mkfifo(path), "is no regular file"),
    ],
    ids=["missing", "folder", "binary", "large", "pipe"],
)
def test_files_that_hold_no_keys(tmp_path: Path, made: Callable[[Path], object], problem: str) -> None:
    made(tmp_path / "keys")
    with pytest.raises(ConfigError, match=problem):
        read_keys(Signing("file", "keys", 7), str(tmp_path))


def test_a_file_that_is_open_to_all_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(KEY)
    for mode, told in ((0o600, ""), (0o640, ""), (0o644, "chmod 600"), (0o602, "chmod 600")):
        path.chmod(mode)
        assert told in read_keys(Signing("file", "keys"), str(tmp_path)).doubt
        assert bool(told) == bool(read_keys(Signing("file", "keys"), str(tmp_path)).doubt)


def signing(tmp_path: Path, setting: str, environment: dict[str, str], model: str = MODEL) -> Machine:
    more = f", signing: {setting}" if setting else ""
    return Machine(tmp_path / "one", f"{{url: 'file://{tmp_path}/bucket'{more}}}", environment, model)


@pytest.mark.parametrize(
    ("setting", "environment", "problem"),
    [
        (
            "{env: TEAM}",
            {},
            "project_config.yaml:5: experiment.cache.signing.env: the environment variable TEAM is not",
        ),
        ("{env: TEAM}", {"TEAM": ""}, "the environment variable TEAM holds no key"),
        ("{file: team.keys}", {}, "one/team.keys can't be read: No such file or directory"),
        ("", {VARIABLE: ""}, "the environment variable EXPOPS_SIGNING_KEYS is empty; put keys there"),
        ("", {VARIABLE: "tooshort"}, "key 1 in the environment variable EXPOPS_SIGNING_KEYS is too short: 8 bytes"),
    ],
)
def test_a_run_without_its_keys_does_not_begin(
    tmp_path: Path, setting: str, environment: dict[str, str], problem: str
) -> None:
    one = signing(tmp_path, setting, environment)
    for words in (["run"], ["status"], ["cache", "push"], ["runs"], ["verify"]):
        done = one.command(*words)
        assert done.returncode == 2, done.stderr
        assert problem in done.stderr
        assert "Traceback" not in done.stderr
        assert "tooshort" not in done.stderr
    assert not (tmp_path / "bucket").exists()


LEAKY = """
import os
import subprocess

from expops import log_metric, process


@process()
def load():
    print(dict(os.environ), os.environ.get("TEAM"), os.environ.get("EXPOPS_SIGNING_KEYS"))
    print(subprocess.run(["env"], capture_output=True, text=True).stdout)
    with open("environment.txt", "w") as file:
        file.write(repr(os.environ))
    with open(os.path.join(os.path.dirname(__file__), "rows.txt")) as file:
        return {"items": [len(file.read())], "environment": dict(os.environ), "name": __import__("numpy").arange(3)}


@process()
def total(items):
    return {"total": sum(items)}
"""


@pytest.mark.parametrize("source", ["env", "file", "default"])
@pytest.mark.parametrize("jobs", ["0", "1"])
def test_keys_are_found_nowhere(tmp_path: Path, source: str, jobs: str) -> None:
    setting = {"env": "{env: TEAM}", "file": "{file: src/team.txt}", "default": ""}[source]
    environment = {"env": {"TEAM": KEY}, "file": {}, "default": {VARIABLE: KEY}}[source]
    one = signing(tmp_path, setting, environment, LEAKY)
    (one.root / "src/rows.txt").write_text("a")
    subprocess.run(["git", "init", "-q"], cwd=one.root, check=True)
    if source == "file":
        (one.root / "src/team.txt").write_text("before")
    _commit(one.root)
    if source == "file":
        # Tracked, though it should not be, and read by the project, too.
        (one.root / "src/team.txt").write_text(KEY)
        one.write(LEAKY.replace('"rows.txt"', '"team.txt"'))
    shown = ""
    commands = [
        ["run", "--jobs", jobs],
        ["run", "--json"],
        ["status", "--json"],
        ["explain", "load"],
        ["show", "--json"],
        ["cache", "info", "--json"],
        ["cache", "ls", "--json"],
        ["cache", "push", "--json"],
        ["export", "last", "--format", "json", "--to", str(tmp_path / "exported")],
        ["verify", "--quick"],
        ["reproduce", "last", "--into", str(tmp_path / "again")],
    ]
    for words in commands:
        done = one.command(*words)
        assert "Traceback" not in done.stderr, (words, done.stderr)
        assert "error" not in done.stderr, (words, done.stderr)
        shown += done.stdout + done.stderr
    kept = b"".join(_content(path) for path in tmp_path.rglob("*") if path.is_file() and path.name != "team.txt")
    assert b"items" in kept
    for secret in (KEY.encode(), BYTES, KEY.upper().encode(), *_in_base64(KEY.encode())):
        assert secret not in kept
    assert KEY not in shown
    assert outcomes(one.run()[0])["total"] == "hit"


def _commit(root: Path) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run(["git", *identity, "commit", "-qm", "all"], cwd=root, check=True)


def _in_base64(secret: bytes) -> list[bytes]:
    """As it stands in the midst of something, wherever that began."""
    return [base64.b64encode(bytes(shift) + secret)[4:-4] for shift in range(3)]


def _content(path: Path) -> bytes:
    """Also of what is compressed within a record, which a search for the text would not find."""
    data = path.read_bytes()
    parts = [data]
    for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", data):
        try:
            parts.append(zlib.decompressobj().decompress(data[found.start() :], 1 << 20))
        except zlib.error:
            continue
    return b"".join(parts)


def test_other_keys_do_not_make_anything_run_again(tmp_path: Path) -> None:
    one = signing(tmp_path, "{env: TEAM}", {"TEAM": KEY}, LEAKY)
    (one.root / "src/rows.txt").write_text("a")
    one.run()
    one.environment["TEAM"] = f"{'2e' * 32},{KEY}"
    document, _ = one.run()
    assert outcomes(document) == {"load": "hit", "total": "hit"}
