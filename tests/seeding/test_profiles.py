"""The environment that a numeric profile asks for."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.seeding.profiles import THREADS, environment

NAMES = st.sampled_from(
    ["HOME", "XLA_FLAGS", "GLIBC_TUNABLES", "OMP_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES", "MKL_CBWR"]
)
GIVEN = st.dictionaries(NAMES, st.text("ab:-= ", max_size=6), max_size=6)


@given(GIVEN)
def test_the_default_changes_nothing(given: dict[str, str]) -> None:
    assert environment("fast", given) == given


@given(GIVEN, st.sampled_from(["stable", "portable"]))
def test_asked_for_twice_is_asked_for_once(given: dict[str, str], profile: str) -> None:
    once = environment(profile, given)
    assert environment(profile, once) == once
    assert once.get("HOME") == given.get("HOME")


@given(GIVEN, st.sampled_from(["stable", "portable"]))
def test_what_it_fixes_does_not_depend_on_what_was_there(given: dict[str, str], profile: str) -> None:
    fixed = (*THREADS, "MKL_CBWR", "CUBLAS_WORKSPACE_CONFIG", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES")
    own, bare = environment(profile, given), environment(profile, {})
    names = fixed if profile == "portable" else fixed[:-2]
    assert {name: own.get(name) for name in names} == {name: bare.get(name) for name in names}


@pytest.mark.parametrize("profile", ["stable", "portable"])
def test_the_users_own_flags_stay(profile: str) -> None:
    found = environment(profile, {"XLA_FLAGS": "--mine=1", "GLIBC_TUNABLES": "glibc.malloc.perturb=1"})
    assert found["XLA_FLAGS"].startswith("--mine=1 --xla")
    assert found["GLIBC_TUNABLES"].startswith("glibc.malloc.perturb=1")


def test_the_number_of_threads_is_not_that_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment("stable", {})
    monkeypatch.setattr(os, "cpu_count", lambda: 97)
    assert environment("stable", {}) == before
    assert {environment("portable", {})[name] for name in THREADS} == {"1"}
