"""Which sets to train next: those that are worth most to the plan (the knowledge gradient).

A plan is chosen by its predicted mean gain; more data change the predictions and so the choice. What a set
is worth is how much the value of the best plan is expected to grow when its gains become known
(Frazier et al. 2009). It is computed on joint draws of the surrogate: the values of promising plans
are regressed on the gains that would be measured, and the set whose regression lifts the best plan most
is taken; then the same given its gains, until the batch is full.
Letters: M candidate sets, m that are drawn, T tasks, D draws, P plans.
"""

from __future__ import annotations

import numpy as np

from cotrain.grouping.subsets.covers import best_rows, scores_of
from cotrain.measure.gains.gains import Table
from cotrain.measure.gains.sets import Numbers, Sets
from cotrain.measure.gains.surrogate import Surrogate

DRAWS = 256
PLANS = 40  # more draws, whose best plans compete

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
    plans, used = _plans(surrogate, sets, max_groups, rng)
    rows = sorted(used | set(waiting))  # that have to be drawn together
    place = np.searchsorted(rows, plans)
    draws = surrogate.sample(sets[rows], rng, DRAWS)
    values = draws[:, place, np.arange(sets.shape[1])].mean(axis=2)
    noise = surrogate.noise * rng.normal(size=(DRAWS, 1, sets.shape[1]))
    chances = _Chances(values, draws + noise, sets[rows], rows)
    for row in waiting:
        chances.learn(row)
    hopeful, chosen = sorted(used & set(open_rows)), Rows()
    while hopeful and len(chosen) < count:
        row = hopeful.pop(int(np.argmax([chances.value(row) for row in hopeful])))
        chances.learn(row)
        chosen.append(row)
    if len(chosen) < count:
        rest = set(open_rows) - set(chosen)
        chosen += [row for row in by_promise(surrogate, sets, max_groups) if row in rest]
    return chosen[:count]


def _plans(
    surrogate: Surrogate, sets: Sets, max_groups: int, rng: np.random.Generator
) -> tuple[Numbers, set[int]]:
    """``[P, T]`` distinct plans, the row that serves each task, and the rows that any draw would use.

    They are the best plan by the mean and those by some draws, each task served by its best on average.
    """
    mean = surrogate.mean(sets)
    plans, used = [], set[int]()
    for table in (mean, *surrogate.sample(sets, rng, PLANS)):
        rows = best_rows(sets, scores_of(table), max_groups)
        plans.append(rows[scores_of(mean[rows]).argmax(axis=0)])
        used |= set(rows.tolist())
    return np.unique(plans, axis=0), used


def by_promise(surrogate: Surrogate, sets: Sets, max_groups: int) -> Rows:
    """All rows; first those that would lift the present plan most if all went a deviation better."""
    mean, deviation = surrogate.predict(sets)
    groups = sets[best_rows(sets, scores_of(mean), max_groups)]
    served = scores_of(surrogate.mean(groups)).max(axis=0)
    lift = np.nan_to_num(np.maximum(mean + deviation - served, 0.0)).sum(axis=1)
    return [int(row) for row in np.argsort(-lift, kind="stable")]


class _Chances:
    """Values of competing plans in every draw, split into what will be known and the rest.

    Args:
        values: ``[D, P]`` of the plans.
        gains: ``[D, m, T]`` that would be measured in some sets.
        sets: ``[m, T]``
        rows: The m sets' names here.
    """

    def __init__(self, values: Table, gains: Table, sets: Sets, rows: Rows) -> None:
        self._known: Table = np.broadcast_to(values.mean(axis=0), values.shape)
        self._rest: Table = values - values.mean(axis=0)
        members = gains[:, sets]
        self._gains = members - members.mean(axis=0)  # [D, members of all sets]
        ends = np.cumsum(sets.sum(axis=1)).tolist()
        self._columns = dict(zip(rows, map(slice, [0, *ends], ends), strict=False))

    def value(self, row: int) -> float:
        """Expected value of the best plan once the gains in a set are known."""
        explained, _ = self._explained(row)
        return float((self._known + explained).max(axis=1).mean())

    def learn(self, row: int) -> None:
        """Take the gains in a set as known from now on: what they explain is no chance any more."""
        explained, basis = self._explained(row)
        self._known = self._known + explained
        self._rest = self._rest - basis @ (basis.T @ self._rest)
        self._gains = self._gains - basis @ (basis.T @ self._gains)

    def _explained(self, row: int) -> tuple[Table, Table]:
        """Regression of the rest on the gains, without what chance explains, and its ``[D, n]`` basis."""
        basis = np.linalg.qr(self._gains[:, self._columns[row]])[0]
        explained = basis @ (basis.T @ self._rest)
        fitted = (explained**2).sum(axis=0)
        left = np.maximum((self._rest**2).sum(axis=0) - fitted, 0.0)
        by_chance = left * basis.shape[1] / max(len(basis) - basis.shape[1], 1)
        share = np.maximum(1 - by_chance / np.where(fitted > 0, fitted, 1.0), 0.0)
        return explained * np.sqrt(share), basis
