"""``expops.torch_generator`` and ``expops.jax_key``, and generators of PyTorch that belong to a module."""

from __future__ import annotations

from pathlib import Path

import jax
import pytest
import torch

import expops
from expops.seeding.derive import derive_seed
from expops.seeding.session import GIVEN, SeededAction
from sandbox import Sandbox, outputs


def action(root: int = 42) -> SeededAction:
    return SeededAction(lambda purpose, bits=32: derive_seed(root, "train", "fit", purpose=purpose, bits=bits))


def test_golden_generators_and_keys() -> None:
    """A change here changes the results of everyone's experiments."""
    with action():
        assert expops.torch_generator().initial_seed() == 973074845544239713
        assert expops.torch_generator(purpose="init").initial_seed() == 1028728781294858559
        assert jax.random.key_data(expops.jax_key()).tolist() == [0, 2727694663]
        assert jax.random.key_data(expops.jax_key("init")).tolist() == [0, 4154723422]


def test_a_generator_goes_on_and_a_key_is_the_same_at_each_call() -> None:
    with action() as step:
        generator = expops.torch_generator("cpu", "order")
        first = torch.randperm(9, generator=generator).tolist()
        assert expops.torch_generator(torch.device("cpu"), "order") is generator
        second = torch.randperm(9, generator=expops.torch_generator("cpu", "order")).tolist()
        assert first != second
        assert (expops.jax_key("a") == expops.jax_key("a")).all()
        assert (expops.jax_key("a") != expops.jax_key("b")).all()
    assert step.drew == (GIVEN,)
    with action():
        assert torch.randperm(9, generator=expops.torch_generator("cpu", "order")).tolist() == first


@pytest.mark.parametrize("root", [0, 2**128 - 1])
def test_any_root_gives_seeds_that_the_frameworks_take(root: int) -> None:
    with action(root):
        assert expops.torch_generator().initial_seed() < 2**64
        assert jax.random.key_data(expops.jax_key()).shape == (2,)


def test_a_device_that_is_not_there_is_told_as_by_pytorch() -> None:
    with action(), pytest.raises(RuntimeError, match="device"):
        expops.torch_generator("nowhere")


def test_a_module_of_the_project_that_keeps_a_generator(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "project")
    sandbox.configure(["work"])
    sandbox.write(
        "src/model.py",
        """
        import torch
        from expops import process, step

        GENERATOR = torch.Generator().manual_seed(3)

        @step
        def draw():
            return torch.rand(2, generator=GENERATOR).tolist()

        @process()
        def work():
            return {"x": [draw(), draw()]}
        """,
    )
    first = sandbox.run()
    assert any("drew from the generator 'GENERATOR'" in warning for warning in sandbox.seen.warnings)
    assert outputs(sandbox.run(mode="off")) == outputs(first)
