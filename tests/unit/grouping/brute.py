"""Brute force over all choices of groups: slow, and too simple to be wrong."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from cotrain.grouping import Constraints, Grouping, ScoreTable


def allowed(group: set[int], limits: Constraints) -> bool:
    if limits.max_size is not None and len(group) > limits.max_size:
        return False
    if any((a in group) != (b in group) for a, b in limits.together):
        return False
    return not any(a in group and b in group for a, b in limits.apart)


def brute_force(table: ScoreTable, limits: Constraints) -> float:
    """The best mean score of the tasks that count; -inf if nothing is allowed."""
    tasks = table.sets.shape[1]
    counts = [t for t in range(tasks) if t not in limits.auxiliary]
    rows = [
        r for r in range(len(table.sets)) if allowed(set(np.flatnonzero(table.sets[r])), limits)
    ]
    best = -np.inf
    for size in range(1, min(limits.max_groups or tasks, tasks) + 1):
        for choice in combinations(rows, size):
            if limits.budget is not None and table.cost[list(choice)].sum() > limits.budget + 1e-9:
                continue
            if limits.partition and (table.sets[list(choice)].sum(axis=0) != 1).any():
                continue
            served = table.scores[list(choice)].max(axis=0)
            if np.isfinite(served).all():
                best = max(best, float(served[counts].mean()))
    return best


def check(
    table: ScoreTable, limits: Constraints, found: Grouping, *, complete: bool = True
) -> None:
    """A grouping keeps what was demanded and states its own value."""
    tasks = table.sets.shape[1]
    assert len(found.server) == tasks
    assert all(t in found.group_of(t) for t in range(tasks))
    assert all(found.serves(g) for g in range(len(found.groups)))
    assert all(allowed(set(group), limits) for group in found.groups)
    assert len(found.groups) <= (limits.max_groups or tasks)
    if limits.partition:
        assert sorted(t for group in found.groups for t in group) == list(range(tasks))
    if limits.budget is not None:
        assert found.cost is not None
        assert found.cost <= limits.budget + 1e-9
    if complete:
        number = {tuple(np.flatnonzero(row)): i for i, row in enumerate(table.sets)}
        rows = found.rows or [number[group] for group in found.groups]
        mine = [table.scores[rows[found.server[t]], t] for t in range(tasks)]
        mean = np.mean([mine[t] for t in range(tasks) if t not in limits.auxiliary])
        np.testing.assert_allclose(found.objective, mean, atol=1e-9)
    assert found.objective <= found.bound + 1e-12
