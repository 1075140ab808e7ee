"""Groups for more tasks than the exact solver takes: clustering, then local search on the objective.

The answer is not proven optimal; its bound is stated.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from cotrain.grouping.exact import MOST_TASKS, exact_grouping
from cotrain.grouping.grouping import Grouping
from cotrain.grouping.score import Matrix, clean, set_scores, upper_bound

SWEEPS = 20


def group_tasks(affinity: Matrix, *, max_groups: int) -> Grouping:
    """At most ``max_groups`` groups: the proven optimum for few tasks, local search for many.

    Args:
        affinity: ``[T, T]``, row = recipient; NaN counts as no help.
        max_groups: k ≥ 1.
    """
    if len(affinity) <= MOST_TASKS:
        return exact_grouping(affinity, max_groups=max_groups)
    return local_search(affinity, max_groups=max_groups)


def local_search(affinity: Matrix, *, max_groups: int) -> Grouping:
    """Average-linkage clusters, improved by adding and removing one task at a time."""
    affinity = clean(affinity)
    order = np.lexsort((affinity.sum(axis=0), affinity.sum(axis=1)))  # the tasks' own order is moot
    affinity = affinity[np.ix_(order, order)]
    alone = np.zeros(len(affinity))
    member = _clusters(affinity, max_groups)
    best = _objective(affinity, alone, member)
    for _ in range(SWEEPS):
        before = best
        for g, t in np.ndindex(*member.shape):
            member[g, t] ^= True
            value = _objective(affinity, alone, member)
            if value > best + 1e-12:
                best = value
            else:
                member[g, t] ^= True
        if best == before:
            break
    back = np.argsort(order)
    return _grouping(affinity[np.ix_(back, back)], alone, member[:, back], best)


def _clusters(affinity: Matrix, count: int) -> NDArray[np.bool_]:
    """``[k, T]`` membership of a partition into ``count`` clusters, some of them empty if they tie."""
    mutual = (affinity + affinity.T) / 2
    distance = mutual.max() - mutual
    np.fill_diagonal(distance, 0.0)
    labels = fcluster(linkage(squareform(distance, checks=False), "average"), count, "maxclust")
    member = np.equal.outer(np.arange(1, count + 1), labels)
    return np.asarray(member)


def _objective(affinity: Matrix, alone: Matrix, member: NDArray[np.bool_]) -> float:
    return float(set_scores(affinity, alone, member).max(axis=0).mean())


def _grouping(
    affinity: Matrix, alone: Matrix, member: NDArray[np.bool_], objective: float
) -> Grouping:
    member = member[member.any(axis=1)]
    server = set_scores(affinity, alone, member).argmax(axis=0)
    used = np.unique(server)
    return Grouping(
        groups=tuple(tuple(map(int, member[g].nonzero()[0])) for g in used),
        server=tuple(int(np.searchsorted(used, s)) for s in server),
        objective=objective,
        bound=upper_bound(affinity, alone),
        exact=False,
    )
