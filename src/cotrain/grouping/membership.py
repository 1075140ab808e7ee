"""Which models are trained for the tasks, and how they share the predictions: groups, hard or soft.

A hard group is an indicator and serves its tasks alone. A soft cluster trains with a column of a
membership matrix, and a task's prediction is shared by its row. Letters: C models, T tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from cotrain.grouping.groups import Grouping

Row = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Membership:
    """The models that a decision asks for.

    Args:
        weights: ``[C][T]`` loss weights of each model.
        shares: ``[T][C]`` of each model in a task's prediction; every row sums to 1.

    >>> soft = Membership(weights=((1.0, 0.2), (0.0, 0.8)), shares=((1.0, 0.0), (0.2, 0.8)))
    >>> soft.groups, soft.server
    (((0, 1), (1,)), (0, 1))
    """

    weights: tuple[Row, ...]
    shares: tuple[Row, ...]

    @classmethod
    def hard(cls, grouping: Grouping) -> Self:
        """Every group trains its tasks alike and serves its own alone.

        >>> pair = Grouping(groups=((0, 1), (1,)), server=(0, 1), objective=0.0, bound=0.0, exact=True)
        >>> Membership.hard(pair).weights, Membership.hard(pair).shares
        (((1.0, 1.0), (0.0, 1.0)), ((1.0, 0.0), (0.0, 1.0)))
        """
        tasks, models = range(len(grouping.server)), range(len(grouping.groups))
        return cls(
            weights=tuple(tuple(float(t in group) for t in tasks) for group in grouping.groups),
            shares=tuple(tuple(float(c == server) for c in models) for server in grouping.server),
        )

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The tasks that each model trains on."""
        return tuple(tuple(t for t, w in enumerate(own) if w > 0) for own in self.weights)

    @property
    def server(self) -> tuple[int, ...]:
        """``[T]`` the model with the largest share in each task's prediction."""
        return tuple(row.index(max(row)) for row in self.shares)

    def group_of(self, task: int) -> tuple[int, ...]:
        """The tasks of the model that serves a task most."""
        return self.groups[self.server[task]]

    def serves(self, group: int) -> tuple[int, ...]:
        """The tasks that a model serves more than others do."""
        return tuple(task for task, server in enumerate(self.server) if server == group)

    def speakers(self, task: int) -> tuple[tuple[float, Row], ...]:
        """Share and loss weights of every model that predicts a task."""
        pairs = zip(self.shares[task], self.weights, strict=True)
        return tuple((share, weights) for share, weights in pairs if share > 0)
