"""Candidate groups with what each member scores in them, and what they cost.

Whatever says how well a task does in a set becomes such a table: the pairwise objective, measured gains, a
surrogate's predictions, published losses. Letters: M sets, T tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from cotrain.errors import InputError
from cotrain.grouping.constraints import Constraints
from cotrain.grouping.objective import Matrix, all_scores, clean
from cotrain.measure.gains.sets import Numbers, Sets, every_set


@dataclass(frozen=True, kw_only=True)
class ScoreTable:
    """M candidate groups. A set may appear more than once, at other costs.

    Args:
        sets: ``[M, T]`` bool.
        scores: ``[M, T]`` what a task scores in a set, higher is better; -inf where the set must not serve
            it. What stands outside the set is ignored, NaN counts as -inf.
        cost: ``[M]`` in the unit of the budget: models, FLOPs, parameters.

    >>> table = ScoreTable.of(sets=[[1, 0], [0, 1], [1, 1]], scores=[[2, 0], [0, 2], [1, 3]])
    >>> table.scores
    array([[  2., -inf],
           [-inf,   2.],
           [  1.,   3.]])
    """

    sets: Sets
    scores: Matrix
    cost: Matrix

    def __post_init__(self) -> None:
        """Refuse tables that do not fit together."""
        shape = self.sets.shape
        if len(shape) != 2 or self.scores.shape != shape or self.cost.shape != shape[:1]:
            raise InputError(
                "sets and scores must be [sets, tasks] and cost [sets], found "
                f"{list(shape)}, {list(self.scores.shape)}, {list(self.cost.shape)}"
            )
        if not (self.cost >= 0).all():
            row = int((~(self.cost >= 0)).argmax())
            raise InputError(f"cost must not be negative: set {row} costs {self.cost[row]:g}")
        if np.isposinf(self.scores).any():
            row, task = (int(i) for i in np.argwhere(np.isposinf(self.scores))[0])
            raise InputError(f"scores must not be infinite: set {row}, task {task}")

    @classmethod
    def of(cls, *, sets: object, scores: object, cost: object = 1.0) -> Self:
        """From anything like arrays; one ``cost`` for all, or ``[M]``."""
        member = np.asarray(sets, dtype=bool)
        values = np.asarray(scores, dtype=np.float64)
        prices = np.broadcast_to(np.asarray(cost, dtype=np.float64), member.shape[:1]).copy()
        if values.shape == member.shape:
            values = np.where(member & ~np.isnan(values), values, -np.inf)
        return cls(sets=member, scores=values, cost=prices)

    @classmethod
    def pairwise(cls, affinity: Matrix, alone: Matrix | None = None) -> Self:
        """Every set, by the published objective. 2^T rows."""
        affinity = clean(affinity)
        alone = np.zeros(len(affinity)) if alone is None else alone
        return cls.of(sets=every_set(len(affinity)), scores=all_scores(affinity, alone))

    def under(self, constraints: Constraints) -> tuple[Self, Numbers]:
        """The sets that may be groups, auxiliary tasks scoring 0, and where they stand in this table."""
        rows = np.flatnonzero(constraints.allowed(self.sets))
        scores = self.scores[rows]
        counts = constraints.counts(scores.shape[1])
        scores = np.where((counts == 0) & (scores > -np.inf), 0.0, scores)
        return type(self)(sets=self.sets[rows], scores=scores, cost=self.cost[rows]), rows
