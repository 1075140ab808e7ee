"""The Gaussian process behind the surrogate, and its marginal likelihood (the evidence).

A task's score in a set is a smooth function of the set; its gain is the score minus the score alone:

    gain_t(S) = c_t · [f_t(S) − f_t({t}) + g(S) − g({t})] + noise

f_t belongs to the task, g to all tasks (a good helper helps many, a bad set hurts many); both have the
kernel of :mod:`cotrain.measure.set_kernel` with weights of their own. c_t is the task's scale. A task alone
gains 0 without being told. What smooth functions leave unexplained is a set's own luck (a model that is
shipped keeps it) or noise of measuring. Where standard errors are known, noise is their square and the rest
is luck; where they are not, nobody can tell, and each gets half.

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
from scipy.optimize import fmin_l_bfgs_b
from torch import Tensor

from cotrain.measure.gains import Gains
from cotrain.measure.set_kernel import PARTS, set_kernel

MOST_SETS = 150  # that the hyper-parameters are estimated on
FLOOR = 1e-8  # variance of the least noise, in units of the mean square gain
_JITTER = 1e-7  # of the shared kernel's mean variance: its matrix may be singular


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The measured gains as tensors, in units of their root mean square.

    Args:
        sets: ``[N, T]`` 0 and 1.
        rows: ``[T, K]`` the sets in which each task's gain is known, filled up with others.
        known: ``[T, K]`` 1 where the gain is known, 0 where filled up.
        gain: ``[T, K]``, 0 where it is not known.
        variance: ``[T, K]`` squared standard errors, 0 where not known.
        unit: Root mean square of the gains, 1 if all are 0.
        luck: Share of the unexplained variance that belongs to the set: 1 if every gain has a standard
            error, else a half.
    """

    sets: Tensor
    rows: Tensor
    known: Tensor
    gain: Tensor
    variance: Tensor
    unit: float
    luck: float

    @classmethod
    def from_gains(cls, gains: Gains, most: int | None = None) -> Observed:
        """Leave out the singles, which are 0 by definition, and sets without any known gain.

        Args:
            gains: N' sets.
            most: Keep at most this many sets, evenly spaced in the order of measuring.
        """
        finite = np.isfinite(gains.gain)
        kept = np.flatnonzero((gains.sets.sum(axis=1) > 1) & finite.any(axis=1))
        known = finite[kept]
        unit = _root_mean_square(gains.gain[kept][known])
        replicated = bool(len(kept) and np.isfinite(gains.standard_error[kept][known]).all())
        kept = kept[:: -(-len(kept) // most)] if most and len(kept) > most else kept
        known, error = finite[kept], gains.standard_error[kept]
        gain = np.where(known, gains.gain[kept], 0.0)
        rows = np.argsort(~known.T, axis=1, kind="stable")[:, : known.sum(axis=0).max(initial=0)]
        variance = np.where(known, np.nan_to_num(error / unit) ** 2, 0.0)
        known_t, gain_t, variance_t = (
            torch.from_numpy(np.take_along_axis(table.T.astype(np.float64), rows, axis=1))
            for table in (known, gain / unit, variance)
        )
        return cls(
            sets=torch.from_numpy(gains.sets[kept].astype(np.float64)),
            rows=torch.from_numpy(rows),
            known=known_t,
            gain=gain_t,
            variance=variance_t,
            unit=unit,
            luck=1.0 if replicated else 0.5,
        )


def _root_mean_square(values: NDArray[np.float64]) -> float:
    """Of any size without overflow; 1 if all are 0."""
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    return largest * math.sqrt(((values / largest) ** 2).mean() if values.size else 0.0) or 1.0


@dataclass(frozen=True, kw_only=True)
class Hyper:
    """What the data decide: positive numbers, held as one vector of logarithms.

    Args:
        logs: ``[2C + 3 + T]``: own weights, shared weights, two reaches, the unexplained, scales.
        luck: Share of the unexplained that belongs to the set.
    """

    logs: Tensor
    luck: float

    @classmethod
    def centre(cls, observed: Observed) -> Hyper:
        """Before any data: half of the variance own, a quarter shared, a tenth unexplained."""
        own, shared = [math.log(0.5 / PARTS)] * PARTS, [math.log(0.25 / PARTS)] * PARTS
        rest = [math.log(0.3), math.log(0.3), math.log(0.1)]
        logs = [*own, *shared, *rest, *[0.0] * observed.sets.shape[1]]
        return cls(logs=torch.tensor(logs, dtype=torch.float64), luck=observed.luck)

    def spread(self) -> Tensor:
        """How far a logarithm may be from the centre: a factor of 4.5 for variances, e for the rest."""
        spread = torch.ones_like(self.logs)
        spread[: 2 * PARTS] = 1.5
        spread[2 * PARTS + 2] = 1.5
        return spread

    @property
    def own(self) -> Tensor:
        """``[C + 1]`` weights of the kernel of f, the last for the same set."""
        return torch.cat([self.logs[:PARTS].exp(), (self.luck * self.unexplained)[None]])

    @property
    def shared(self) -> Tensor:
        """``[C]`` weights of the kernel of g."""
        return self.logs[PARTS : 2 * PARTS].exp()

    @property
    def reach(self) -> tuple[Tensor, Tensor]:
        """Reach of the kernels of f and g."""
        own, shared = self.logs[2 * PARTS : 2 * PARTS + 2].exp()
        return own, shared

    @property
    def unexplained(self) -> Tensor:
        """Variance that smooth functions leave, in units of the scale."""
        return self.logs[2 * PARTS + 2].exp()

    @property
    def noise(self) -> Tensor:
        """The part of it that is noise of measuring without standard errors."""
        return (1 - self.luck) * self.unexplained

    @property
    def scale(self) -> Tensor:
        """``[T]`` c."""
        return self.logs[2 * PARTS + 3 :].exp()

    def kernel(self, a: Tensor, b: Tensor, *, shared: bool) -> Tensor:
        """``[A, B]`` covariance of g, or of any f_t, between two lists of sets."""
        weights = self.shared if shared else self.own
        return set_kernel(a, b, weights, self.reach[shared])


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


def log_evidence(observed: Observed, hyper: Hyper) -> Tensor:
    """Log marginal likelihood of the known gains, in units of their root mean square."""
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
    """The hyper-parameters with the highest evidence times a broad log-normal prior."""
    centre = Hyper.centre(observed)
    spread = centre.spread()
    if not len(observed.sets):
        return centre

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Minus the log posterior and its gradient, at a distance from the centre in spreads."""
        steps = torch.from_numpy(point).requires_grad_(True)
        with torch.enable_grad():
            hyper = Hyper(logs=centre.logs + steps * spread, luck=centre.luck)
            value = steps.square().sum() / 2 - log_evidence(observed, hyper)
        (gradient,) = torch.autograd.grad(value, steps)
        return value.item(), gradient.numpy()

    start = np.zeros(len(centre.logs))
    best, _, _ = fmin_l_bfgs_b(loss, start, maxiter=100, factr=1e8, pgtol=1e-3)
    return Hyper(logs=centre.logs + torch.from_numpy(best) * spread, luck=centre.luck)
