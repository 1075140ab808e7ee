"""How alike two task sets are, for a Gaussian process over sets.

Each part answers another question, and their weights come from the data: who is in (effects that add up),
who is in of how many (effects that fade in large sets), how many tasks must change places to turn one
set into the other (any interaction), and is it the very same set (the nugget).
All are positive semidefinite: inner products of indicators, a product over tasks, an identity.
Letters: A, B sets, T tasks, C parts.
"""

from __future__ import annotations

import torch
from torch import Tensor

PARTS = 3  # a weight more switches on the nugget


def set_kernel(a: Tensor, b: Tensor, weights: Tensor, lengthscale: Tensor) -> Tensor:
    """``[A, B]`` weighted sum of the parts.

    Args:
        a: ``[A, T]`` sets as 0 and 1, none empty.
        b: ``[B, T]`` likewise.
        weights: ``[C]`` with C = 3, or 4 with the nugget.
        lengthscale: Scalar; sets that differ in this share of all tasks correlate with 1/e.

    >>> two = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    >>> set_kernel(two, two, torch.tensor([1.0, 0.0, 0.0]), torch.tensor(1.0))
    tensor([[1.0000, 0.5000],
            [0.5000, 0.5000]])
    """
    tasks = a.shape[1]
    common = a @ b.T
    size_a, size_b = a.sum(1)[:, None], b.sum(1)[None]
    hamming = size_a + size_b - 2 * common
    total = weights[0] * common / max(tasks - 1, 1)
    total = total + weights[1] * common / torch.sqrt(size_a * size_b)
    total = total + weights[2] * torch.exp(-hamming / (tasks * lengthscale))
    return total + weights[3] * (hamming == 0) if len(weights) > PARTS else total


def own_likeness(sets: Tensor, weights: Tensor) -> Tensor:
    """``[A]`` the kernel of every set with itself."""
    return weights[0] * sets.sum(1) / max(sets.shape[1] - 1, 1) + weights[1:].sum()
