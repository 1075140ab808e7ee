"""Groups under construction: what each flip of one task's membership does to the objective, all at once.

Tasks that must stay together flip together: a unit is such a class of tasks, most often one task.
Letters: T tasks, k groups, U units, n members.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cotrain.grouping.constraints import Constraints
from cotrain.grouping.objective import Matrix
from cotrain.measure.gains.sets import Numbers, Sets


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The published objective with its constraints, ready to be searched.

    Args:
        affinity: ``[T, T]``, zero diagonal, no NaN; rows of auxiliary tasks are 0.
        alone: ``[T]``, finite.
        constraints: What the groups must keep.
        most: k.
    """

    affinity: Matrix
    alone: Matrix
    constraints: Constraints
    most: int
    label: Numbers = field(init=False)  # [T] unit of each task
    size: Numbers = field(init=False)  # [U]
    from_unit: Matrix = field(init=False)  # [U, T] what a unit gives to each task
    clash: Sets = field(init=False)  # [T, U] whom a task keeps out

    def __post_init__(self) -> None:
        """Join tasks that must stay together into units, and see who keeps out whom."""
        tasks = len(self.affinity)
        label = self.constraints.classes(tasks)
        units = np.equal.outer(np.arange(label.max() + 1), label)
        clash = np.zeros((tasks, len(units)), dtype=bool)
        for a, b in self.constraints.apart:
            clash[a, label[b]] = clash[b, label[a]] = True
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "size", units.sum(axis=1))
        object.__setattr__(self, "from_unit", np.ascontiguousarray(units @ self.affinity.T))
        object.__setattr__(self, "clash", clash)

    def may_join(self, group: Sets) -> Sets:
        """``[U]`` the units that a group ``[T]`` can still take."""
        fine = ~self.clash[group].any(axis=0)
        if self.constraints.max_size is not None:
            fine &= group.sum() + self.size <= self.constraints.max_size
        return np.asarray(fine)

    def scores(self, group: Sets) -> Matrix:
        """``[T]`` score of each task in a group ``[T]``, -inf outside."""
        count = int(group.sum())
        inside = self.alone if count == 1 else self.affinity @ group / max(count - 1, 1)
        return np.where(group, inside, -np.inf)

    def flips(self, group: Sets, floor: Matrix, unserved: Matrix) -> Matrix:
        """``[U]`` change of the sum of scores if a unit leaves or joins a group; -inf where it may not.

        Args:
            group: ``[T]``.
            floor: ``[T]`` what each task is served by other groups; -inf if it is not.
            unserved: ``[T]`` what a task is worth outside this group.
        """
        now = self.scores(group)
        inside = group[np.unique(self.label, return_index=True)[1]]
        sign = np.where(inside, -1, 1)
        count = group.sum() + sign * self.size
        members = np.flatnonzero(group)
        total = self.affinity[members] @ group
        change = total + sign[:, None] * self.from_unit[:, members]
        after = change / np.maximum(count - 1, 1)[:, None]
        after[count == 1] = self.alone[members]
        gain = np.maximum(after, floor[members]) - np.maximum(now, floor)[members]
        gain[self.label[members], np.arange(len(members))] = 0.0  # its own change is counted apart
        own = self._own(group, floor, unserved, now, inside)
        return np.asarray(own + gain.sum(axis=1))

    def _own(
        self, group: Sets, floor: Matrix, unserved: Matrix, now: Matrix, inside: Sets
    ) -> Matrix:
        """``[U]`` what the flipped tasks themselves gain."""
        tasks = np.arange(len(group))
        count = (group.sum() + self.size)[self.label]
        joined = self.affinity @ group + self.from_unit[self.label, tasks]
        joined = np.where(count == 1, self.alone, joined / np.maximum(count - 1, 1))
        change = np.where(
            group, unserved - np.maximum(now, floor), np.maximum(joined, floor) - unserved
        )
        gain = np.bincount(self.label, weights=change, minlength=len(self.size))
        return np.where(inside | self.may_join(group), gain, -np.inf)
