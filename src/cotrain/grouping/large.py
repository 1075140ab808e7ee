"""Groups for more tasks than the exact solver takes: clustering, then local search on the objective.

The answer is not proven optimal; its bound is stated (:mod:`cotrain.grouping.bound`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from cotrain.grouping.bound import relaxed_bound
from cotrain.grouping.constraints import Constraints, infeasible
from cotrain.grouping.exact import grouping_of, reference
from cotrain.grouping.grouping import Grouping
from cotrain.grouping.score import Matrix, Numbers, Sets, clean
from cotrain.grouping.search import improved, iterated, placed, value
from cotrain.grouping.state import Problem

WORK = 2e9  # about the elementary steps that are spent on restarts


def local_search(
    affinity: Matrix,
    *,
    max_groups: int | None = None,
    alone: Matrix | None = None,
    constraints: Constraints | None = None,
    rounds: int | None = None,
) -> Grouping:
    """Clusters, improved by moving, adding and removing one task at a time, from many starts.

    Args:
        affinity: ``[T, T]``, row = recipient; NaN counts as no help.
        max_groups: k ≥ 1.
        alone: ``[T]`` score of training alone; zero unless given; -inf forbids singletons.
        constraints: What else the groups must keep; every group costs 1.
        rounds: How often to shake the best groups and improve them again.

    Raises:
        InputError: If no groups were found that keep the constraints.
    """
    limits = (Constraints() if constraints is None else constraints).at_most(max_groups)
    limits.check(len(affinity))
    affinity, alone = clean(affinity), reference(alone, len(affinity))
    groups = searched(affinity, alone, limits, _rounds(len(affinity)) if rounds is None else rounds)
    bound = relaxed_bound(affinity, alone, limits, groups)
    return replace(grouping_of(affinity, alone, groups, limits, bound), exact=False)


def searched(affinity: Matrix, alone: Matrix, limits: Constraints, rounds: int) -> Sets:
    """``[k, T]`` the best groups that were found."""
    order = _own_order(affinity)  # the order that the tasks came in is moot
    counts = limits.counts(len(affinity))
    problem = Problem(
        affinity=(affinity * counts[:, None])[np.ix_(order, order)],
        alone=_finite(np.where(counts > 0, alone, np.minimum(alone, 0)), affinity)[order],
        constraints=limits.permuted(order),
        most=limits.most_groups(len(affinity)),
    )
    groups = max(_starts(problem), key=lambda found: value(problem, found), default=None)
    if groups is None:
        raise infeasible(limits, len(affinity))
    groups = iterated(problem, groups, rounds, seed=0)
    if value(problem, groups) < _hopeless(affinity):
        raise infeasible(limits, len(affinity))
    return groups[:, np.argsort(order)]


def _rounds(tasks: int) -> int:
    return int(np.clip(WORK / tasks**3 / 40, 5, 200))


def _own_order(affinity: Matrix) -> Numbers:
    return np.lexsort((affinity.sum(axis=0), affinity.sum(axis=1)))


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
