"""Leases: of several who want an action one has it, whoever dies, is slow, has another clock or writes rubbish."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expops.cache import lease_renewal
from expops.cache.file_leases import FileLeases
from expops.cache.lease_renewal import ENDED, LEASE, Renewer
from expops.cache.leases import UNKNOWN, Held, Holder, Lease, Leases, News, holder_in, lease_key, pack, this_machine
from expops.cache.store import Last, LookUp
from expops.cache.store_leases import StoreLeases
from expops.kv.bucket import BucketKV
from expops.kv.memory import MemoryKV
from expops.kv.sqlite import SQLiteKV
from expops.shared_stores import open_bucket

Make = Callable[[], Leases]
KEY = "k" * 8
ANN = Holder("ann", "host", os.getpid(), "run-a", this_machine())
FAR = Holder("bob", "far", 1, "run-b", "another machine")


@pytest.fixture(params=["files", "memory", "sqlite", "bucket"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes the leases of another OS process, say."""
    made: list[Leases] = []
    memory = MemoryKV()

    def store() -> Leases:
        if request.param == "files":
            return FileLeases(str(tmp_path / "leases"), ANN)
        if request.param == "memory":
            kv = memory
        elif request.param == "sqlite":
            kv = SQLiteKV(str(tmp_path / "kv.sqlite"))
        else:
            from expops.buckets.place import Place

            kv = BucketKV(open_bucket(Place("folder", str(tmp_path / "bucket"), "team")))
        return StoreLeases(kv, Renewer(kv), ANN)

    def make() -> Leases:
        made.append(store())
        return made[-1]

    yield make
    for one in made:
        one.close()


def one(leases: Leases, key: str = KEY) -> Lease | Held | None:
    return leases.take([key])[key]


def test_one_has_it_and_the_others_know_who(make: Make) -> None:
    first, second = make(), make()
    lease = one(first)
    assert isinstance(lease, Lease)
    assert one(second) == Held(KEY, ANN)
    assert one(second, "other") == Lease("other", one(first, "third").again)  # type: ignore[union-attr]
    first.end(lease, None)
    assert _soon(second) == Lease(KEY, True)


@pytest.mark.parametrize("result", [None, "result"])
def test_whoever_comes_after_it_ended_looks_up_again(make: Make, result: str | None) -> None:
    first, second, third = make(), make(), make()
    lease = one(first)
    assert isinstance(lease, Lease)
    assert isinstance(one(second), Held)
    first.end(lease, result)
    again = _soon(second)
    assert again == Lease(KEY, True)
    assert isinstance(one(third), Held)
    second.end(again, result)
    if result:
        assert _soon(third) == Lease(KEY, True)


def test_of_many_one_has_it(make: Make) -> None:
    everyone = [make() for _ in range(8)]
    barrier = threading.Barrier(len(everyone))
    keys = [f"key{number}" for number in range(6)]

    def take(leases: Leases) -> list[str]:
        barrier.wait()
        return [key for key, taken in leases.take(keys).items() if isinstance(taken, Lease)]

    with ThreadPoolExecutor(len(everyone)) as pool:
        had = [key for keys in pool.map(take, everyone) for key in keys]
    assert sorted(had) == keys


def test_closing_gives_all_back(make: Make) -> None:
    first, second = make(), make()
    keys = ["a", "b", "c"]
    assert all(isinstance(taken, Lease) for taken in first.take(keys).values())
    first.close()
    assert all(isinstance(taken, Lease) for taken in second.take(keys).values())


def _soon(leases: Leases) -> Lease:
    """The lease, once its end has got around."""
    for _ in range(500):
        taken = one(leases)
        if isinstance(taken, Lease):
            return taken
        time.sleep(0.01)
    raise AssertionError("nobody gave it back")


HOLD = """
import sys, time
from expops.cache.file_leases import FileLeases
from expops.cache.leases import Holder
from expops.cache.lease_renewal import Renewer
from expops.cache.store_leases import StoreLeases
from expops.kv.sqlite import SQLiteKV
kind, folder = sys.argv[1:]
if kind == "files":
    leases = FileLeases(folder, Holder.of_this("doomed"))
else:
    kv = SQLiteKV(folder)
    leases = StoreLeases(kv, Renewer(kv), Holder.of_this("doomed"))
print(leases.take(["k"])["k"].key, flush=True)
time.sleep(100)
"""


@pytest.mark.parametrize("kind", ["files", "sqlite"])
def test_on_one_machine_a_killed_holder_is_missed_at_once(tmp_path: Path, kind: str) -> None:
    place = str(tmp_path / "leases")
    with subprocess.Popen([sys.executable, "-c", HOLD, kind, place], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "k\n"
        store = SQLiteKV(place) if kind == "sqlite" else None
        mine: Leases = StoreLeases(store, Renewer(store)) if store is not None else FileLeases(place)
        held = mine.take(["k"])["k"]
        assert isinstance(held, Held)
        assert (held.holder.run, held.holder.pid) == ("doomed", holder.pid)
        holder.kill()
    assert isinstance(mine.take(["k"])["k"], Lease)
    mine.close()


def test_a_child_that_was_forked_keeps_no_lease(tmp_path: Path) -> None:
    """User code may leave children behind that outlive it."""
    leases = FileLeases(str(tmp_path))
    assert isinstance(one(leases), Lease)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"x")
        time.sleep(100)
        os._exit(0)
    os.read(reader, 1)
    try:
        for file in leases._files.values():
            os.close(file)  # as the kernel does when the parent is killed
        leases._files.clear()
        assert isinstance(one(FileLeases(str(tmp_path))), Lease)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_folder_that_cannot_be_written_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert one(FileLeases(str(tmp_path / "file"))) is None


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _leases(kv: MemoryKV, clock: _Clock, holder: Holder = FAR) -> StoreLeases:
    """Of a machine whose holder never renews: as one that died, or is cut off."""
    return StoreLeases(kv, _Silent(), holder, expiry=30, clock=clock)


class _Silent:
    def hold(self, key: str, record: bytes, task: str = "") -> None: ...
    def end(self, key: str, result: str) -> None: ...
    def lost(self, task: str) -> None: ...
    def close(self) -> None: ...


def test_who_does_not_renew_loses_it() -> None:
    kv, clock = MemoryKV(), _Clock()
    assert isinstance(one(_leases(kv, clock)), Lease)
    mine = _leases(kv, clock, ANN)
    assert one(mine) == Held(KEY, FAR)
    clock.now += 29
    assert one(mine) == Held(KEY, FAR)
    clock.now += 2
    assert one(mine) == Lease(KEY, True)


def test_a_slow_holder_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it renews, however long that goes on; also when one renewal can't be made."""
    kv, clock = MemoryKV(), _Clock()
    keeper = Renewer(kv, beat=3600)
    slow = StoreLeases(kv, keeper, FAR, clock=clock)
    lease = one(slow)
    assert isinstance(lease, Lease)
    mine = _leases(kv, clock, ANN)
    for _ in range(20):
        assert one(mine) == Held(KEY, FAR)
        clock.now += 25
        keeper._renew(KEY)
    slow.end(lease, None)
    assert one(mine) == Lease(KEY, True)
    slow.close()


def test_who_has_lost_it_finds_out_and_takes_nothing_back() -> None:
    kv, clock = MemoryKV(), _Clock()
    keeper = Renewer(kv, beat=3600)
    slow = StoreLeases(kv, keeper, FAR, clock=clock)
    lease = one(slow)
    assert isinstance(lease, Lease)
    mine = _leases(kv, clock, ANN)
    assert isinstance(one(mine), Held)
    clock.now += 31
    assert one(mine) == Lease(KEY, True)
    now = kv.get_many([LEASE + KEY])
    keeper._renew(KEY)
    slow.end(lease, "result")
    slow.close()
    assert kv.get_many([LEASE + KEY]) == now


@pytest.mark.parametrize("skew", [-6 * 3600.0, 6 * 3600.0])
def test_clocks_that_differ_by_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skew: float) -> None:
    """A bucket's records expire by the clock of whoever reads them; leases are not told to be over by that."""
    from expops.buckets.place import Place

    here = BucketKV(open_bucket(Place("folder", str(tmp_path), "team")))
    clock = _Clock()
    keeper = Renewer(here, beat=3600)
    slow = StoreLeases(here, keeper, FAR, clock=clock)
    assert isinstance(one(slow), Lease)
    true_time = time.time
    with monkeypatch.context() as other:
        other.setattr(time, "time", lambda: true_time() + skew)
        mine = StoreLeases(here, _Silent(), ANN, expiry=30, clock=clock)
        assert one(mine) == Held(KEY, FAR)
        clock.now += 29
        assert one(mine) == Held(KEY, FAR)
    keeper._renew(KEY)
    with monkeypatch.context() as other:
        other.setattr(time, "time", lambda: true_time() + skew)
        clock.now += 29
        assert one(mine) == Held(KEY, FAR)
        clock.now += 31
        assert one(mine) == Lease(KEY, True)
    slow.close()


@given(st.binary(max_size=60) | st.sampled_from([b"[]", b"{}", b"[1,2,3,4,5]", b"[" * 60_000, pack(FAR, "\n\x1b[2J")]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rubbish_is_somebody_who_does_not_renew(raw: bytes) -> None:
    kv, clock = MemoryKV(), _Clock()
    kv.create(LEASE + KEY, raw)
    mine = _leases(kv, clock, ANN)
    taken = one(mine)
    if raw != ENDED:
        assert isinstance(taken, Held)
        assert taken.holder.words(ANN).isprintable()
        clock.now += 31
        taken = one(mine)
    assert taken == Lease(KEY, True)


@given(st.tuples(st.text(), st.text(), st.integers(0, 1 << 22), st.text(), st.text()))
def test_holders_come_back_readable(fields: tuple[str, str, int, str, str]) -> None:
    read = holder_in(pack(Holder(*fields), "mark", 7))
    assert (read.pid, read.machine) == (fields[2], fields[4])
    assert read.words(UNKNOWN).isprintable()


def test_it_is_held_until_the_result_has_arrived() -> None:
    """Who waited would look it up in vain before that."""
    kv = MemoryKV()
    waiting = {"result/abc"}
    slow = StoreLeases(kv, Renewer(kv, waiting=lambda: waiting, beat=0.02), FAR)
    lease = one(slow)
    assert isinstance(lease, Lease)
    slow.end(lease, "abc")
    mine = StoreLeases(kv, _Silent(), ANN)
    for _ in range(5):
        time.sleep(0.02)
        assert isinstance(one(mine), Held)
    waiting.clear()
    assert _soon(mine) == Lease(KEY, True)
    slow.close()


def test_a_result_that_never_arrives_frees_it_at_the_end() -> None:
    kv = MemoryKV()
    slow = StoreLeases(kv, Renewer(kv, waiting=lambda: ["result/abc"], beat=3600), FAR)
    lease = one(slow)
    assert isinstance(lease, Lease)
    slow.end(lease, "abc")
    slow.close()
    assert kv.get_many([LEASE + KEY]) == {}


def test_the_run_keeps_what_its_workers_take() -> None:
    """And gives back what a worker that died had not ended."""
    kv, told = MemoryKV(), list[News]()
    run = StoreLeases(kv, Renewer(kv, beat=3600), FAR)
    worker = StoreLeases(kv, Renewer(kv), FAR)
    worker.report(told.append)
    taken = worker.take(["a", "b", "c"])
    a, b = taken["a"], taken["b"]
    assert isinstance(a, Lease)
    assert isinstance(b, Lease)
    worker.end(a, "result")
    worker.end(b, None)
    worker.close()
    other = StoreLeases(kv, _Silent(), ANN)
    assert all(isinstance(taken, Held) for taken in other.take(["a", "b", "c"]).values())
    for news in told:
        run.heard("task", news)
    _soon_free(kv, ["a", "b"])
    assert isinstance(other.take(["c"])["c"], Held)
    run.lost("task")
    assert isinstance(other.take(["c"])["c"], Lease)
    run.close()


def _soon_free(kv: MemoryKV, keys: list[str]) -> None:
    for _ in range(500):
        records = kv.get_many([LEASE + key for key in keys])
        if all(record == ENDED for record in records.values()):
            return
        time.sleep(0.01)
    raise AssertionError(records)


@given(
    st.lists(st.sampled_from(["take", "end", "renew", "wait", "die"]), max_size=60), st.randoms(use_true_random=False)
)
@settings(deadline=None)
def test_never_two_at_once_but_after_an_expiry(moves: list[str], random: object) -> None:
    """Whatever a few machines do in whatever order: who is told to execute is alone among those who renew in time."""
    kv, clock = MemoryKV(), _Clock()
    keepers = [Renewer(kv, beat=3600) for _ in range(3)]
    machines = [
        StoreLeases(kv, keeper, FAR._replace(run=str(number)), expiry=30, clock=clock)
        for number, keeper in enumerate(keepers)
    ]
    renewed: dict[int, tuple[Lease, float]] = {}
    for move in moves:
        who = random.randrange(len(machines))  # type: ignore[attr-defined]
        if move == "wait":
            clock.now += random.choice([1, 10, 29, 31])  # type: ignore[attr-defined]
        elif move == "take" and who not in renewed:
            taken = one(machines[who])
            if isinstance(taken, Lease):
                assert all(clock.now - since > 30 for _, since in renewed.values()), (renewed, clock.now)
                renewed[who] = (taken, clock.now)
        elif who in renewed:
            lease, since = renewed[who]
            if move == "renew":
                keepers[who]._renew(KEY)
                if KEY in keepers[who]._mine:
                    renewed[who] = (lease, clock.now)
            elif move == "end":
                machines[who].end(lease, None)
                del renewed[who]
            elif move == "die":
                keepers[who]._mine.clear()
                del renewed[who]
                renewed[who + 100] = (lease, since)
    for machine in machines:
        machine.close()


def _look_up(*variants: dict[str, list[str]], last: str = "") -> LookUp:
    return LookUp("action", "", None, list(variants), Last("action", last) if last else None)


def test_seeds_have_leases_of_their_own_where_it_is_known_that_numbers_are_drawn() -> None:
    assert lease_key(_look_up(), "1") == lease_key(_look_up(), "2")
    assert lease_key(_look_up({"file": ["a"]}), "1") == lease_key(_look_up(), "2")
    drawing = _look_up({"file": ["a"]}, {"seed": [""]})
    assert lease_key(drawing, "1") == lease_key(drawing, "1") != lease_key(drawing, "2")
    assert lease_key(_look_up(last="!failed"), "1") == lease_key(_look_up(), "1")
    assert lease_key(_look_up(last="!unkept"), "1") == ""


def test_expiry_outlasts_a_rest_and_missed_beats() -> None:
    """A store that failed once is left alone for half a minute: no lease may be lost by that."""
    from expops.cache.store_leases import EXPIRY
    from expops.kv.breaker import _REST_SECONDS

    assert _REST_SECONDS + 3 * lease_renewal.BEAT < EXPIRY
