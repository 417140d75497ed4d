"""``expops.torch.DataLoader``: what is drawn while samples are made depends on step, epoch and index only."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils import data

import expops
from expops.errors import UsageError
from expops.seeding.derive import derive_seed
from expops.seeding.session import GIVEN, SeededAction
from expops.torch import DataLoader

# PyTorch forks its workers; Python warns of threads, and so does JAX if another test has loaded it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),
]
SIZE = 11


class Noisy(data.Dataset):
    """Draws from every source, and as often as the sample before happened to say."""

    label = "noisy"

    def __init__(self) -> None:
        self.draws = 1

    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, index: int) -> torch.Tensor:
        values = [float(index), random.random(), float(np.random.rand()), float(torch.rand(()))]
        values += [float(expops.rng("augment").random()), float(expops.seed("crop"))]
        for _ in range(self.draws):
            torch.rand(3)
            random.random()
        self.draws = (self.draws + index) % 5
        return torch.tensor(values, dtype=torch.float64)


class Stream(data.IterableDataset):
    def __iter__(self) -> Any:
        return iter(range(3))


def mixed(samples: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(samples) + torch.rand(1, dtype=torch.float64) + random.random()


def action(root: int = 42) -> SeededAction:
    return SeededAction(lambda purpose, bits=32: derive_seed(root, "p", "step", purpose=purpose, bits=bits))


def epochs(count: int = 2, *, root: int = 42, purpose: str | None = None, **options: Any) -> list[Any]:
    """All batches of some epochs, then what the step itself draws."""
    with action(root) as step:
        loader = DataLoader(Noisy(), purpose=purpose, **options)
        found: list[Any] = [[batch.tolist() for batch in loader] for _ in range(count)]
        found.append((random.random(), float(np.random.rand()), float(torch.rand(()))))
    assert GIVEN in step.drew
    return found


PLAIN = {"batch_size": 3, "shuffle": True}


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
@pytest.mark.parametrize("collate", [None, mixed], ids=["plain", "collate"])
def test_samples_are_the_same_for_any_number_of_workers(collate: Any) -> None:
    options = {**PLAIN, "collate_fn": collate}
    base = epochs(**options, num_workers=0)
    assert epochs(**options, num_workers=0) == base
    assert epochs(**options, num_workers=1) == base
    assert epochs(**options, num_workers=4) == base
    assert epochs(**options, num_workers=4, prefetch_factor=1) == base
    assert epochs(**options, num_workers=2, persistent_workers=True) == base


def test_workers_that_are_spawned_make_the_same_samples() -> None:
    assert epochs(**PLAIN, num_workers=2, multiprocessing_context="spawn") == epochs(**PLAIN)


def test_samples_epochs_and_roots_differ() -> None:
    first, second, _ = epochs(batch_size=None)
    assert len({tuple(sample[1:]) for sample in first + second}) == 2 * SIZE
    assert epochs(batch_size=None, root=7)[0] != first


def test_the_order_of_samples_does_not_shift_them() -> None:
    def by_index(**options: Any) -> dict[float, list[float]]:
        return {sample[0]: sample for sample in epochs(1, batch_size=None, **options)[0]}

    straight = by_index()
    assert by_index(shuffle=True) == straight
    assert by_index(sampler=list(reversed(range(SIZE)))) == straight
    assert by_index(sampler=[4, 2]) == {key: straight[key] for key in (4.0, 2.0)}


def test_the_order_follows_the_step_or_a_generator_of_ones_own() -> None:
    def order(**options: Any) -> list[float]:
        return [sample[0] for sample in epochs(1, batch_size=None, shuffle=True, **options)[0]]

    assert sorted(order()) == list(range(SIZE))
    assert order() == order() != order(root=7)
    own = order(generator=torch.Generator().manual_seed(3))
    assert own == order(generator=torch.Generator().manual_seed(3), root=7)


def test_loaders_of_one_step_are_told_apart() -> None:
    with action():
        loaders = [DataLoader(Noisy(), batch_size=None, purpose=name) for name in ("train", "train", "test", None)]
        found = [tuple(next(iter(loader)).tolist()) for loader in loaders]
    assert len(set(found)) == 4


@given(st.integers(1, 4), st.booleans(), st.booleans())
@settings(max_examples=8, deadline=None)
def test_batches_may_be_made_in_any_way(size: int, drop_last: bool, as_batches: bool) -> None:
    sampler = data.BatchSampler(data.SequentialSampler(range(SIZE)), size, drop_last)
    options: dict[str, Any] = {"batch_sampler": sampler} if as_batches else {"batch_size": size, "drop_last": drop_last}
    found = [sample for batch in epochs(1, **options)[0] for sample in batch]
    assert found == epochs(1, batch_size=None)[0][: len(found)]


def test_it_looks_like_pytorchs() -> None:
    loader = DataLoader(Noisy(), 4, True, num_workers=2)
    assert isinstance(loader, data.DataLoader)
    assert (len(loader), loader.batch_size, loader.num_workers) == (3, 4, 2)
    assert loader.dataset.label == "noisy"
    assert len(loader.dataset) == SIZE
    assert loader.dataset[3][0] == 3
    with pytest.raises(AttributeError, match="nothing"):
        _ = loader.dataset.nothing


def test_what_it_cannot_do_is_told() -> None:
    with pytest.raises(UsageError, match="IterableDataset"):
        DataLoader(Stream())
    with pytest.raises(UsageError, match="not both"):
        DataLoader(Noisy(), shuffle=True, sampler=[1, 2])
    with pytest.raises(UsageError, match="purpose"):
        DataLoader(Noisy(), purpose="")
    with pytest.raises(TypeError, match="batchsize"):
        DataLoader(Noisy(), batchsize=3)
    with pytest.raises(ValueError, match="mutually exclusive"):
        DataLoader(Noisy(), batch_sampler=[[1]], shuffle=True)


def test_a_failing_sample_is_told_as_by_pytorch() -> None:
    class Failing(Noisy):
        def __getitem__(self, index: int) -> torch.Tensor:
            raise LookupError("no such image")

    for workers in (0, 1):
        with action(), pytest.raises(LookupError, match="no such image"):
            list(DataLoader(Failing(), num_workers=workers))


def test_golden_samples() -> None:
    """A change here changes the results of everyone's experiments."""
    first = epochs(1, batch_size=None, shuffle=True, purpose="train")[0][0]
    assert first == [6.0, 0.3472891533338359, 0.5566386919138412, 0.4927051067352295, 0.29107613467761273, 1328240945.0]
