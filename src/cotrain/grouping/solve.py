"""One entry for any number of tasks."""

from __future__ import annotations

from cotrain.grouping.constraints import Constraints
from cotrain.grouping.exact import MOST_TASKS, exact_grouping
from cotrain.grouping.grouping import Grouping
from cotrain.grouping.large import local_search
from cotrain.grouping.score import Matrix


def group_tasks(
    affinity: Matrix,
    *,
    max_groups: int | None = None,
    alone: Matrix | None = None,
    constraints: Constraints | None = None,
) -> Grouping:
    """The best groups: the proven optimum for up to 15 tasks, local search with a bound for more.

    Args:
        affinity: ``[T, T]``, row = recipient; NaN counts as no help.
        max_groups: k ≥ 1; as many as there are tasks unless given here or in ``constraints``.
        alone: ``[T]`` score of training alone; zero unless given; -inf forbids singletons.
        constraints: What else the groups must keep; every group costs 1.
    """
    solver = exact_grouping if len(affinity) <= MOST_TASKS else local_search
    return solver(affinity, max_groups=max_groups, alone=alone, constraints=constraints)
