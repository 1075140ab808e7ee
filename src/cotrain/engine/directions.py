"""Directions in the space of the shared parameters: task gradients, and the moves made from them.

Letters: C vectors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from cotrain.engine.state import Tensors


class Directions(ABC):
    """C vectors in the space of the shared parameters."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of vectors C."""

    @abstractmethod
    def dense(self) -> Dense:
        """The vectors written out, as one tensor for each parameter."""

    @abstractmethod
    def mix(self, weights: Tensor) -> Self:
        """M weighted sums of the vectors, from ``[M, C]`` weights."""

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """Every vector, multiplied by a number."""

    @abstractmethod
    def part(self, which: slice) -> Self:
        """Some of the vectors, by their positions."""

    def chunks(self, size: int) -> list[Self]:
        """All vectors, ``size`` at a time."""
        return [self.part(slice(at, at + size)) for at in range(0, self.count, size)]

    def inner(self, other: Directions) -> Tensor:
        """``[C, C']`` inner products with the vectors of another set."""
        mine, theirs = self.dense().tensors, other.dense().tensors
        products = [_rows(mine[name]) @ _rows(theirs[name]).T for name in mine]
        return torch.stack(products).sum(dim=0)


@dataclass(frozen=True, kw_only=True)
class Dense(Directions):
    """Vectors written out: one ``[C, ...]`` tensor for each shared parameter.

    >>> g = Dense(tensors={"w": torch.tensor([[3.0, 4.0], [0.0, 1.0]])})
    >>> g.inner(g)
    tensor([[25.,  4.],
            [ 4.,  1.]])
    >>> g.mix(torch.ones(1, 2)).scaled(-0.1).tensors["w"]
    tensor([[-0.3000, -0.5000]])
    """

    tensors: Tensors

    @property
    def count(self) -> int:
        """Number of vectors C."""
        return len(next(iter(self.tensors.values())))

    def dense(self) -> Dense:
        """The vectors themselves."""
        return self

    def mix(self, weights: Tensor) -> Dense:
        """M weighted sums of the vectors, from ``[M, C]`` weights."""
        return Dense(
            tensors={
                name: (weights.to(_rows(tensor)) @ _rows(tensor)).view(-1, *tensor.shape[1:])
                for name, tensor in self.tensors.items()
            }
        )

    def scaled(self, factor: float) -> Dense:
        """Every vector, multiplied by a number."""
        return Dense(tensors={name: tensor * factor for name, tensor in self.tensors.items()})

    def part(self, which: slice) -> Dense:
        """Some of the vectors, by their positions."""
        return Dense(tensors={name: tensor[which] for name, tensor in self.tensors.items()})


def _rows(tensor: Tensor) -> Tensor:
    """``[C, everything]`` in float32 at least, also of a parameter without axes."""
    least = torch.promote_types(tensor.dtype, torch.float32)
    return tensor.reshape(len(tensor), -1).to(least)


def join(parts: Sequence[Dense]) -> Dense:
    """The vectors of several sets, one after the other."""
    names = parts[0].tensors
    return Dense(tensors={k: torch.cat([part.tensors[k] for part in parts]) for k in names})
