"""Many backward passes through one graph."""

from collections.abc import Sequence

import torch
from torch import Tensor

AT_ONCE = 64  # vectors in one pass: so many times the activations are held


def vector_jacobian_products(
    outputs: Tensor, parameters: Sequence[Tensor], vectors: Tensor
) -> list[Tensor]:
    """C gradients of ``⟨outputs, vectors[c]⟩``, in one batched pass where torch can, else one by one.

    Args:
        outputs: Any shape, with its graph; the graph is kept.
        parameters: What to differentiate by.
        vectors: ``[C, ...]``, each like ``outputs``.

    Returns:
        A ``[C, ...]`` tensor for each parameter; zero where it is not reached.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> vector_jacobian_products(w**2, [w], torch.eye(2))
    [tensor([[2., 0.],
            [0., 4.]])]
    """
    parts = [_products(outputs, parameters, part) for part in torch.split(vectors, AT_ONCE)]
    return [torch.cat(column) for column in zip(*parts, strict=True)]


def _products(outputs: Tensor, parameters: Sequence[Tensor], vectors: Tensor) -> list[Tensor]:
    found: Sequence[Tensor | None]
    try:
        found = torch.autograd.grad(
            outputs,
            parameters,
            vectors,
            is_grads_batched=True,
            retain_graph=True,
            allow_unused=True,
        )
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # an operation without a batching rule
        found = _one_by_one(outputs, parameters, vectors)
    return [
        parameter.new_zeros(len(vectors), *parameter.shape)
        if gradient is None
        else gradient.detach()
        for parameter, gradient in zip(parameters, found, strict=True)
    ]


def _one_by_one(
    outputs: Tensor, parameters: Sequence[Tensor], vectors: Tensor
) -> tuple[Tensor | None, ...]:
    rows = [
        torch.autograd.grad(outputs, parameters, vector, retain_graph=True, allow_unused=True)
        for vector in vectors
    ]
    return tuple(
        None if column[0] is None else torch.stack(column) for column in zip(*rows, strict=True)
    )
