"""Which sets to train next: those that are worth most to the plan (the knowledge gradient).

A plan is chosen by its predicted mean gain; more data change the predictions and so the choice. What a set
is worth is how much the value of the best plan is expected to grow when its gains become known
(Frazier et al. 2009). It is computed on joint draws of the surrogate: the values of promising plans
are regressed on the gains that would be measured, and the set whose regression lifts the best plan most
is taken; then the same given its gains, until the batch is full.
Letters: M candidate sets, T tasks, D draws, P plans.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cotrain.grouping.subsets.covers import best_rows, scores_of
from cotrain.measure.gains.gains import Table
from cotrain.measure.gains.sets import Sets
from cotrain.measure.gains.surrogate import Surrogate

DRAWS = 256
PLANS = 40  # draws whose best plan competes

Rows = list[int]


def propose(
    surrogate: Surrogate,
    sets: Sets,
    *,
    open_rows: Rows,
    waiting: Rows,
    max_groups: int,
    count: int,
    rng: np.random.Generator,
) -> Rows:
    """Rows of up to ``count`` sets to train next, the most valuable first.

    Args:
        surrogate: What is known.
        sets: ``[M, T]`` candidates of the plan.
        open_rows: Candidates that may be trained.
        waiting: Candidates in training, whose gains will be known.
        max_groups: k of the plan.
        count: At most this many.
        rng: Draws.
    """
    draws = surrogate.sample(sets, rng, DRAWS)
    chances = _Chances(surrogate.mean(sets), draws, sets, max_groups)
    noise = surrogate.noise * rng.normal(size=(DRAWS, 1, sets.shape[1]))
    chosen: Rows = []
    for row in waiting:
        chances.learn(_measured(draws, noise, sets, row))
    hopeful = sorted(chances.in_plans & set(open_rows))
    while hopeful and len(chosen) < count:
        values = [chances.value(_measured(draws, noise, sets, row)) for row in hopeful]
        row = hopeful.pop(int(np.argmax(values)))
        chances.learn(_measured(draws, noise, sets, row))
        chosen.append(row)
    rest = [row for row in by_promise(surrogate, sets, max_groups) if row in set(open_rows)]
    return [*chosen, *(row for row in rest if row not in chosen)][:count]


def by_promise(surrogate: Surrogate, sets: Sets, max_groups: int) -> Rows:
    """All rows; first those that would lift the present plan most if all went a deviation better."""
    mean, deviation = surrogate.predict(sets)
    groups = sets[best_rows(sets, scores_of(mean), max_groups)]
    served = scores_of(surrogate.mean(groups)).max(axis=0)
    lift = np.nan_to_num(np.maximum(mean + deviation - served, 0.0)).sum(axis=1)
    return [int(row) for row in np.argsort(-lift, kind="stable")]


def _measured(draws: Table, noise: Table, sets: Sets, row: int) -> Table:
    """``[D, members]`` gains that would be measured, about their mean."""
    gains = (draws[:, row] + noise[:, 0])[:, sets[row]]
    return np.asarray(gains - gains.mean(axis=0))


class _Chances:
    """Values of competing plans in every draw, split into what will be known and the rest."""

    def __init__(self, mean: Table, draws: Table, sets: Sets, max_groups: int) -> None:
        values, self.in_plans = [], set[int]()
        for table in (mean, *draws[:PLANS]):
            rows = best_rows(sets, scores_of(table), max_groups)
            server = rows[scores_of(mean[rows]).argmax(axis=0)]
            values.append(draws[:, server, np.arange(sets.shape[1])].mean(axis=1))
            self.in_plans |= set(rows.tolist())
        stacked = np.stack(values, axis=1)  # [D, P]
        self._known: Table = np.broadcast_to(stacked.mean(axis=0), stacked.shape)
        self._rest: Table = stacked - stacked.mean(axis=0)
        self._learnt: list[NDArray[np.float64]] = []

    def value(self, gains: Table) -> float:
        """Expected value of the best plan once ``[D, n]`` gains are known."""
        return float((self._known + self._explained(gains)[0]).max(axis=1).mean())

    def learn(self, gains: Table) -> None:
        """Take ``[D, n]`` gains as known from now on: what they explain is no chance any more."""
        explained, basis = self._explained(gains)
        self._known = self._known + explained
        self._rest = self._rest - basis @ (basis.T @ self._rest)
        self._learnt.append(basis)

    def _explained(self, gains: Table) -> tuple[Table, Table]:
        """Regression of the rest on the gains, without what chance explains, and its ``[D, n]`` basis."""
        for basis in self._learnt:
            gains = gains - basis @ (basis.T @ gains)
        basis = np.linalg.qr(gains)[0]
        explained = basis @ (basis.T @ self._rest)
        fitted = (explained**2).sum(axis=0)
        left = ((self._rest - explained) ** 2).sum(axis=0)
        by_chance = left * basis.shape[1] / max(len(gains) - basis.shape[1], 1)
        share = np.maximum(1 - by_chance / np.where(fitted > 0, fitted, 1.0), 0.0)
        return explained * np.sqrt(share), basis
