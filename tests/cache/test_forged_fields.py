"""Records that are right but for one field, which may be anything: no run and no command fails over them."""

from __future__ import annotations

import pytest
from forging import ABSENT_BLOB, KINDS, Forged, altered, anything, document_of, places, record_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sandbox import outcomes


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Forged:
    return Forged(tmp_path_factory.mktemp("forged"))


def _alter_one(forged: Forged, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    keys = [key for key in forged.records if key.startswith(kind)]
    key = data.draw(st.sampled_from(sorted(keys)))
    document = document_of(key, forged.records[key])
    place = data.draw(st.sampled_from(list(places(document))))
    value = data.draw(anything)
    # A record that says in all its fields what one of ours could say can't be told apart.
    assume(value != ABSENT_BLOB or kind != "result/" or place[-1:] != (0,) or place[:1] != (4,) or len(place) != 3)
    forged.put({key: record_of(key, altered(document, place, value))})


def _runs(forged: Forged, data: st.DataObject) -> None:
    _alter_one(forged, data)
    forged.check_run()


def _commands(forged: Forged, data: st.DataObject) -> None:
    _alter_one(forged, data)
    forged.look()


def test_the_project_takes_results_of_all_kinds(forged: Forged) -> None:
    forged.put({})
    found = outcomes(forged.sandbox.run())
    assert found == {"first": "hit", "second/double": "hit", "second": "executed"}
    assert {key.partition("/")[0] + "/" for key in forged.records} >= set(KINDS)


@settings(max_examples=40)
@given(data=st.data())
def test_a_run_is_done_and_right(forged: Forged, data: st.DataObject) -> None:
    _runs(forged, data)


@settings(max_examples=20)
@given(data=st.data())
def test_commands_answer(forged: Forged, data: st.DataObject) -> None:
    _commands(forged, data)


@pytest.mark.slow
@settings(max_examples=1500)
@given(data=st.data())
def test_many_runs_are_done_and_right(forged: Forged, data: st.DataObject) -> None:
    _runs(forged, data)


@pytest.mark.slow
@settings(max_examples=800)
@given(data=st.data())
def test_many_commands_answer(forged: Forged, data: st.DataObject) -> None:
    _commands(forged, data)
