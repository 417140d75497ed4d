"""Manifests: what was packed comes back, and a damaged one is never taken."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expops.cache.manifest import Accepted, Artifact, Blob, Manifest, Metric, StoredValue, pack, unpack
from expops.errors import CorruptData

texts = st.text(max_size=8)
paths = st.from_regex(r"[a-z]{1,3}(/[a-zé.]{3})?/?", fullmatch=True)
marks = st.text("0123456789abcdef", min_size=64, max_size=64)
parts = st.binary(max_size=20) | st.builds(Blob, marks, st.integers(0, 2**40))
values = st.builds(StoredValue, marks, texts, parts, st.lists(parts, max_size=3).map(tuple), st.integers(0, 2**50))
numbers = st.integers() | st.booleans() | st.floats(allow_nan=False)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
metrics = st.builds(Metric, texts, numbers, st.none() | st.integers(0, 99))
manifests = st.builds(
    Manifest,
    action=marks,
    kind=st.sampled_from(["process", "step"]),
    path=texts,
    outputs=st.dictionaries(texts, values, max_size=3),
    metrics=st.lists(metrics, max_size=3),
    artifacts=st.lists(
        st.builds(Artifact, paths, parts, st.integers(0, 0o777)), max_size=2, unique_by=lambda item: item.path[0]
    ),
    removed=st.lists(paths, max_size=2),
    log=st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), texts), max_size=3),
    discovered=st.dictionaries(
        st.sampled_from(["file", "seed"]), st.dictionaries(names, texts, max_size=2), max_size=2
    ),
    seed=texts,
    seconds=st.floats(0, 1e9),
    run=texts,
    created=st.floats(0, 2e11),
    host=texts,
    accepted=st.none()
    | st.builds(Accepted, paths, paths, marks, marks, st.floats(0, 2e11), st.lists(texts, max_size=2)),
    rests=st.lists(marks, max_size=2).map(tuple),
)


@given(manifests)
def test_a_manifest_comes_back_as_it_was(manifest: Manifest) -> None:
    assert unpack(pack(manifest)) == manifest


def test_metrics_that_are_no_numbers_come_back() -> None:
    base = Manifest(
        "a" * 64,
        "step",
        "p",
        {},
        [Metric("m", math.nan, 1), Metric("m", math.inf, 2)],
        [],
        [],
        [],
        {},
        "",
        0.0,
        "",
        0.0,
        "",
    )
    again = unpack(pack(base))
    assert math.isnan(again.metrics[0].value)
    assert again.metrics[1].value == math.inf


def test_every_flipped_bit_and_every_truncation_is_noticed() -> None:
    value = StoredValue("f" * 64, "plain", b"12", (), 2)
    raw = pack(Manifest("a" * 64, "step", "p", {"return": value}, [], [], [], [], {}, "1", 0.5, "run", 1.0, "host"))
    for index in range(len(raw)):
        for bit in range(8):
            damaged = bytearray(raw)
            damaged[index] ^= 1 << bit
            with pytest.raises(CorruptData):
                unpack(bytes(damaged))
        with pytest.raises(CorruptData):
            unpack(raw[:index])
