"""The Gaussian process before any data: what its hyper-parameters say of gains at large.

Letters: A, B, M sets, T tasks, C parts of the kernel, D draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cotrain.measure.gains.kernel import PARTS, own_likeness, set_kernel

_JITTER = 1e-8


@dataclass(frozen=True, kw_only=True)
class Hyper:
    """What the data decide: positive numbers, held as one vector of logarithms.

    Args:
        logs: ``[2C + 3 + T]``: own weights, shared weights, two lengthscales, the unexplained, scales.
        nugget: Share of the unexplained variance that belongs to the set itself; the rest is noise.
    """

    logs: Tensor
    nugget: float

    @classmethod
    def centre(cls, tasks: int, nugget: float) -> Hyper:
        """Before any data: half of the variance own, a quarter shared, a tenth unexplained."""
        own, shared = [math.log(0.5 / PARTS)] * PARTS, [math.log(0.25 / PARTS)] * PARTS
        rest = [math.log(0.3), math.log(0.3), math.log(0.1)]
        logs = [*own, *shared, *rest, *[0.0] * tasks]
        return cls(logs=torch.tensor(logs, dtype=torch.float64), nugget=nugget)

    def spread(self) -> Tensor:
        """How far a logarithm may be from the centre: a factor of 4.5 for variances, e for the rest."""
        spread = torch.ones_like(self.logs)
        spread[: 2 * PARTS] = 1.5
        spread[2 * PARTS + 2] = 1.5
        return spread

    @property
    def own(self) -> Tensor:
        """``[C + 1]`` weights of the kernel of f, the last for the same set."""
        return torch.cat([self.logs[:PARTS].exp(), (self.nugget * self.unexplained)[None]])

    @property
    def shared(self) -> Tensor:
        """``[C]`` weights of the kernel of g."""
        return self.logs[PARTS : 2 * PARTS].exp()

    @property
    def lengthscale(self) -> tuple[Tensor, Tensor]:
        """Lengthscales of the kernels of f and g, in shares of all tasks."""
        own, shared = self.logs[2 * PARTS : 2 * PARTS + 2].exp()
        return own, shared

    @property
    def unexplained(self) -> Tensor:
        """Variance that smooth functions leave, in units of the scale."""
        return self.logs[2 * PARTS + 2].exp()

    @property
    def noise(self) -> Tensor:
        """Variance of measuring: what is unexplained and no nugget; 0 if standard errors are known."""
        return (1 - self.nugget) * self.unexplained

    @property
    def scale(self) -> Tensor:
        """``[T]`` c, the size of each task's gains."""
        return self.logs[2 * PARTS + 3 :].exp()

    def kernel(self, a: Tensor, b: Tensor, *, shared: bool) -> Tensor:
        """``[A, B]`` covariance of g, or of any f_t, between two lists of sets."""
        weights = self.shared if shared else self.own
        return set_kernel(a, b, weights, self.lengthscale[shared])

    def gain_variance(self, sets: Tensor, *, shared: bool) -> Tensor:
        """``[M, T]`` prior variance of the gains' part from g, or from f."""
        singles = torch.eye(sets.shape[1], dtype=sets.dtype)
        weights = self.shared if shared else self.own
        cross = self.kernel(sets, singles, shared=shared)
        variance = own_likeness(sets, weights)[:, None] + own_likeness(singles, weights) - 2 * cross
        return variance.clamp_min(0)

    def draw(self, sets: Tensor, rng: np.random.Generator, draws: int) -> Tensor:
        """``[T, M, D]`` prior draws of f + g at the sets."""
        jitter = _JITTER * torch.eye(len(sets), dtype=sets.dtype)
        shape = (sets.shape[1], len(sets), draws)
        result = torch.zeros(shape, dtype=sets.dtype)
        for shared, size in ((False, shape), (True, (1, *shape[1:]))):
            kernel = self.kernel(sets, sets, shared=shared)
            root = torch.linalg.cholesky(kernel + jitter * kernel.diagonal().mean())
            result = result + root @ torch.from_numpy(rng.normal(size=size))
        return result
