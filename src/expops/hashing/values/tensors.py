"""Rules for PyTorch. Imported only once a PyTorch value has been met."""

from __future__ import annotations

from typing import Any, Final

import torch

from .node import Context, Node, Refused, Rule, node


def _parts(value: Any) -> list[Any]:
    """The dense tensors that hold a tensor's elements."""
    if value.layout is torch.strided:
        return [value]
    if value.layout is torch.sparse_coo:
        value = value.coalesce()
        return [value.indices(), value.values()]
    if value.layout is torch.sparse_csr:
        return [value.crow_indices(), value.col_indices(), value.values()]
    raise Refused(f"a tensor of layout {value.layout} has no identity; keep a dense one instead")


def _tensor(value: Any, context: Context) -> Node:
    """A tensor: class, dtype, shape, elements and whether it takes part in differentiation; not its device."""
    plain = value.detach()
    digests = [_elements(part, context) for part in _parts(plain)]
    return node("tensor", [type(value), str(value.dtype), tuple(value.shape), value.requires_grad, digests])


def _elements(value: Any, context: Context) -> tuple[str, tuple[int, ...], str]:
    try:
        dense = value.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    except RuntimeError as error:
        raise Refused(f"this tensor has no identity ({error}); keep one that holds its elements") from error
    data = memoryview(dense.view(torch.uint8).numpy()) if dense.numel() else memoryview(b"")
    return (str(value.dtype), tuple(value.shape), context.digests.of(data))


def _generator(value: Any, context: Context) -> Node:
    return node("torch generator", [value.get_state()])


RULES: Final[dict[type, Rule]] = {torch.Tensor: _tensor, torch.Generator: _generator}
