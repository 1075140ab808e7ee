"""Choosing among candidate groups under a budget: p-median as a mixed-integer program, solved by HiGHS.

Maximise Σ s[g, t] x[g, t] with y[g] ∈ {0, 1} whether group g trains and x[g, t] how much it serves task t:
Σ_g x[g, t] = 1 for every t, x[g, t] ≤ y[g], Σ cost[g] y[g] ≤ budget, Σ y[g] ≤ max_groups. x need not be
integer: given y, serving by the best group is optimal. In a partition y decides alone: Σ_{g∋t} y[g] = 1.
HiGHS proves its bound. Letters: M candidate groups, T tasks, E pairs of a group and a member.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, eye_array, hstack

from cotrain.grouping.constraints import Constraints, infeasible
from cotrain.grouping.exact import MOST_TASKS, table_grouping
from cotrain.grouping.groups import Grouping
from cotrain.grouping.objective import Matrix
from cotrain.grouping.table import ScoreTable
from cotrain.measure.gains.sets import Numbers

SECONDS = 60.0


def group_table(
    table: ScoreTable, *, constraints: Constraints | None = None, seconds: float = SECONDS
) -> Grouping:
    """The best groups among the candidates of a table.

    Args:
        table: Candidates with scores and costs.
        constraints: What the groups must keep.
        seconds: When to stop improving; the bound says what is left.

    >>> half, full = np.eye(2), np.ones((1, 2))
    >>> table = ScoreTable.of(sets=[*half, *full], scores=[[-1, 0], [0, -1], [-3, -2]], cost=[0.5, 0.5, 1])
    >>> group_table(table, constraints=Constraints(budget=1)).groups
    ((0,), (1,))
    """
    limits = Constraints() if constraints is None else constraints
    tasks = table.sets.shape[1]
    limits.check(tasks)
    alike = limits.budget is None or (table.cost == 1).all()
    if alike and tasks <= MOST_TASKS:
        return table_grouping(table, limits)
    return _solve(*table.under(limits), limits, seconds)


def _solve(table: ScoreTable, rows: Numbers, limits: Constraints, seconds: float) -> Grouping:
    tasks, counts = table.sets.shape[1], limits.counts(table.sets.shape[1])
    group, task = np.nonzero(np.isfinite(table.scores))
    if limits.partition:
        whole = np.isfinite(table.scores).sum(axis=1) == table.sets.sum(axis=1)
        group, task = group[whole[group]], task[whole[group]]
    if len(np.unique(task)) < tasks:
        raise infeasible(limits, tasks)
    scale = float(np.ptp(table.scores[group, task])) or 1.0
    worth = np.where(counts[task] > 0, table.scores[group, task] / scale, 0.0)
    found = milp(
        c=np.concatenate([np.zeros(len(table.cost)), -worth]),
        integrality=np.repeat([1, 0], [len(table.cost), len(group)]),
        bounds=Bounds(0, 1),
        constraints=_rows(table, limits, group, task),
        options={"time_limit": seconds, "mip_rel_gap": 1e-9},
    )
    if found.x is None:
        raise infeasible(limits, tasks)
    chosen = np.flatnonzero(found.x[: len(table.cost)] > 0.5)
    bound = -float(found.mip_dual_bound) * scale / float(counts.sum())
    return Grouping.of(
        table.sets[chosen],
        table.scores[chosen],
        counts=counts,
        bound=None if found.status == 0 else bound,
        cost=table.cost[chosen],
        rows=rows[chosen],
    )


def _rows(
    table: ScoreTable, limits: Constraints, group: Numbers, task: Numbers
) -> list[LinearConstraint]:
    sets, tasks, edges = len(table.cost), table.sets.shape[1], len(group)
    each = np.arange(edges)
    serve = coo_array((np.ones(edges), (task, each)), shape=(tasks, edges)).tocsr()
    trains = coo_array((np.ones(edges), (each, group)), shape=(edges, sets)).tocsr()
    nothing = csr_array((tasks, sets))
    rows = [LinearConstraint(hstack([nothing, serve]), 1, 1)]
    linked = hstack([-trains, eye_array(edges)])
    rows.append(LinearConstraint(linked, 0 if limits.partition else -np.inf, 0))
    if limits.partition:  # also groups that may serve nobody stay out
        inside = csr_array(table.sets.T.astype(np.float64))
        rows.append(LinearConstraint(hstack([inside, csr_array((tasks, edges))]), 1, 1))
    for price, most in ((table.cost, limits.budget), (np.ones(sets), limits.max_groups)):
        if most is not None:
            rows.append(_at_most(price, most, edges))
    return rows


def _at_most(price: Matrix, most: float, edges: int) -> LinearConstraint:
    row = np.concatenate([price, np.zeros(edges)])[None]
    return LinearConstraint(csr_array(row), -np.inf, most * (1 + 1e-9))
