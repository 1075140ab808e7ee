"""Groups of tasks with the value of the objective that chose them and a bound on what is possible."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from cotrain.grouping.objective import Matrix
from cotrain.measure.gains.sets import Numbers, Sets

TIGHT = 1e-6  # relative gap that counts as none: the tolerance of the LP solver


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """At most k groups, overlap allowed; every task is served by one of them.

    Args:
        groups: Task indices of each group, sorted; trained together.
        server: ``[T]`` index of the group that serves each task.
        objective: Mean over tasks of the score of the serving group; auxiliary tasks left out.
        bound: No grouping scores above this.
        exact: Whether ``objective`` is proven optimal, to a millionth.
        cost: What the groups cost in the unit of the budget, if they have a cost.
        rows: Row of each group in the table that it was chosen from, if it was.
    """

    groups: tuple[tuple[int, ...], ...]
    server: tuple[int, ...]
    objective: float
    bound: float
    exact: bool
    cost: float | None = None
    rows: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        sets: Sets,
        scores: Matrix,
        *,
        counts: Matrix | None = None,
        bound: float | None = None,
        cost: Matrix | None = None,
        rows: Numbers | None = None,
    ) -> Self:
        """Serve every task by its best group; groups that serve nobody are dropped.

        Args:
            sets: ``[k, T]`` that cover all tasks.
            scores: ``[k, T]``, -inf outside a group.
            counts: ``[T]`` 1 where a task counts in the objective, 0 where not; 1 unless given.
            bound: No choice scores above; proven optimal if not given.
            cost: ``[k]``.
            rows: ``[k]`` where the sets stand in their table.
        """
        counts = np.ones(sets.shape[1]) if counts is None else counts
        best = scores.argmax(axis=0)
        used = list(dict.fromkeys(best.tolist()))
        objective = float(scores.max(axis=0)[counts > 0].mean())
        bound = objective if bound is None else max(bound, objective)
        exact = bound - objective <= TIGHT * max(1.0, abs(objective))
        return cls(
            groups=tuple(tuple(np.flatnonzero(sets[g]).tolist()) for g in used),
            server=tuple(used.index(g) for g in best.tolist()),
            objective=objective,
            bound=bound,
            exact=exact,
            cost=None if cost is None else float(cost[used].sum()),
            rows=None if rows is None else tuple(rows[used].tolist()),
        )

    def renumbered(self, number: Numbers) -> Self:
        """The same with task t called ``number[t]``, and the groups sorted by their tasks."""
        groups = [tuple(sorted(number[list(group)].tolist())) for group in self.groups]
        rank = sorted(range(len(groups)), key=lambda g: groups[g])
        return replace(
            self,
            groups=tuple(groups[g] for g in rank),
            server=tuple(rank.index(self.server[t]) for t in np.argsort(number)),
            rows=None if self.rows is None else tuple(self.rows[g] for g in rank),
        )

    @property
    def gap(self) -> float:
        """How far the optimum may lie above ``objective``."""
        return self.bound - self.objective

    def group_of(self, task: int) -> tuple[int, ...]:
        """The group that serves a task."""
        return self.groups[self.server[task]]

    def serves(self, group: int) -> tuple[int, ...]:
        """The tasks that a group serves."""
        return tuple(task for task, server in enumerate(self.server) if server == group)
