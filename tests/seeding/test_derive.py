"""Seeds by hash."""

from __future__ import annotations

import itertools

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from expops.errors import UsageError
from expops.hashing.canonical import encode
from expops.seeding.derive import derive_seed

ROOTS = st.integers(0, 2**128 - 1)
CALLS = st.integers(1, 1000) | st.text(max_size=5)
PARTS = st.tuples(ROOTS, st.text(max_size=5), st.text(max_size=5), CALLS, st.text(max_size=5))


@pytest.mark.parametrize(
    ("args", "options", "seed"),
    [
        ((42, "train"), {}, 2675627876),
        ((42, "train", "fit"), {}, 535230556),
        ((42, "train", "fit", 2), {}, 2937839674),
        ((42, "train", "fit", "2"), {}, 2823593082),
        ((42, "train", "fit"), {"purpose": "random"}, 1656057547),
        ((42, "train", "fit"), {"purpose": "numpy.random"}, 2705212957),
        ((0, ""), {}, 787711698),
        (
            (340282366920938463463374607431768211455, "prüfen[2]/seed=7", "größe"),
            {"bits": 128},
            38992130069489429914076931772007831713,
        ),
        ((42, "train"), {"bits": 64}, 12976173295040367099),
        ((42, "train"), {"bits": 256}, 93322979727346985356969173465753136012109298698433169650678258598701765685398),
    ],
)
def test_golden_vectors(args: tuple[int, str], options: dict[str, int], seed: int) -> None:
    """A change here changes the results of everyone's experiments: it takes a new scheme."""
    assert derive_seed(*args, **options) == seed  # type: ignore[arg-type]


@given(PARTS, st.integers(1, 256))
def test_the_documented_formula(parts: tuple[int, str, str, int | str, str], bits: int) -> None:
    root, process, step, call, purpose = parts
    fields = {"scheme": "expops.seed/1", "bits": bits, "root": root, "process": process}
    digest = blake3(encode({**fields, "step": step, "call": call, "purpose": purpose})).digest()
    expected = int.from_bytes(digest, "big") >> (256 - bits)
    assert derive_seed(root, process, step, call, purpose=purpose, bits=bits) == expected


@given(PARTS, PARTS)
def test_different_parts_give_different_seeds(
    a: tuple[int, str, str, int | str, str], b: tuple[int, str, str, int | str, str]
) -> None:
    seeds = [derive_seed(r, p, s, c, purpose=u, bits=256) for r, p, s, c, u in (a, b)]
    assert (seeds[0] == seeds[1]) == (a == b)


def test_neighbours_by_arithmetic_or_by_joining_are_unrelated() -> None:
    pairs = [
        ((42, "a", "b", 1), (43, "a", "b", 0)),
        ((1, "", "", 0), (1, "", "", "")),
        ((1, "ab", "c"), (1, "a", "bc")),
        ((1, "a/b", ""), (1, "a", "b")),
        ((1, "a", "b", 1), (1, "a", "b", "1")),
    ]
    for a, b in pairs:
        assert derive_seed(*a) != derive_seed(*b)  # type: ignore[arg-type]


def test_lengths_are_no_prefixes_of_each_other() -> None:
    assert derive_seed(42, "p", bits=64) >> 32 != derive_seed(42, "p", bits=32)


def test_seeds_spread_evenly_and_do_not_repeat() -> None:
    seeds = [derive_seed(root, f"p{p}", "s", call, bits=64) for root, p, call in itertools.product(range(20), repeat=3)]
    assert len(set(seeds)) == len(seeds) == 8000
    # Each bit is set in half of the seeds: 6 standard deviations of a binomial of 8000 are 268.
    for bit in range(64):
        assert abs(sum(seed >> bit & 1 for seed in seeds) - 4000) < 268
    # Neighbours, by one in a root or an ordinal, differ in half of their bits.
    flips = [(a ^ b).bit_count() for a, b in itertools.pairwise(seeds)]
    assert abs(sum(flips) / len(flips) - 32) < 6 * 4 / len(flips) ** 0.5


@pytest.mark.parametrize(("root", "says"), [(-1, "negative"), (2**128, "too large")])
def test_roots_out_of_range_are_refused(root: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        derive_seed(root, "p")


@pytest.mark.parametrize("bits", [0, -1, 257])
def test_lengths_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(UsageError, match="1 to 256"):
        derive_seed(1, "p", bits=bits)
