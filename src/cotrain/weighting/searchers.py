"""Who proposes weights: population-based training, its bandit variant, successive halving.

Letters: N members, T tasks, K intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cotrain.arrays import Array
from cotrain.engine.member import WeightSetting
from cotrain.errors import InputError
from cotrain.weighting.bandit import best_candidates
from cotrain.weighting.search import GONE, Move, WeightSearch

_CANDIDATES = 512  # settings that the bandit chooses from


@dataclass(frozen=True, kw_only=True)
class PBT:
    """Population-based training of task weights (Jaderberg et al. 2017, Royer et al. 2023).

    arXiv 1711.09846, 2310.08910. After every interval the worst quantile copy a random one of the best
    quantile and get its setting perturbed, or a new one drawn from the simplex. Diverged members are always
    replaced and never copied.

    Args:
        members: N. The first has uniform weights, the others are drawn from a Dirichlet distribution.
        learning_rate: Of the first settings.
        quantile: Share of the members that are replaced; at least one of two or more.
        resample: Probability that a replaced member gets new weights instead of perturbed ones.
        factor: Perturbed weights are multiplied or divided by it, each by itself.
        search_rate: Search learning rate and weight decay, too.
        seed: Of all draws.
    """

    members: int = 12
    learning_rate: float = 3e-3
    quantile: float = 0.25
    resample: float = 0.25
    factor: float = 1.25
    search_rate: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse populations that cannot be."""
        shares = 0 < self.quantile <= 0.5 and 0 <= self.resample <= 1
        if self.members < 1 or not shares or not (self.factor > 1 and self.learning_rate > 0):
            raise InputError(
                "a population needs members, a quantile of at most a half, a factor above 1 and a "
                f"learning rate above 0, found {self}"
            )

    def begin(self, tasks: int) -> list[WeightSetting]:
        """One setting with uniform weights, the others drawn from a Dirichlet distribution."""
        rng = np.random.default_rng([self.seed, 0])
        plain = WeightSetting(weights=(1.0,) * tasks, learning_rate=self.learning_rate)
        drawn = [replace(plain, weights=_drawn(rng, tasks)) for _ in range(self.members - 1)]
        return [plain, *(self._rates(setting, rng) for setting in drawn)]

    def go_on(self, history: WeightSearch) -> list[Move]:
        """Let the worst copy one of the best, and vary its setting; the others go on."""
        rng = np.random.default_rng([self.seed, len(history.ends)])
        now, (worst, best) = history.now(), _ends(history, self.quantile)
        moves = [Move(parent=row, setting=setting) for row, setting in enumerate(now)]
        parents = {row: int(rng.choice(best)) for row in worst}
        explored = self.explore(history, [now[parent] for parent in parents.values()], rng)
        for (row, parent), setting in zip(parents.items(), explored, strict=True):
            moves[row] = Move(parent=parent, setting=setting)
        return moves

    def explore(
        self, history: WeightSearch, parents: Sequence[WeightSetting], rng: np.random.Generator
    ) -> list[WeightSetting]:
        """A new setting near each parent's."""
        return [self._varied(parent, rng) for parent in parents]

    def _varied(self, setting: WeightSetting, rng: np.random.Generator) -> WeightSetting:
        tasks = len(setting.weights)
        if rng.random() < self.resample:
            weights = _drawn(rng, tasks)
        else:
            up = rng.random(tasks) < 0.5
            if up.all() or not up.any():  # that would change nothing
                up[rng.integers(tasks)] ^= True
            step = np.where(up, self.factor, 1 / self.factor)
            weights = _on_simplex(np.array(setting.weights) * step)
        return self._rates(replace(setting, weights=weights), rng)

    def _rates(self, setting: WeightSetting, rng: np.random.Generator) -> WeightSetting:
        if not self.search_rate:
            return setting
        rate, decay = np.where(rng.random(2) < 0.5, self.factor, 1 / self.factor)
        return replace(
            setting,
            learning_rate=setting.learning_rate * float(rate),
            weight_decay=setting.weight_decay * float(decay),
        )


@dataclass(frozen=True, kw_only=True)
class PB2(PBT):
    """PBT whose new settings are chosen by a Gaussian-process bandit (PB2: Parker-Holder et al. 2020).

    arXiv 2002.02518. The process learns, from all intervals so far, how much the mean score grows in an
    interval by the setting that is trained with, older intervals counting less. A new setting maximises
    the upper confidence bound, the ones chosen beside it counting as tried. ``resample`` and ``factor``
    make the candidates.
    """

    def explore(
        self, history: WeightSearch, parents: Sequence[WeightSetting], rng: np.random.Generator
    ) -> list[WeightSetting]:
        """A setting for each parent, the most promising first."""
        seen, when, growth = _experience(history)
        candidates = [self._varied(parents[at % len(parents)], rng) for at in range(_CANDIDATES)]
        places = np.array([_place(setting) for setting in candidates])
        rows = best_candidates(
            seen, when, growth, places, now=len(history.ends), count=len(parents)
        )
        return [candidates[row] for row in rows]


@dataclass(frozen=True, kw_only=True)
class Halving(PBT):
    """Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943): the worse half stops.

    Args:
        keep: Share of the members that go on after an interval; at least one does.
    """

    keep: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a share that keeps nobody, or more than there are."""
        super().__post_init__()
        if not 0 < self.keep <= 1:
            raise InputError(f"keep must be above 0 and at most 1, found {self.keep}")

    def go_on(self, history: WeightSearch) -> list[Move]:
        """Let the best go on with their settings; the others stop."""
        mean, now = history.mean_scores[-1], history.now()
        count = max(1, int(np.ceil(self.keep * len(now))))
        order = [row for row in np.argsort(-mean, kind="stable").tolist() if mean[row] > -np.inf]
        return [Move(parent=row, setting=now[row]) for row in sorted(order[:count])]


def _ends(history: WeightSearch, quantile: float) -> tuple[list[int], list[int]]:
    """Rows of the worst, diverged ones included, and of the best members."""
    present = history.parents[-1] != GONE
    mean = history.mean_scores[-1][present]
    order = np.argsort(mean, kind="stable").tolist()
    count = min(max(1, round(quantile * len(order))), len(order) // 2)
    sound = [row for row in order if mean[row] > -np.inf]
    best = sound[-max(1, count) :]
    lost = [row for row in order if mean[row] == -np.inf]
    worst = [row for row in order[:count] if row not in best]
    return list(dict.fromkeys([*lost, *worst])), best


def _experience(history: WeightSearch) -> tuple[Array, Array, Array]:
    """Places of settings, their interval, and how much the mean score grew in it."""
    places, when, growth = [], [], []
    for interval in range(1, len(history.ends)):
        for row, parent in enumerate(history.parents[interval].tolist()):
            grown = history.mean_scores[interval, row] - history.mean_scores[interval - 1, parent]
            if parent != GONE and np.isfinite(grown):
                weights, rate, decay = (
                    history.weights[interval, row],
                    history.learning_rate[interval, row],
                    history.weight_decay[interval, row],
                )
                setting = WeightSetting(
                    weights=tuple(weights), learning_rate=float(rate), weight_decay=float(decay)
                )
                places.append(_place(setting))
                when.append(float(interval))
                growth.append(float(grown))
    return np.array(places), np.array(when), np.array(growth)


def _place(setting: WeightSetting) -> list[float]:
    """A setting as a point: logarithms, so that a perturbation is a step of one length anywhere."""
    weights = np.log(np.maximum(setting.weights, 1e-6)).tolist()
    return [*weights, float(np.log(setting.learning_rate)), float(np.log(setting.weight_decay))]


def _drawn(rng: np.random.Generator, tasks: int) -> tuple[float, ...]:
    """Uniform on the simplex times T."""
    return _on_simplex(rng.dirichlet(np.ones(tasks)))


def _on_simplex(weights: Array) -> tuple[float, ...]:
    return tuple((weights * len(weights) / weights.sum()).tolist())
