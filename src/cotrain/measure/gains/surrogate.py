"""A surrogate of every task's gain in any set, from some measured sets, with its uncertainty.

The model is the Gaussian process of :mod:`cotrain.measure.gains.marginal_likelihood`; its hyper-parameters
are those of the largest marginal likelihood, so nothing is tuned by hand. Tasks share them, and share what
helps everybody.
Letters: N measured sets of two or more tasks, M asked sets, T tasks, K most known gains of a task,
U = N + T sets and singles, D draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cotrain.errors import InputError
from cotrain.measure.gains.gains import Gains, Table
from cotrain.measure.gains.hyperparameters import Hyper
from cotrain.measure.gains.marginal_likelihood import (
    MOST_SETS,
    Factor,
    estimate,
    factorise,
    gain_noise,
    own_covariance,
)
from cotrain.measure.gains.observed import Observed
from cotrain.measure.gains.sets import Sets
from cotrain.measure.gains.threads import one_thread

_AT_ONCE = 512  # sets whose variance is computed at a time


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """Predicts gains; made by :meth:`fit`.

    Args:
        tasks: T names.
        observed: The gains that it has seen.
        hyper: What it learned of the gains at large.
        factor: Their covariance.
        alpha: ``[T, K]`` inverse covariance times the known gains, 0 where filled up.

    >>> sets = np.array([[1, 1, 0, 1], [1, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1], [1, 0, 0, 1]], dtype=bool)
    >>> together = sets[:, :1] & sets[:, 1:2]  # a and b gain if together
    >>> gain = np.where(sets & together & [True, True, False, False], 1.0, 0.0)
    >>> known = Gains.empty(["a", "b", "c", "d"]).extended(sets, gain)
    >>> mean, sd = Surrogate.fit(known).predict(np.array([[1, 1, 0, 0], [1, 0, 1, 0]], dtype=bool))
    >>> mean[0, 0] > 0.5 > mean[1, 0]
    np.True_
    """

    tasks: tuple[str, ...]
    observed: Observed
    hyper: Hyper
    factor: Factor
    alpha: Tensor

    @classmethod
    @one_thread()
    @torch.no_grad()
    def fit(cls, gains: Gains) -> Surrogate:
        """Learn from measured sets; NaN gains say nothing."""
        observed = Observed.from_gains(gains)
        hyper = estimate(Observed.from_gains(gains, MOST_SETS))
        factor = factorise(observed, hyper)
        scaled = (observed.gain / hyper.scale[:, None])[:, :, None]
        alpha = factor.solve(scaled)[:, :, 0] * observed.known
        return cls(tasks=gains.tasks, observed=observed, hyper=hyper, factor=factor, alpha=alpha)

    @property
    def noise(self) -> Table:
        """``[T]`` standard deviation of measuring a gain, about what :meth:`predict` predicts.

        Where standard errors are known they are the noise, and this is 0.
        """
        return np.asarray((self.hyper.noise.sqrt() * self._units).numpy(), dtype=np.float64)

    @property
    def _units(self) -> Tensor:
        return self.hyper.scale * self.observed.unit

    @torch.no_grad()
    def predict(self, sets: Sets) -> tuple[Table, Table]:
        """Mean and standard deviation of the members' gains, the sets' nugget included, noise not.

        Args:
            sets: ``[M, T]`` bool, no set empty.

        Returns:
            Two ``[M, T]``, NaN outside the set.
        """
        asked = self._checked(sets)
        parts = [self._deviation(chunk) for chunk in torch.split(asked, _AT_ONCE)]
        deviation = torch.cat(parts) if parts else torch.zeros_like(asked)
        return self._finished(self._mean(asked), sets), self._finished(deviation, sets)

    @torch.no_grad()
    def mean(self, sets: Sets) -> Table:
        """The first part of :meth:`predict`, without the cost of the second."""
        return self._finished(self._mean(self._checked(sets)), sets)

    @torch.no_grad()
    def sample(self, sets: Sets, rng: np.random.Generator, draws: int) -> Table:
        """``[D, M, T]`` joint draws of the gains of all members of all sets; NaN outside a set.

        Draws from the prior, corrected by what they get wrong about the measured gains (Matheron's rule,
        Wilson et al. 2020, arXiv 2002.09309).
        """
        asked, seen, tasks = self._checked(sets), self.observed.sets, len(self.tasks)
        everything = torch.cat([asked, seen, torch.eye(tasks, dtype=asked.dtype)])
        scores = self.hyper.draw(everything, rng, draws)
        alone = scores[range(tasks), len(asked) + len(seen) + torch.arange(tasks)]  # [T, D]
        drawn = scores[:, : len(asked) + len(seen)] - alone[:, None]
        noise = gain_noise(self.observed, self.hyper).sqrt()[:, :, None]
        noise = noise * torch.from_numpy(rng.normal(size=(*noise.shape[:2], draws)))
        measured = (self.observed.gain / self.hyper.scale[:, None])[:, :, None]
        rows = self.observed.rows[:, :, None].expand(-1, -1, draws)
        at_seen = drawn[:, len(asked) :].gather(1, rows)
        wrong = (measured - at_seen - noise) * self.observed.known[:, :, None]
        alpha = self.factor.solve(wrong) * self.observed.known[:, :, None]
        result = drawn[:, : len(asked)] + self._explained(asked, alpha)
        return self._finished(result.permute(2, 1, 0), sets)

    @torch.no_grad()
    def bound(self) -> Table:
        """``[T]`` no set is predicted to be worth more to a task: ``|m(S)| ≤ ‖m‖·√k(S, S)``.

        For f and g apart. k(S, S) depends on the size of a set only. Cheap and valid for all 2^T sets,
        not tight.
        """
        prefixes = torch.ones((len(self.tasks),) * 2, dtype=self.alpha.dtype).tril()
        largest = [self.hyper.gain_variance(prefixes, shared=s)[:, 0].max() for s in (False, True)]
        noise = gain_noise(self.observed, self.hyper)
        lower = self.factor.own.mT @ self.alpha[:, :, None]
        own = lower.square().sum((1, 2)) - (noise * self.alpha.square()).sum(1)
        basis, count = self.factor.basis, len(self.observed.sets)
        used = torch.einsum("tku,tk->u", basis[self.observed.rows], self.alpha)
        used = used - self.alpha.sum(1) @ basis[count:]
        bound = (largest[0] * own.clamp_min(0)).sqrt() + (largest[1] * used.square().sum()).sqrt()
        return np.asarray((bound * self._units).numpy(), dtype=np.float64)

    def _checked(self, sets: Sets) -> Tensor:
        if sets.dtype != np.bool_ or sets.ndim != 2 or sets.shape[1] != len(self.tasks):
            found = f"{sets.dtype} {list(sets.shape)}"
            raise InputError(f"sets must be bool [sets, {len(self.tasks)} tasks], found {found}")
        if not sets.any(axis=1).all():
            raise InputError(f"set {int((~sets.any(axis=1)).argmax())} has no task")
        return torch.from_numpy(sets.astype(np.float64))

    def _finished(self, values: Tensor, sets: Sets) -> Table:
        """In the gains' own units; exactly 0 for a task alone, NaN outside the set."""
        own = (values * self._units).numpy()
        own = np.where(sets.sum(axis=1, keepdims=True) == 1, 0.0, own)
        return np.where(sets, own, np.nan)

    def _mean(self, asked: Tensor) -> Tensor:
        return self._explained(asked, self.alpha[:, :, None])[:, :, 0].T

    def _explained(self, asked: Tensor, alpha: Tensor) -> Tensor:
        """``[T, M, D]`` covariance of the asked gains with the known ones, times ``[T, K, D]`` alpha."""
        seen, tasks = self.observed.sets, len(self.tasks)
        singles = torch.eye(tasks, dtype=asked.dtype)
        rows = self.observed.rows[:, :, None].expand_as(alpha)
        spread = alpha.new_zeros((tasks, len(seen), alpha.shape[2])).scatter_add(1, rows, alpha)
        by_set, by_task = spread.sum(0), spread.sum(1)  # [N, D], [T, D]
        own, shared = (
            [
                self.hyper.kernel(a, b, shared=of_g)
                for a in (asked, singles)
                for b in (seen, singles)
            ]
            for of_g in (False, True)
        )
        in_set = own[0] @ spread - own[1].T[:, :, None] * by_task[:, None]
        alone = own[2][:, None] @ spread - (own[3].diagonal()[:, None] * by_task)[:, None]
        common = (shared[0] @ by_set - shared[1] @ by_task)[None]
        result: Tensor = in_set - alone + common
        return result - (shared[2] @ by_set - shared[3] @ by_task)[:, None]

    def _deviation(self, asked: Tensor) -> Tensor:
        """``[M, T]`` posterior standard deviation."""
        own = own_covariance(self.observed, self.hyper, asked)
        white = torch.linalg.solve_triangular(self.factor.own, own, upper=False)
        result = self.hyper.gain_variance(asked, shared=False) - white.square().sum(1).T
        unseen = self.hyper.gain_variance(asked, shared=True)
        at_asked, at_alone = self._coordinates(asked)
        for task in range(len(self.tasks)):
            direction = at_asked - at_alone[:, [task]]  # [U, M]
            left = direction - self.factor.loading[task].mT @ white[task]
            spread = torch.linalg.solve_triangular(self.factor.inner, left, upper=False)
            rest = (unseen[:, task] - direction.square().sum(0)).clamp_min(0)
            result[:, task] += spread.square().sum(0) + rest
        deviation: Tensor = result.clamp_min(0).sqrt()
        return deviation

    def _coordinates(self, asked: Tensor) -> tuple[Tensor, Tensor]:
        """``[U, M]`` and ``[U, T]``: g at the asked sets and at the singles, in the factor's basis."""
        singles = torch.eye(len(self.tasks), dtype=asked.dtype)
        both = torch.cat([self.observed.sets, singles])
        known = self.hyper.kernel(both, torch.cat([asked, singles]), shared=True)
        coordinates = torch.linalg.solve_triangular(self.factor.basis, known, upper=False)
        return coordinates[:, : len(asked)], coordinates[:, len(asked) :]
