"""What people read: figures, tables that fit, lines by process; and what programs read: strict JSON."""

from __future__ import annotations

import io
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.cli.documents import moment, write_json
from expops.cli.live import Row
from expops.cli.live_view import chosen
from expops.cli.records import find_run
from expops.cli.report import failed_step, unmatched
from expops.cli.text import Printer, duration, number, plural, shortened, size, width
from expops.cli.watchers import PlainWatcher
from expops.errors import UnknownName
from expops.kv.memory import MemoryKV
from expops.runs.ledger import Ledger
from expops.runs.model import ActionRecord, RunRecord

STATES = ["waiting", "running", "cached", "done", "failed", "skipped"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.10 s"),
        (9.99, "9.99 s"),
        (9.996, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (90061, "25 h 01 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (100_000, "100 kB"),
        (999_600, "1.0 MB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_counts_and_figures() -> None:
    assert [plural(0, "run"), plural(1, "run"), plural(2000, "run")] == ["0 runs", "1 run", "2,000 runs"]
    assert [number(0.1 + 0.2), number(1e-9), number(math.inf)] == ["0.3", "1e-09", "inf"]
    assert moment(0.25) == "1970-01-01T00:00:00.250Z"


@given(st.text(), st.integers(0, 30))
def test_a_shortened_text_fits(text: str, columns: int) -> None:
    short = shortened(text, columns)
    assert width(short) <= columns
    assert short == text or (columns == 0 and short == "") or short.endswith("…")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Narrow(Printer):
    columns = 40


@given(st.lists(st.tuples(*[st.text("ab日 ", max_size=60)] * 3), min_size=1, max_size=6))
def test_a_table_on_a_terminal_keeps_within_its_columns(rows: list[tuple[str, str, str]]) -> None:
    file = _Terminal()
    printer = _Narrow(file)
    printer.table(rows, right=(1,))
    lines = re.sub("\033\\[[0-9;]*m", "", file.getvalue()).splitlines()
    assert all(width(line) <= 40 for line in lines)


@given(st.lists(st.tuples(*[st.text("abc", min_size=1, max_size=90)] * 3), min_size=1, max_size=6))
def test_a_table_elsewhere_loses_nothing(rows: list[tuple[str, str, str]]) -> None:
    file = io.StringIO()
    Printer(file).table(rows, head=("a", "b", "c"), styles=["red"] * len(rows))
    assert [tuple(line.split()) for line in file.getvalue().splitlines()[1:]] == rows


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Printer(_Terminal()).paint("x", "red") == "\033[31mx\033[0m"
    assert Printer(io.StringIO()).paint("x", "red") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Printer(_Terminal()).paint("x", "red") == "x"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@given(_json)
def test_documents_are_strict_json_on_one_line(document: object) -> None:
    file = io.StringIO()
    write_json(document, file)

    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(file.getvalue(), parse_constant=refuse)
    assert file.getvalue().count("\n") == 1


@given(st.lists(st.sampled_from(STATES), max_size=40), st.integers(2, 20))
def test_the_view_shows_as_many_rows_as_fit_the_most_telling_first(states: list[str], room: int) -> None:
    rows = [Row(str(index), state, "") for index, state in enumerate(states)]
    shown, hidden = chosen(rows, room)
    assert len(shown) + (1 if hidden else 0) <= max(room, 1)
    assert sorted([*shown, *hidden], key=rows.index) == rows
    assert shown == sorted(shown, key=rows.index)
    if any(row.state == "running" for row in hidden):
        assert all(row.state == "running" for row in shown)


@given(st.lists(st.text("ab\n", max_size=8), max_size=8))
def test_output_comes_in_whole_lines_whatever_the_pieces(pieces: list[str]) -> None:
    out = io.StringIO()
    watcher = PlainWatcher(out, io.StringIO())
    for piece in pieces:
        watcher.printed("p", "stdout", piece)
    watcher.close()
    text = "".join(pieces)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    assert out.getvalue() == "".join(f"[p] {line}\n" for line in lines)


def test_output_of_two_processes_does_not_mix_within_a_line() -> None:
    out, err = io.StringIO(), io.StringIO()
    watcher = PlainWatcher(out, err)
    watcher.printed("a", "stdout", "one ")
    watcher.printed("b", "stdout", "x\n")
    watcher.printed("a", "stderr", "e")
    watcher.printed("a", "stdout", "two\n")
    watcher.close()
    assert out.getvalue() == "[b] x\n[a] one two\n"
    assert err.getvalue() == "[a] e\n"


def test_a_warning_is_shown_once() -> None:
    err = io.StringIO()
    watcher = PlainWatcher(io.StringIO(), err)
    for _ in range(3):
        watcher.warned("the disk is full")
    assert err.getvalue() == "warning: the disk is full\n"
    assert watcher.warnings == 1


def action(path: str, outcome: str) -> ActionRecord:
    kind = "step" if "/" in path else "process"
    return ActionRecord(path, kind, outcome, "", 0.0, 0.0, {}, "", False, 0.0, "", "", "", False, (), "")


def test_the_step_that_failed_is_the_innermost_of_the_last() -> None:
    actions = [action("p/tried", "failed"), action("p/outer/inner#2", "failed"), action("p/outer", "failed")]
    assert failed_step(actions, "p") == "outer/inner#2"
    assert failed_step([action("q/step", "failed")], "p") == ""
    assert failed_step([action("p/step", "executed")], "p") == ""


def test_a_forced_step_is_matched_by_any_of_its_calls() -> None:
    actions = [action("p", "executed"), action("p/s", "executed"), action("p/s#2", "executed")]
    assert unmatched(["p", "p/s", "p/s#2", "p/t"], actions) == ["p/t"]


def run(run_id: str, started: float) -> RunRecord:
    return RunRecord(run_id, "done", "42", started, started, [], 1, "h", 1, "", None, "", {}, [], {}, 0.0)


def test_runs_are_found_by_how_long_ago_also_within_one_second() -> None:
    ledger = Ledger(MemoryKV())
    for run_id, started in (("20260101-000000-c", 1.0), ("20260101-000000-a", 1.5), ("20260101-000000-b", 1.7)):
        ledger.write(run(run_id, started))
    names = ["last", "last~0", "last~1", "latest~2"]
    assert [find_run(ledger, name).run_id[-1] for name in names] == ["b", "b", "a", "c"]
    with pytest.raises(UnknownName, match="the ledger has 3 in all"):
        find_run(ledger, "last~3")
