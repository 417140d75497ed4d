"""Two machines, one bucket, signing keys: with one key all is shared, without it nothing is, and nothing unpickled."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from in_memory import kv

from expops.buckets.bucket import Bucket
from expops.buckets.place import Place
from expops.cache.manifest import StoredValue, pack, unpack
from expops.kv.bucket import BucketKV
from expops.kv.enveloped import SIGNED
from expops.kv.memory import MemoryKV
from expops.kv.signed import SignedKV
from two_machines import HITS, MODEL, Machine, outcomes, outputs

EDITED = MODEL.replace("sum(items) +", "2 * sum(items) +")
ONE, OTHER = "1f" * 32, "2e" * 32
HEAD = len(SIGNED) + 32


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    return tmp_path / "bucket"


def machine(tmp_path: Path, name: str, keys: str | None = ONE, more: str = "") -> Machine:
    environment = {} if keys is None else {"EXPOPS_SIGNING_KEYS": keys}
    return Machine(tmp_path / name, f"{{url: 'file://{tmp_path / 'bucket'}'{more}}}", environment)


@contextmanager
def records(bucket: Path) -> Iterator[BucketKV]:
    """What somebody sees who may write to the bucket."""
    opened = Bucket(Place("folder", str(bucket), "shared"))
    yield kv(opened)
    opened.close()


def test_with_the_same_key_the_second_machine_executes_nothing(tmp_path: Path, bucket: Path) -> None:
    first, told = machine(tmp_path, "one").run()
    assert "warning" not in told
    second, told = machine(tmp_path, "other").run()
    assert outcomes(second) == HITS
    assert outputs(second) == outputs(first)
    assert "warning" not in told
    with records(bucket) as store:
        assert all(raw.startswith(SIGNED) for _, raw in store.scan(""))
        # Another project with the same keys takes none of them.
        read = SignedKV(store, [bytes.fromhex(ONE)], scope="shared").get_many(store.keys(""))
        assert read.keys() == {*store.keys("")}
        assert SignedKV(store, [bytes.fromhex(ONE)], scope="other").get_many(store.keys("")) == {}


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.trace,)


def poisoned(value: bytes, trace: Path) -> bytes:
    """A record of a result, whose outputs are pickles that leave a trace, with a checksum that holds."""
    manifest = unpack(value)
    evil = StoredValue("0" * 64, "pickle", pickle.dumps(Evil(trace)), (), 1)
    return pack(manifest._replace(outputs=dict.fromkeys(manifest.outputs, evil)))


def _bare(key: str, raw: bytes, evil: bytes) -> bytes:
    return evil


def _with_the_old_signature(key: str, raw: bytes, evil: bytes) -> bytes:
    return raw[:HEAD] + evil


def _without_a_signature(key: str, raw: bytes, evil: bytes) -> bytes:
    return SIGNED + bytes(32) + evil


def _signed_by_another_key(key: str, raw: bytes, evil: bytes) -> bytes:
    elsewhere = MemoryKV()
    SignedKV(elsewhere, [bytes.fromhex(OTHER)], scope="shared").put(key, evil)
    return elsewhere.get_many([key])[key]


ATTACKS = [_bare, _with_the_old_signature, _without_a_signature, _signed_by_another_key]


@pytest.mark.parametrize("attack", ATTACKS)
def test_forged_results_are_misses_and_no_byte_of_them_is_unpickled(
    tmp_path: Path, bucket: Path, attack: Callable[[str, bytes, bytes], bytes]
) -> None:
    trace = tmp_path / "unpickled"
    first, _ = machine(tmp_path, "one").run()
    with records(bucket) as store:
        for key, raw in list(store.scan("result/")):
            store.put(key, attack(key, raw, poisoned(raw[HEAD:], trace)))
    other = machine(tmp_path, "other")
    other.write(EDITED)
    document, told = other.run()
    assert not trace.exists()
    assert outcomes(document)["load"] == "executed"
    assert outputs(document)["load"] == outputs(first)["load"]
    assert told.count("warning: ") == 1, told
    assert "none of this machine's signing keys" in told
    # What it has made takes the place of what was forged.
    third, told = machine(tmp_path, "third").run()
    assert outcomes(third)["load"] == "hit"


def test_without_keys_the_same_attack_runs_code(tmp_path: Path, bucket: Path) -> None:
    """Or the tests above would show nothing."""
    trace = tmp_path / "unpickled"
    machine(tmp_path, "one", None).run()
    with records(bucket) as store:
        store.put_many({key: poisoned(raw, trace) for key, raw in store.scan("result/")})
    other = machine(tmp_path, "other", None)
    other.write(EDITED)
    other.command("run", "--jobs", "1")
    assert trace.exists()


def test_results_that_change_places_are_misses(tmp_path: Path, bucket: Path) -> None:
    first, _ = machine(tmp_path, "one").run()
    with records(bucket) as store:
        for kind in ("result/", "last/", "key/", "code/", "action/"):
            found = dict(store.scan(kind))
            store.put_many(dict(zip(found, [*found.values()][1:] + [*found.values()][:1], strict=True)))
    document, told = machine(tmp_path, "other").run()
    assert set(outcomes(document).values()) == {"executed"}
    assert outputs(document) == outputs(first)
    assert "signing keys" in told


def test_with_another_key_all_are_misses(tmp_path: Path, bucket: Path) -> None:
    first, _ = machine(tmp_path, "one").run()
    document, told = machine(tmp_path, "other", OTHER).run()
    assert set(outcomes(document).values()) == {"executed"}
    assert outputs(document) == outputs(first)
    assert told.count("warning: ") == 1, told
    # And what the other has signed now, the first does not take either, save what it has already.
    assert outcomes(machine(tmp_path, "third").run()[0])["load"] == "executed"


def test_without_keys_what_is_signed_is_not_used_nor_hidden_from_others(tmp_path: Path, bucket: Path) -> None:
    first, _ = machine(tmp_path, "one").run()
    before = {path: path.read_bytes() for path in bucket.rglob("*") if path.is_file()}
    other = machine(tmp_path, "other", None)
    document, told = other.run()
    assert set(outcomes(document).values()) == {"executed"}
    assert outputs(document) == outputs(first)
    assert told.count("warning: ") == 1, told
    assert "put the keys of your team into EXPOPS_SIGNING_KEYS" in told
    assert {path: path.read_bytes() for path in bucket.rglob("*") if path.is_file()} == before
    for words in (["cache", "push"], ["cache", "pull"]):
        done = other.command(*words)
        assert done.returncode == 1
        assert "EXPOPS_SIGNING_KEYS" in done.stderr
    # What it has made goes up as soon as it has the keys.
    other.environment["EXPOPS_SIGNING_KEYS"] = ONE
    assert "pushed 0" not in other.command("cache", "push").stdout
    with records(bucket) as store:
        assert all(raw.startswith(SIGNED) for _, raw in store.scan(""))


def test_after_keys_were_introduced_push_signs_what_this_machine_has(tmp_path: Path, bucket: Path) -> None:
    unsigned = machine(tmp_path, "one", None)
    first, _ = unsigned.run()
    signing = machine(tmp_path, "one")
    document, told = signing.run()
    assert outcomes(document) == HITS  # it has them itself
    done = signing.command("cache", "push")
    assert done.returncode == 0, done.stderr
    with records(bucket) as store:
        assert all(raw.startswith(SIGNED) for _, raw in store.scan("result/"))
    second, told = machine(tmp_path, "other").run()
    assert outcomes(second) == HITS
    assert outputs(second) == outputs(first)
    assert "warning" not in told
    assert "pushed 0 records" in signing.command("cache", "push").stdout


def test_keys_are_replaced_without_a_miss(tmp_path: Path) -> None:
    one = machine(tmp_path, "one", ONE)
    one.run()
    between, told = machine(tmp_path, "other", f"{OTHER},{ONE}").run()
    assert outcomes(between) == HITS
    assert "warning" not in told
    # Before the old key goes, what it has signed is signed anew.
    one.environment["EXPOPS_SIGNING_KEYS"] = f"{OTHER}\n{ONE}\n"
    assert one.command("cache", "push").returncode == 0
    document, told = machine(tmp_path, "third", OTHER).run()
    assert outcomes(document) == HITS
    assert "warning" not in told


def test_pull_takes_what_is_signed(tmp_path: Path, bucket: Path) -> None:
    machine(tmp_path, "one").run()
    stranger = machine(tmp_path, "stranger", OTHER)
    done = stranger.command("cache", "pull")
    assert done.returncode == 0, done.stderr
    assert "pulled 0 records and 0 blobs" in done.stdout
    assert "signing keys" in done.stderr
    done = machine(tmp_path, "other").command("cache", "pull")
    assert "3 blobs" in done.stdout
    assert done.stderr == ""


def test_keys_may_be_in_a_file(tmp_path: Path) -> None:
    one, other = (machine(tmp_path, name, None, ", signing: {file: team.keys}") for name in ("one", "other"))
    for each in (one, other):
        keys = each.root / "team.keys"
        keys.write_text(f"# of the team\n\n{ONE}\n")
        keys.chmod(0o600)
    assert "warning" not in one.run()[1]
    assert outcomes(other.run()[0]) == HITS
    (other.root / "team.keys").chmod(0o644)
    assert "all users of this machine can get at it; chmod 600" in other.run()[1]
