"""A single group has to serve everybody, whatever the number of tasks."""

from __future__ import annotations

import numpy as np
import pytest

from cotrain.errors import InputError
from cotrain.grouping import Constraints, exact_grouping, group_tasks


@pytest.mark.parametrize("tasks", [1, 2, 9, 40, 617])
def test_all_together(tasks: int) -> None:
    z = np.random.default_rng(0).normal(size=(tasks, tasks))
    found = group_tasks(z, max_groups=1)
    assert found.groups == (tuple(range(tasks)),)
    assert (found.exact, found.gap) == (True, 0.0)
    off = z[~np.eye(tasks, dtype=bool)].mean() if tasks > 1 else 0.0
    assert found.objective == pytest.approx(off, abs=1e-12)
    if tasks <= 9:
        assert found == exact_grouping(z, max_groups=1)


def test_what_one_group_cannot_keep() -> None:
    z = np.zeros((20, 20))
    for limits in (Constraints(apart=((0, 1),)), Constraints(max_size=19)):
        with pytest.raises(InputError, match="no groups serve all 20 tasks under max_groups 1"):
            group_tasks(z, max_groups=1, constraints=limits)
    with pytest.raises(InputError, match="there is no task 20"):
        group_tasks(z, max_groups=1, constraints=Constraints(apart=((0, 20),)))


@pytest.mark.parametrize(
    ("affinity", "alone", "said"),
    [
        (np.zeros((2, 3)), None, "affinity must be \\[tasks, tasks\\], found \\[2, 3\\]"),
        (np.zeros((0, 0)), None, "found \\[0, 0\\]"),
        ([[0.0]], None, "give a numpy matrix, such as affinity.mean, found list"),
        (np.array([[0, np.inf], [1, 0]]), None, "affinity of task 0 to task 1 is infinite"),
        (np.zeros((2, 2)), np.zeros(3), "alone must be \\[2\\], found \\[3\\]"),
    ],
)
def test_what_is_no_matrix(affinity: object, alone: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        group_tasks(affinity, max_groups=2, alone=alone)  # type: ignore[arg-type]
