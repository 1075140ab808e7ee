"""Groups for more tasks than the exact solver takes: clustering, then local search on the objective.

The answer is not proven optimal; its bound is stated (:mod:`cotrain.grouping.bound`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from cotrain.grouping.bound import relaxed_bound
from cotrain.grouping.constraints import Constraints, infeasible
from cotrain.grouping.exact import grouping_of, reference
from cotrain.grouping.groups import Grouping
from cotrain.grouping.local_moves import improved, iterated, placed, value
from cotrain.grouping.local_state import Problem
from cotrain.grouping.objective import Matrix, clean, own_order
from cotrain.measure.gains.sets import Numbers, Sets

WORK = 1e9  # restarts times T³ that may be spent, between 60 and 10 T restarts


def local_search(
    affinity: Matrix,
    *,
    max_groups: int | None = None,
    alone: Matrix | None = None,
    constraints: Constraints | None = None,
    restarts: int | None = None,
) -> Grouping:
    """Clusters, improved by moving, adding and removing one task at a time, from many starts.

    Args:
        affinity: ``[T, T]``, row = recipient; NaN counts as no help.
        max_groups: k ≥ 1.
        alone: ``[T]`` score of training alone; zero unless given; -inf forbids singletons.
        constraints: What else the groups must keep; every group costs 1.
        restarts: How often to shake the best groups and improve them again.

    Raises:
        InputError: If no groups were found that keep the constraints.
    """
    search = Search.of(affinity, alone, constraints, max_groups)
    groups = search.groups(restarts)
    return replace(search.answer(groups, search.relaxed(groups)), exact=False)


@dataclass(frozen=True, kw_only=True)
class Search:
    """A problem in an order of its own, so that the order that the tasks came in is moot.

    Args:
        affinity: ``[T, T]``, clean.
        alone: ``[T]``.
        limits: What the groups must keep.
        order: ``[T]`` the tasks as ``problem`` has them.
        problem: Ready to be searched.
    """

    affinity: Matrix
    alone: Matrix
    limits: Constraints
    order: Numbers
    problem: Problem

    @classmethod
    def of(
        cls,
        affinity: Matrix,
        alone: Matrix | None,
        constraints: Constraints | None,
        max_groups: int | None,
    ) -> Self:
        """Check and order a user's matrix and demands; for the arguments see :func:`local_search`."""
        limits = (Constraints() if constraints is None else constraints).at_most(max_groups)
        limits.check(len(affinity))
        affinity, alone = clean(affinity), reference(alone, len(affinity))
        counts = limits.counts(len(affinity))
        order = own_order(np.stack([affinity.sum(axis=1), affinity.sum(axis=0)]))
        problem = Problem(
            affinity=(affinity * counts[:, None])[np.ix_(order, order)],
            alone=_finite(np.where((counts > 0) | np.isneginf(alone), alone, 0.0), affinity)[order],
            constraints=limits.permuted(order),
            most=limits.most_groups(len(affinity)),
        )
        return cls(affinity=affinity, alone=alone, limits=limits, order=order, problem=problem)

    def groups(self, restarts: int | None = None) -> Sets:
        """``[k, T]`` the best groups that were found; as many restarts as pay unless given."""
        starts = _starts(self.problem)
        if not starts:
            raise infeasible(self.limits, len(self.affinity))
        best = max(starts, key=lambda found: value(self.problem, found))
        restarts = _tries(len(self.affinity)) if restarts is None else restarts
        best = iterated(self.problem, best, restarts, seed=0)
        if value(self.problem, best) < _hopeless(self.affinity):
            raise infeasible(self.limits, len(self.affinity))
        return best[:, np.argsort(self.order)]

    def relaxed(self, groups: Sets) -> float:
        """A bound, given known groups; in the own order, so that sums round alike in any other."""
        at = self.order
        own = self.affinity[np.ix_(at, at)], self.alone[at], self.limits.permuted(at)
        return relaxed_bound(*own, groups[:, at])

    def answer(self, groups: Sets, bound: float) -> Grouping:
        """``[k, T]`` groups, of which some may be empty, and a bound as the answer to the user."""
        groups = groups[groups.any(axis=1)]
        return grouping_of(self.affinity, self.alone, groups, self.limits, bound)


def _tries(tasks: int) -> int:
    return int(max(60, min(WORK / tasks**3, 10 * tasks)))


def _hopeless(affinity: Matrix) -> float:
    """Below any sum of scores in which no task is alone that must not be."""
    return float(-2 * (np.abs(affinity).max(initial=0.0) + 1) * len(affinity))


def _finite(alone: Matrix, affinity: Matrix) -> Matrix:
    return np.where(np.isneginf(alone), 4 * _hopeless(affinity) + alone.max(), alone)


def _starts(problem: Problem) -> list[Sets]:
    """Improved starting points: average-linkage clusters, greedy insertion in a few orders."""
    units = len(problem.size)
    rng = np.random.default_rng(0)
    orders = [np.lexsort((-problem.size, -problem.clash.sum(axis=0)))]
    orders += [rng.permutation(units) for _ in range(3)]
    nobody = np.zeros((problem.most, len(problem.label)), dtype=bool)
    starts = [_clusters(problem), *(placed(problem, nobody, order) for order in orders)]
    return [improved(problem, start) for start in starts if start is not None]


def _clusters(problem: Problem) -> Sets | None:
    """``[k, T]`` a partition by average linkage, or None if it breaks a constraint."""
    tasks = len(problem.affinity)
    mutual = (problem.affinity + problem.affinity.T) / 2
    distance = mutual.max() - mutual
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average") if tasks > 1 else np.empty((0, 4))
    cut = fcluster(tree, problem.most, "maxclust") if tasks > 1 else np.ones(1)
    first = np.unique(problem.label, return_index=True)[1]
    groups = np.equal.outer(np.arange(1, problem.most + 1), cut[first][problem.label])
    return groups if problem.constraints.allowed(groups[groups.any(axis=1)]).all() else None
