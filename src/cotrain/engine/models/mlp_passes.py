"""The passes of the built-in MLP written out, for many networks, or for many gradients of one.

The module (:mod:`cotrain.engine.models.mlp`) says what the network computes; these functions compute the
same without autograd. Activations are feature-major, ``[..., H, B]``, and weights have nn.Linear's layout
``[out, in]``, so every product is one on contiguous memory.
Letters: P networks, C gradients, L layers, D inputs and H outputs of a layer, B rows.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

Drop = Callable[[Tensor, int], None]
"""Zeroes elements of what a layer reads, in place; given the layer's number, or L for the features."""


def linear(weight: Tensor, bias: Tensor, below: Tensor, out: Tensor | None = None) -> Tensor:
    """One layer before its ReLU, ``[..., H, B]``.

    Args:
        weight: ``[H, D]``, or ``[P, H, D]`` for P networks.
        bias: ``[H, 1]`` or ``[P, H, 1]``.
        below: What the layer reads: ``[D, B]``, for P networks alike, or ``[P, D, B]``.
        out: Where P networks write to.
    """
    if weight.dim() == 2:
        return weight @ below + bias
    if below.dim() == 3:
        return torch.baddbmm(bias, weight, below, out=out)
    found = weight.new_empty(*weight.shape[:2], below.shape[1]) if out is None else out
    torch.mm(weight.flatten(0, 1), below, out=found.view(-1, below.shape[1]))  # one for all
    return found.add_(bias)


def forward(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    inputs: Tensor,
    out: Sequence[Tensor | None],
    drop: Drop = lambda values, layer: None,
) -> Iterator[Tensor]:
    """The layers before their ReLU, one after the other.

    Each tensor is turned into the layer's activations, in place, when the next one is asked for.

    Args:
        weights: See :func:`linear`, like the biases.
        biases: One a layer.
        inputs: ``[D, B]`` or ``[P, D, B]``.
        out: Where each layer writes to; new memory where None.
        drop: Drops activations.
    """
    below = inputs
    for layer, (weight, bias, into) in enumerate(zip(weights, biases, out, strict=True)):
        if layer:
            drop(below.relu_(), layer)
        below = linear(weight, bias, below, into)
        yield below


def backward(
    weights: Sequence[Tensor],
    hidden: Sequence[Tensor],
    gradient: Tensor,
    out: Sequence[Tensor] | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Each layer's number and the gradient by its outputs, from the last layer to the first.

    Args:
        weights: L of ``[P, H, D]``; or ``[H, D]`` of one network, for C gradients at once.
        hidden: The activations below all layers but the first.
        gradient: ``[P, H, B]`` or ``[C, H, B]`` by the last layer's outputs.
        out: Where the gradients by P networks' activations are written to.
    """
    for layer in range(len(weights) - 1, -1, -1):
        yield layer, gradient
        if layer:
            into = None if out is None else out[layer - 1]
            gradient = _through_linear(weights[layer], gradient, into)
            through_relu(gradient, hidden[layer - 1])


def _through_linear(weight: Tensor, gradient: Tensor, out: Tensor | None) -> Tensor:
    """The gradient by what a layer reads from the one by its outputs."""
    if weight.dim() == 3:
        return torch.bmm(weight.transpose(1, 2), gradient, out=out)
    shared = weight.T.contiguous()  # bfloat16 products would be half as fast without
    return torch.bmm(shared.expand(len(gradient), -1, -1), gradient)


def through_relu(gradient: Tensor, hidden: Tensor) -> None:
    """Zero a gradient where the activation is zero, in place."""
    torch.ops.aten.threshold_backward.grad_input(
        gradient, hidden.expand_as(gradient), 0, grad_input=gradient
    )
