"""Gradients of linear layers that are never written out.

On one batch the gradient of a weight is δ aᵀ, with δ the gradient by the layer's outputs and a what the
layer reads, the same for all vectors; inner products and looks ahead need only products of the size of the
batch: ⟨δ aᵀ, δ' aᵀ⟩ = ⟨δ (aᵀa), δ'⟩.
Letters: C vectors, B rows, D inputs and H outputs of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cotrain.engine.directions import Dense, Directions


@dataclass(frozen=True, kw_only=True)
class Factored(Directions):
    """Gradients of linear layers on one batch, as the gradients by their outputs and what they read.

    Args:
        names: Prefix of each layer's ``weight`` and ``bias``.
        output_gradients: Per layer ``[C, H, B]``.
        activations: Per layer ``[D, B]``, the same for all vectors.

    >>> x = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]])
    >>> g = Factored(names=["l."], output_gradients=[torch.ones(1, 1, 3)], activations=[x])
    >>> g.dense().tensors
    {'l.weight': tensor([[[3., 2.]]]), 'l.bias': tensor([[3.]])}
    >>> g.inner(g)  # 9 + 4 + 9
    tensor([[22.]])
    """

    names: Sequence[str]
    output_gradients: Sequence[Tensor]
    activations: Sequence[Tensor]

    @property
    def count(self) -> int:
        """Number of vectors C."""
        return len(self.output_gradients[0])

    def dense(self) -> Dense:
        """The vectors written out: the sums over the batch of δ aᵀ."""
        tensors = {}
        for name, gradient, below in zip(
            self.names, self.output_gradients, self.activations, strict=True
        ):
            tensors[f"{name}weight"] = (gradient.flatten(0, 1) @ below.T).view(
                *gradient.shape[:2], -1
            )
            tensors[f"{name}bias"] = gradient.sum(dim=2)
        return Dense(tensors=tensors)

    def mix(self, weights: Tensor) -> Factored:
        """M weighted sums of the vectors, from ``[M, C]`` weights."""
        return self._with(
            [(weights.to(s) @ s.flatten(1)).view(-1, *s.shape[1:]) for s in self.output_gradients]
        )

    def scaled(self, factor: float) -> Factored:
        """Every vector, multiplied by a number."""
        return self._with([gradient * factor for gradient in self.output_gradients])

    def part(self, which: slice) -> Factored:
        """Some of the vectors, by their positions."""
        return self._with([gradient[which] for gradient in self.output_gradients])

    def inner(self, other: Directions) -> Tensor:
        """``[C, C']`` inner products; of the same batch, without writing a gradient out."""
        if not isinstance(other, Factored) or not self._same_batch(other):
            return super().inner(other)
        total = torch.zeros(())
        for mine, theirs, below in zip(
            self.output_gradients, other.output_gradients, self.activations, strict=True
        ):
            spread = (mine.flatten(0, 1) @ row_products(below)).view_as(mine)
            total = total + spread.flatten(1) @ theirs.flatten(1).T
        return total

    def _same_batch(self, other: Factored) -> bool:
        return all(a is b for a, b in zip(self.activations, other.activations, strict=True))

    def _with(self, output_gradients: Sequence[Tensor]) -> Factored:
        return Factored(
            names=self.names, output_gradients=output_gradients, activations=self.activations
        )


def row_products(activations: Tensor) -> Tensor:
    """``[B, B]`` inner products of the rows' activations, plus one for the bias."""
    return activations.T @ activations + 1
