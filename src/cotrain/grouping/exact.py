"""The optimum by dynamic programming over task sets, for up to 15 tasks.

Every task is served by one group, so a solution splits the tasks into served blocks S₁ … S_k, block S
inside its group g. With F(S) = max over g ⊇ S of Σ_{a∈S} score(a, g), the optimum is the best split into
at most k blocks (:mod:`cotrain.grouping.blocks`).
"""

from __future__ import annotations

import numpy as np

from cotrain.grouping.blocks import best_helpers, best_split, pairwise_values, table_values
from cotrain.grouping.constraints import Constraints, infeasible
from cotrain.grouping.groups import Grouping
from cotrain.grouping.objective import Matrix, clean, set_scores
from cotrain.grouping.table import ScoreTable
from cotrain.measure.gains.sets import Sets, numbered

MOST_TASKS = 15


def exact_grouping(
    affinity: Matrix,
    *,
    max_groups: int | None = None,
    alone: Matrix | None = None,
    constraints: Constraints | None = None,
) -> Grouping:
    """The best groups by the published objective.

    Args:
        affinity: ``[T, T]``, row = recipient; NaN counts as no help; the diagonal is not used.
        max_groups: k ≥ 1; as many as there are tasks unless given here or in ``constraints``.
        alone: ``[T]`` score of training alone; zero unless given; -inf forbids singletons, as TAG does.
        constraints: What else the groups must keep; every group costs 1.

    >>> z = np.array([[0, 3, -1, -1], [3, 0, -1, -1], [-1, -1, 0, 2], [-1, -1, 2, 0]], dtype=float)
    >>> exact_grouping(z, max_groups=2).groups
    ((0, 1), (2, 3))
    >>> exact_grouping(z, constraints=Constraints(max_groups=3, apart=((0, 1),))).groups
    ((0,), (1,), (2, 3))
    """
    affinity, tasks = clean(affinity), len(affinity)
    if tasks > MOST_TASKS:
        raise ValueError(f"exact grouping serves at most {MOST_TASKS} tasks, got {tasks}")
    limits = (Constraints() if constraints is None else constraints).at_most(max_groups)
    limits.check(tasks)
    alone = reference(alone, tasks)
    if limits.together or limits.apart:
        return table_grouping(ScoreTable.pairwise(affinity, alone), limits)
    value = pairwise_values(affinity, alone, limits)
    blocks, total = best_split(value, limits.most_groups(tasks))
    if total == -np.inf:
        raise infeasible(limits, tasks)
    pairs = zip(numbered(np.array(blocks), tasks), value[blocks], strict=True)
    groups = np.array([best_helpers(affinity, block, worth, limits) for block, worth in pairs])
    return grouping_of(affinity, alone, groups, limits)


def grouping_of(
    affinity: Matrix,
    alone: Matrix,
    groups: Sets,
    constraints: Constraints,
    bound: float | None = None,
) -> Grouping:
    """Given groups ``[k, T]`` as an answer, each costing 1."""
    counts = constraints.counts(len(affinity))
    scores = np.where(groups & (counts == 0), 0.0, set_scores(affinity, alone, groups))
    return Grouping.of(groups, scores, counts=counts, bound=bound, cost=np.ones(len(groups)))


def reference(alone: Matrix | None, tasks: int) -> Matrix:
    """``[T]`` scores of training alone. The only task there is may be alone, whatever it scores."""
    given = np.zeros(tasks) if alone is None else np.asarray(alone, dtype=np.float64)
    return np.maximum(given, -np.finfo(float).max) if tasks == 1 else given


def table_grouping(table: ScoreTable, constraints: Constraints) -> Grouping:
    """The best groups among candidates that cost 1 each.

    >>> table = ScoreTable.of(sets=[[1, 0], [0, 1], [1, 1]], scores=[[0, 0], [0, 0], [2, -1]])
    >>> [table_grouping(table, Constraints(max_groups=k)).groups for k in (1, 2)]
    [((0, 1),), ((0, 1), (1,))]
    """
    tasks = table.sets.shape[1]
    constraints.check(tasks)
    allowed, kept = table.under(constraints)
    value = table_values(allowed.sets, allowed.scores, partition=constraints.partition)
    blocks, total = best_split(value, constraints.most_groups(tasks))
    exactly = constraints.partition
    if total == -np.inf:
        raise infeasible(constraints, tasks)
    rows = [_row(allowed, block, exactly) for block in numbered(np.array(blocks), tasks)]
    return Grouping.of(
        allowed.sets[rows],
        allowed.scores[rows],
        counts=constraints.counts(tasks),
        cost=allowed.cost[rows],
        rows=kept[rows],
    )


def _row(table: ScoreTable, block: Sets, exactly: bool) -> int:
    """The candidate that serves a block best."""
    fits = (table.sets >= block).all(axis=1) & (~exactly | (table.sets == block).all(axis=1))
    return int(np.where(fits, table.scores[:, block].sum(axis=1), -np.inf).argmax())
