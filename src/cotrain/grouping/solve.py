"""One entry for any number of tasks: which solver answers, and what it proves."""

from __future__ import annotations

import numpy as np

from cotrain.errors import InputError
from cotrain.grouping.columns import column_generation
from cotrain.grouping.constraints import Constraints, infeasible
from cotrain.grouping.exact import MOST_TASKS, exact_grouping, grouping_of, reference
from cotrain.grouping.groups import Grouping
from cotrain.grouping.local import local_search
from cotrain.grouping.milp import SECONDS
from cotrain.grouping.objective import Matrix, clean

MOST_PROVEN = 30  # tasks; beyond, closing the gap on noise takes hours


def group_tasks(
    affinity: Matrix,
    *,
    max_groups: int | None = None,
    alone: Matrix | None = None,
    constraints: Constraints | None = None,
    seconds: float = SECONDS,
) -> Grouping:
    """The best groups that the time allows, and how good any others can be.

    Up to 15 tasks the proven optimum by dynamic programming; up to 30 column generation, which most often
    proves the optimum too; beyond that local search with a looser bound.

    Args:
        affinity: ``[T, T]``, row = recipient; NaN counts as no help.
        max_groups: k ≥ 1; as many as there are tasks unless given here or in ``constraints``.
        alone: ``[T]`` score of training alone; zero unless given; -inf forbids singletons.
        constraints: What else the groups must keep; every group costs 1.
        seconds: Time for closing the gap, from 16 to 30 tasks. Most problems need a few seconds,
            30 tasks of pure noise about half a minute.

    Raises:
        InputError: If the matrix is none, or the constraints contradict each other.
    """
    _refuse_other(affinity, alone)
    limits = (Constraints() if constraints is None else constraints).at_most(max_groups)
    if limits.most_groups(len(affinity)) == 1:
        return _all_together(affinity, alone, limits)
    if len(affinity) <= MOST_TASKS:
        return exact_grouping(affinity, max_groups=max_groups, alone=alone, constraints=constraints)
    if len(affinity) <= MOST_PROVEN:
        return column_generation(
            affinity, max_groups=max_groups, alone=alone, constraints=constraints, seconds=seconds
        )
    return local_search(affinity, max_groups=max_groups, alone=alone, constraints=constraints)


def _refuse_other(affinity: Matrix, alone: Matrix | None) -> None:
    """Not a matrix of numbers between tasks."""
    if not isinstance(affinity, np.ndarray):
        raise InputError(
            f"give a numpy matrix, such as affinity.mean, found {type(affinity).__name__}"
        )
    if affinity.ndim != 2 or affinity.shape[0] != affinity.shape[1] or not len(affinity):
        raise InputError(f"affinity must be [tasks, tasks], found {list(affinity.shape)}")
    if np.isinf(affinity).any():
        recipient, source = np.argwhere(np.isinf(affinity))[0].tolist()
        raise InputError(f"affinity of task {recipient} to task {source} is infinite")
    if alone is not None and np.shape(alone) != (len(affinity),):
        raise InputError(f"alone must be [{len(affinity)}], found {list(np.shape(alone))}")


def _all_together(affinity: Matrix, alone: Matrix | None, limits: Constraints) -> Grouping:
    """A single group has to serve everybody."""
    tasks = len(affinity)
    limits.check(tasks)
    everybody = np.ones((1, tasks), dtype=bool)
    if not limits.allowed(everybody).all():
        raise infeasible(limits, tasks)
    return grouping_of(clean(affinity), reference(alone, tasks), everybody, limits)
