"""The Gaussian process behind the surrogate, and its marginal likelihood (the evidence).

A task's score in a set is a smooth function of the set; its gain is the score minus the score alone:

    gain_t(S) = c_t · [f_t(S) − f_t({t}) + g(S) − g({t})] + noise

f_t belongs to the task, g to all tasks (a good helper helps many, a bad set hurts many); both have the
kernel of :mod:`cotrain.measure.set_kernel` with weights of their own. c_t is the task's scale. A task alone
gains 0 without being told. Noise is estimated; where standard errors are known it is their square, and
what they leave unexplained counts as the set's own, repeatable effect.

The tasks' blocks are factorised apart ([T, N, N]); g joins them through its values at the N sets and T
singles (Woodbury): O(T·N²·(N + T)) instead of O(T³·N³).
Letters: N sets of two or more tasks, T tasks, U = N + T sets and singles, C parts of the kernel, D columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cotrain.measure.gains import Gains
from cotrain.measure.set_kernel import PARTS, set_kernel

FLOOR = 1e-8  # variance of the least noise, in units of the mean square gain
_JITTER = 1e-7  # of the shared kernel's mean variance: its matrix may be singular


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The measured gains as tensors, in units of their root mean square.

    Args:
        sets: ``[N, T]`` 0 and 1.
        known: ``[T, N]`` 1 where the gain is known.
        gain: ``[T, N]``, 0 where it is not.
        variance: ``[T, N]`` squared standard errors, 0 where not known.
        unit: Root mean square of the gains, 1 if all are 0.
        replicated: Whether every gain has a standard error.
    """

    sets: Tensor
    known: Tensor
    gain: Tensor
    variance: Tensor
    unit: float
    replicated: bool

    @classmethod
    def from_gains(cls, gains: Gains) -> Observed:
        """Leave out the singles, which are 0 by definition, and sets without any known gain."""
        finite = np.isfinite(gains.gain)
        kept = (gains.sets.sum(axis=1) > 1) & finite.any(axis=1)
        known = finite[kept]
        gain = np.where(known, gains.gain[kept], 0.0)
        error = gains.standard_error[kept]
        largest = float(np.abs(gain).max(initial=0.0)) or 1.0  # squares neither over- nor underflow
        unit = largest * math.sqrt(((gain / largest) ** 2).sum() / max(known.sum(), 1)) or 1.0
        return cls(
            sets=torch.from_numpy(gains.sets[kept].astype(np.float64)),
            known=torch.from_numpy(known.T.astype(np.float64)),
            gain=torch.from_numpy((gain / unit).T.copy()),
            variance=torch.from_numpy(np.where(known, np.nan_to_num(error / unit) ** 2, 0.0).T),
            unit=unit,
            replicated=bool(known.any() and np.isfinite(error[known]).all()),
        )


@dataclass(frozen=True, kw_only=True)
class Hyper:
    """What the data decide: positive numbers, held as one vector of logarithms.

    Args:
        logs: ``[2C + 3 + T]``: own weights, shared weights, two reaches, noise, scales.
        parts: C.
    """

    logs: Tensor
    parts: int

    @classmethod
    def centre(cls, observed: Observed) -> Hyper:
        """Before any data: half of the variance own, a quarter shared, a tenth noise."""
        parts = PARTS + observed.replicated
        own, shared = [math.log(0.5 / parts)] * parts, [math.log(0.25 / parts)] * parts
        rest = [math.log(0.3), math.log(0.3), math.log(0.1)]
        scales = [0.0] * observed.sets.shape[1]
        return cls(
            logs=torch.tensor([*own, *shared, *rest, *scales], dtype=torch.float64), parts=parts
        )

    def spread(self) -> Tensor:
        """How far a logarithm may be from the centre: a factor of 4.5 for variances, e for the rest."""
        spread = torch.ones_like(self.logs)
        spread[: 2 * self.parts] = 1.5
        spread[2 * self.parts + 2] = 1.5
        return spread

    @property
    def own(self) -> Tensor:
        """``[C]`` weights of the kernel of f."""
        return self.logs[: self.parts].exp()

    @property
    def shared(self) -> Tensor:
        """``[C]`` weights of the kernel of g."""
        return self.logs[self.parts : 2 * self.parts].exp()

    @property
    def reach(self) -> tuple[Tensor, Tensor]:
        """Reach of the kernels of f and g."""
        own, shared = self.logs[2 * self.parts : 2 * self.parts + 2].exp()
        return own, shared

    @property
    def noise(self) -> Tensor:
        """Variance of the noise of a single gain without a standard error, in units of its scale."""
        return self.logs[2 * self.parts + 2].exp()

    @property
    def scale(self) -> Tensor:
        """``[T]`` c."""
        return self.logs[2 * self.parts + 3 :].exp()

    def kernel(self, a: Tensor, b: Tensor, *, shared: bool) -> Tensor:
        """``[A, B]`` covariance of g, or of any f_t, between two lists of sets."""
        weights = self.shared if shared else self.own
        return set_kernel(a, b, weights, self.reach[shared])


@dataclass(frozen=True, kw_only=True)
class Factor:
    """The covariance of all known gains, factorised.

    Args:
        own: ``[T, N, N]`` Cholesky factors of the tasks' blocks without g; identity where not known.
        basis: ``[U, U]`` Cholesky factor of the covariance of g at the sets and singles.
        loading: ``[T, N, U]`` the known gains' dependence on g, whitened on both sides.
        inner: ``[U, U]`` Cholesky factor of 1 + Σ_t loadingᵀ loading.
    """

    own: Tensor
    basis: Tensor
    loading: Tensor
    inner: Tensor

    def solve(self, values: Tensor) -> Tensor:
        """``[T, N, D]`` inverse covariance times ``values`` ``[T, N, D]``."""
        white = torch.linalg.solve_triangular(self.own, values, upper=False)
        common = torch.einsum("tnu,tnd->ud", self.loading, white)
        rest = white - self.loading @ torch.cholesky_solve(common, self.inner)
        return torch.linalg.solve_triangular(self.own.mT, rest, upper=True)


def gain_noise(observed: Observed, hyper: Hyper) -> Tensor:
    """``[T, N]`` variance of the noise of every known gain, in units of its scale."""
    scale = (hyper.scale**2)[:, None]
    stated = (observed.variance + FLOOR) / scale
    return stated if observed.replicated else stated + hyper.noise


def factorise(observed: Observed, hyper: Hyper) -> Factor:
    """Factorise the covariance of the known gains."""
    sets, known = observed.sets, observed.known
    singles = torch.eye(sets.shape[1], dtype=sets.dtype)
    alike = hyper.kernel(sets, sets, shared=False)
    alone = hyper.kernel(sets, singles, shared=False).mT
    zero = hyper.kernel(singles, singles, shared=False).diagonal()
    blocks = alike - alone[:, :, None] - alone[:, None, :] + zero[:, None, None]
    blocks = blocks * known[:, :, None] * known[:, None, :]
    own = torch.linalg.cholesky(
        blocks + torch.diag_embed(known * gain_noise(observed, hyper) + 1 - known)
    )

    both = torch.cat([sets, singles])
    g = hyper.kernel(both, both, shared=True)
    basis = torch.linalg.cholesky(
        g + _JITTER * g.diagonal().mean() * torch.eye(len(both), dtype=g.dtype)
    )
    differences = (basis[: len(sets)] - basis[len(sets) :, None]) * known[:, :, None]
    loading = torch.linalg.solve_triangular(own, differences, upper=False)
    inner = torch.linalg.cholesky(
        torch.eye(len(both), dtype=g.dtype) + torch.einsum("tnu,tnv->uv", loading, loading)
    )
    return Factor(own=own, basis=basis, loading=loading, inner=inner)


def log_evidence(observed: Observed, hyper: Hyper) -> Tensor:
    """Log marginal likelihood of the known gains, in units of their root mean square."""
    factor = factorise(observed, hyper)
    values = (observed.gain / hyper.scale[:, None])[:, :, None]
    white = torch.linalg.solve_triangular(factor.own, values, upper=False)
    common = torch.einsum("tnu,tnd->ud", factor.loading, white)
    explained = torch.linalg.solve_triangular(factor.inner, common, upper=False)
    square = (white**2).sum() - (explained**2).sum()
    diagonals = factor.own.diagonal(dim1=1, dim2=2).log().sum()
    volume = diagonals + factor.inner.diagonal().log().sum()
    count = observed.known.sum(1)
    return -square / 2 - volume - (count * hyper.scale.log() + count * math.log(math.tau) / 2).sum()


def estimate(observed: Observed, steps: int = 60) -> Hyper:
    """The hyper-parameters with the highest evidence times a broad log-normal prior."""
    centre = Hyper.centre(observed)
    if not len(observed.sets):
        return centre
    logs = centre.logs.clone().requires_grad_(True)
    spread = centre.spread()

    def loss() -> Tensor:
        search.zero_grad()
        hyper = Hyper(logs=logs, parts=centre.parts)
        prior = ((logs - centre.logs) / spread).square().sum() / 2
        value = prior - log_evidence(observed, hyper)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    search = torch.optim.LBFGS(
        [logs],
        max_iter=steps,
        tolerance_grad=1e-5,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )
    search.step(loss)  # type: ignore[no-untyped-call]
    return Hyper(logs=logs.detach(), parts=centre.parts)
