"""The Gaussian process behind the surrogate, and its marginal likelihood.

A task's score in a set is a smooth function of the set; its gain is the score minus the score alone:

    gain_t(S) = c_t · [f_t(S) − f_t({t}) + g(S) − g({t})] + noise

f_t belongs to the task, g to all tasks (a good helper helps many, a bad set hurts many); both have the
kernel of :mod:`cotrain.measure.gains.kernel` with weights of their own. c_t is the task's scale. A task
alone gains 0 without being told. What smooth functions leave unexplained is the set's own (the nugget: a
model that is shipped keeps it) or noise of measuring. Where standard errors are known, noise is their
square and the rest is nugget; where they are not, nobody can tell, and each gets half.

The tasks' blocks are factorised apart ([T, K, K]); g joins them through its values at the N sets and T
singles (Woodbury): O(T·K·U²) instead of O(T³·K³).
Letters: N sets of two or more tasks, T tasks, K most known gains of a task, U = N + T sets and singles,
C parts of the kernel, D columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.measure.gains.hyperparameters import Hyper
from cotrain.measure.gains.observed import Observed

MOST_SETS = 150  # that the hyper-parameters are estimated on
FLOOR = 1e-8  # variance of the least noise, in units of the mean square gain
_JITTER = 1e-7  # of the shared kernel's mean variance: its matrix may be singular


@dataclass(frozen=True, kw_only=True)
class Factor:
    """The covariance of all known gains, factorised.

    Args:
        own: ``[T, K, K]`` Cholesky factors of the tasks' blocks without g; identity where not known.
        basis: ``[U, U]`` Cholesky factor of the covariance of g at the sets and singles.
        loading: ``[T, K, U]`` the known gains' dependence on g, whitened on both sides.
        inner: ``[U, U]`` Cholesky factor of 1 + Σ_t loadingᵀ loading.
    """

    own: Tensor
    basis: Tensor
    loading: Tensor
    inner: Tensor

    def solve(self, values: Tensor) -> Tensor:
        """``[T, K, D]`` inverse covariance times ``values`` ``[T, K, D]``."""
        white = torch.linalg.solve_triangular(self.own, values, upper=False)
        common = torch.einsum("tku,tkd->ud", self.loading, white)
        rest = white - self.loading @ torch.cholesky_solve(common, self.inner)
        solved: Tensor = torch.linalg.solve_triangular(self.own.mT, rest, upper=True)
        return solved


def gain_noise(observed: Observed, hyper: Hyper) -> Tensor:
    """``[T, K]`` variance of the noise of every known gain, in units of its scale."""
    scale = (hyper.scale**2)[:, None]
    return (observed.variance + FLOOR) / scale + hyper.noise


def own_covariance(observed: Observed, hyper: Hyper, asked: Tensor) -> Tensor:
    """``[T, K, M]`` covariance of the known gains with those of ``[M, T]`` asked sets, without g's part."""
    singles = torch.eye(asked.shape[1], dtype=asked.dtype)
    seen = hyper.kernel(observed.sets, asked, shared=False)
    seen_alone = hyper.kernel(singles, observed.sets, shared=False).gather(1, observed.rows)
    alone = hyper.kernel(singles, asked, shared=False)
    zero = hyper.kernel(singles, singles, shared=False).diagonal()
    own = seen[observed.rows] - seen_alone[:, :, None] - alone[:, None] + zero[:, None, None]
    return own * observed.known[:, :, None]


def factorise(observed: Observed, hyper: Hyper) -> Factor:
    """Factorise the covariance of the known gains."""
    sets, rows, known = observed.sets, observed.rows, observed.known
    singles = torch.eye(sets.shape[1], dtype=sets.dtype)
    blocks = own_covariance(observed, hyper, sets).gather(
        2, rows[:, None].expand(-1, rows.shape[1], -1)
    )
    noise = known * gain_noise(observed, hyper) + 1 - known
    own = torch.linalg.cholesky(blocks * known[:, None] + torch.diag_embed(noise))

    both = torch.cat([sets, singles])
    g = hyper.kernel(both, both, shared=True)
    basis = torch.linalg.cholesky(
        g + _JITTER * g.diagonal().mean() * torch.eye(len(both), dtype=g.dtype)
    )
    differences = (basis[rows] - basis[len(sets) :, None]) * known[:, :, None]
    loading = torch.linalg.solve_triangular(own, differences, upper=False)
    inner = torch.linalg.cholesky(
        torch.eye(len(both), dtype=g.dtype) + torch.einsum("tku,tkv->uv", loading, loading)
    )
    return Factor(own=own, basis=basis, loading=loading, inner=inner)


def log_marginal_likelihood(observed: Observed, hyper: Hyper) -> Tensor:
    """Log density of the known gains, in units of their root mean square, given hyper-parameters."""
    factor = factorise(observed, hyper)
    values = (observed.gain / hyper.scale[:, None])[:, :, None]
    white = torch.linalg.solve_triangular(factor.own, values, upper=False)
    common = torch.einsum("tku,tkd->ud", factor.loading, white)
    explained = torch.linalg.solve_triangular(factor.inner, common, upper=False)
    square = (white**2).sum() - (explained**2).sum()
    diagonals = factor.own.diagonal(dim1=1, dim2=2).log().sum()
    volume = diagonals + factor.inner.diagonal().log().sum()
    count = observed.known.sum(1)
    constant = (count * (hyper.scale.log() + math.log(math.tau) / 2)).sum()
    value: Tensor = -square / 2 - volume - constant
    return value


def estimate(observed: Observed) -> Hyper:
    """The hyper-parameters of the largest marginal likelihood times a broad log-normal prior."""
    from scipy.optimize import fmin_l_bfgs_b  # so that the instruments load without it

    centre = Hyper.centre(observed.sets.shape[1], observed.nugget)
    spread = centre.spread()
    if not len(observed.sets):
        return centre

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Minus the log posterior and its gradient, at a distance from the centre in spreads."""
        steps = torch.from_numpy(point).requires_grad_(True)
        with torch.enable_grad():
            hyper = Hyper(logs=centre.logs + steps * spread, nugget=centre.nugget)
            value = steps.square().sum() / 2 - log_marginal_likelihood(observed, hyper)
        (gradient,) = torch.autograd.grad(value, steps)
        return value.item(), gradient.numpy()

    start = np.zeros(len(centre.logs))
    best, _, _ = fmin_l_bfgs_b(loss, start, maxiter=100, factr=1e8, pgtol=1e-3)
    return Hyper(logs=centre.logs + torch.from_numpy(best) * spread, nugget=centre.nugget)
