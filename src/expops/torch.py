"""``from expops.torch import DataLoader``: PyTorch's, with the same samples for any number of workers.

PyTorch seeds each worker from the loader's generator and the worker's number, so what is drawn while a sample is made
depends on which worker makes it, and on what that worker has made before. Here each sample has a seed of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Generator
from torch.utils import data

from .errors import UsageError
from .seeding import purposes
from .seeding.derive import derive_seed
from .seeding.session import SeededAction


class DataLoader(data.DataLoader):  # type: ignore[misc]
    """PyTorch's ``DataLoader``, taking the same arguments, whose random numbers don't depend on its workers.

    While a sample is made, the global state of ``random``, NumPy, PyTorch and so on, ``expops.rng()`` and
    ``expops.seed()`` are seeded from (step and purpose, epoch, index), and while a ``collate_fn`` of yours runs, from
    (step and purpose, epoch, indices of the batch). So the samples are the same for any ``num_workers``, with
    ``persistent_workers`` or without, and the random state of the step itself is left alone. The order that
    ``shuffle=True`` gives is the step's too, unless you hand over a ``generator``. Epochs are counted by the loader,
    from 0: each iteration over it is one.

    Parameters
    ----------
    dataset: a map-style dataset, one with ``__getitem__`` and ``__len__``
    purpose: what tells the loaders of a step apart; several with the same one are told apart by their order
    options: as PyTorch's, by position or name

    Raises :class:`~expops.errors.UsageError` for an ``IterableDataset``, whose samples have no index.
    """

    def __init__(self, dataset: Any, *options: Any, purpose: str | None = None, **named: Any) -> None:
        if isinstance(dataset, data.IterableDataset):
            raise UsageError(
                "expops.torch.DataLoader seeds each sample by its index, which those of an IterableDataset don't have; "
                "give it a dataset with __getitem__ and __len__, or use PyTorch's DataLoader and draw in the dataset "
                "from a generator that is seeded with expops.seed() and the number of the shard"
            )
        given = inspect.signature(data.DataLoader.__init__).bind(self, dataset, *options, **named).arguments
        given = {name: value for name, value in given.items() if name not in ("self", "dataset")}
        root = _root(purpose)
        _seed_order(given, dataset, root)
        if given.get("collate_fn") is not None and given.get("batch_size", 1) is not None:
            given["collate_fn"] = _SeededCollate(given["collate_fn"], root)
        # PyTorch draws the seeds of its workers from this, and would else take them from the global state.
        given["generator"] = Generator().manual_seed(derive_seed(root, "", "workers", bits=64))
        super().__init__(_SeededDataset(dataset, root), **given)


def _root(purpose: str | None) -> int:
    """The seed from which those of a loader's samples are derived."""
    name = purposes.checked(purpose)
    return purposes.derived("torch.DataLoader", f"loader {purposes.ordinal('DataLoader', name)}:{name}", 128)


def _seed_order(given: dict[str, Any], dataset: Any, root: int) -> None:
    """Give the loader's options a sampler that tells the epoch with each index."""
    if given.get("batch_sampler") is not None:
        given["batch_sampler"] = _EpochBatches(given["batch_sampler"])
        return
    shuffle, sampler = given.pop("shuffle", None), given.get("sampler")
    if shuffle and sampler is not None:
        raise UsageError("a DataLoader takes shuffle=True or a sampler, not both; leave one of them out")
    if shuffle:
        order = given.get("generator") or Generator().manual_seed(derive_seed(root, "", "order", bits=64))
        sampler = data.RandomSampler(dataset, generator=order)
    given["sampler"] = _EpochIndices(data.SequentialSampler(dataset) if sampler is None else sampler)


class _Key(NamedTuple):
    """What a sample is asked for by."""

    epoch: int
    index: Any


class _Epochs:
    """A sampler that counts how often it was iterated over; whatever else it is asked, the inner one answers."""

    def __init__(self, sampler: Iterable[Any]) -> None:
        self._sampler = sampler
        self._epochs = 0

    def __len__(self) -> int:
        return len(self._sampler)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return _attribute(self, "_sampler", name)

    # A generator: loaders ask for iterators that they never begin with.
    def _numbered(self) -> Iterator[tuple[int, Any]]:
        epoch = self._epochs
        self._epochs += 1
        for item in self._sampler:
            yield epoch, item


class _EpochIndices(_Epochs):
    def __iter__(self) -> Iterator[_Key]:
        for epoch, index in self._numbered():
            yield _Key(epoch, index)


class _EpochBatches(_Epochs):
    def __iter__(self) -> Iterator[list[_Key]]:
        for epoch, indices in self._numbered():
            yield [_Key(epoch, index) for index in indices]


class _Seeds:
    """The seeds for one sample or batch, by purpose."""

    def __init__(self, root: int, epoch: int, kind: str, key: object) -> None:
        self._parts = (root, str(epoch), kind, key if type(key) is int else repr(key))

    def __call__(self, purpose: str, bits: int = 32) -> int:
        return derive_seed(*self._parts, purpose=purpose, bits=bits)


class _Samples(list[Any]):
    """The samples of a batch, and what they were asked for by."""

    def __init__(self, samples: Iterable[Any], keys: Sequence[_Key]) -> None:
        super().__init__(samples)
        self.keys = keys


class _SeededDataset(data.Dataset):  # type: ignore[misc]
    """Makes each sample under seeds of its own; whatever else it is asked, the inner dataset answers."""

    def __init__(self, dataset: Any, root: int) -> None:
        self._dataset = dataset
        self._root = root

    def __len__(self) -> int:
        return len(self._dataset)

    def __getattr__(self, name: str) -> Any:
        return _attribute(self, "_dataset", name)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, _Key):
            return self._dataset[key]  # somebody looks at ``loader.dataset[3]``
        with SeededAction(_Seeds(self._root, key.epoch, "sample", key.index)):
            return self._dataset[key.index]

    def __getitems__(self, keys: Sequence[_Key]) -> _Samples:
        return _Samples([self[key] for key in keys], keys)


class _SeededCollate:
    def __init__(self, collate: Callable[[list[Any]], Any], root: int) -> None:
        self._collate = collate
        self._root = root

    def __call__(self, samples: Any) -> Any:
        if not isinstance(samples, _Samples):
            return self._collate(samples)
        indices = [key.index for key in samples.keys]
        with SeededAction(_Seeds(self._root, samples.keys[0].epoch, "batch", indices)):
            return self._collate(list(samples))


def _attribute(wrapper: object, inner: str, name: str) -> Any:
    # A wrapper that is being unpickled has nothing inside yet.
    if inner not in vars(wrapper):
        raise AttributeError(name)
    return getattr(vars(wrapper)[inner], name)
