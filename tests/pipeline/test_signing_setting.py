"""`experiment.cache.signing` names what holds the keys. A key that stands there by mistake is refused, unshown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expops.pipeline.config import Signing

HEAD = """\
scripts: {main: src/main.py}
experiment:
  pipeline:
    processes: [{name: load}]
  cache:
    url: s3://bucket
"""
KEY = "8b669813cb1636176aa436ee0b9383053ca97c321998e6aafe7f71ad78aab44a"


def with_signing(text: str) -> str:
    return f"{HEAD}    signing: {text}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{env: TEAM_KEYS}", Signing("env", "TEAM_KEYS", 7)),
        ("{env: _t4}", Signing("env", "_t4", 7)),
        ("{file: team.keys}", Signing("file", "team.keys", 7)),
        ("{file: '~/keys of the team'}", Signing("file", "~/keys of the team", 7)),
        ("{file: /home/Anna/Projects/Team-1/keys/of/the/team/signing}", None),
        ("\n      file: /run/secrets/expops", Signing("file", "/run/secrets/expops", 8)),
        ("", Signing()),
    ],
)
def test_it_names_a_variable_or_a_file(workshop, text: str, expected: Signing | None) -> None:
    found = workshop.load(with_signing(text)).cache.signing
    assert found == (expected or Signing("file", text[7:-1], 7))


def test_without_it_nothing_is_set(workshop) -> None:
    assert workshop.load(HEAD).cache.signing == Signing()


FORM = "experiment.cache.signing: expected {env: VARIABLE} or {file: PATH}, which hold the keys, and nothing else"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (KEY, f"7: {FORM}"),
        ("true", f"7: {FORM}"),
        ("12345678901234567890123456789012345678901234567890", f"7: {FORM}"),
        (f"[{KEY}]", f"7: {FORM}"),
        ("{}", f"7: {FORM}"),
        (f"{{key: {KEY}}}", f"7: {FORM}"),
        (f"{{{KEY}: 1}}", f"7: {FORM}"),
        ("{env: A, file: B}", f"7: {FORM}"),
        ("{env: 5}", "7: experiment.cache.signing.env: expected {env: VARIABLE} or {file: PATH}, which hold the keys"),
        ("{file: [a]}", "7: experiment.cache.signing.file: expected {env: VARIABLE} or {file: PATH}, which"),
        ("{env: team keys}", "7: experiment.cache.signing.env: expected the name of an environment variable"),
        ("{env: 5TEAM}", "7: experiment.cache.signing.env: expected the name of an environment variable"),
        (f"{{env: {KEY}}}", "7: experiment.cache.signing.env: looks like a key"),
        (f"{{file: {KEY}}}", "7: experiment.cache.signing.file: looks like a key"),
    ],
)
def test_what_else_stands_there_is_refused(workshop, text: str, problem: str) -> None:
    (found,) = workshop.problems(with_signing(text))
    assert found.startswith(problem)
    assert KEY not in found
    assert "1234567" not in found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(min_size=32, max_size=48), st.sampled_from(["env", "file"]), st.booleans())
def test_random_keys_are_not_taken_for_names(workshop, material: bytes, source: str, hexadecimal: bool) -> None:
    """Where they look like such keys: Base64 of few letters is refused as a name, or looked for as one."""
    key = material.hex() if hexadecimal else base64.urlsafe_b64encode(material).decode()
    mixed = any(map(str.islower, key)) and any(map(str.isupper, key)) and any(map(str.isdigit, key))
    if not hexadecimal and not mixed:
        return
    (found,) = workshop.problems(with_signing(f"{{{source}: '{key}'}}"))
    assert key not in found


@pytest.mark.parametrize("cache", ["local", "memory", "{}", "{object_store: {type: folder, path: /mnt/c}}"])
def test_what_is_not_shared_is_not_signed(workshop, cache: str) -> None:
    settings = "{backend: BACKEND, signing: {env: A}}" if cache in ("local", "memory") else cache
    settings = settings.replace("BACKEND", cache)
    if "signing" not in settings:
        settings = settings[:-1] + (", " if len(settings) > 2 else "") + "signing: {env: A}}"
    text = HEAD.replace("  cache:\n    url: s3://bucket\n", f"  cache: {settings}\n")
    (found,) = workshop.problems(text)
    assert "experiment.cache.signing: only records that others can write to are signed" in found


@pytest.mark.parametrize(
    "cache", ["url: file:///mnt/c", "backend: redis://h", "backend: postgresql://h/d", "url: gs://b"]
)
def test_what_is_shared_is(workshop, cache: str) -> None:
    text = HEAD.replace("url: s3://bucket", cache) + "    signing: {env: A}\n"
    assert workshop.load(text).cache.signing == Signing("env", "A", 7)
