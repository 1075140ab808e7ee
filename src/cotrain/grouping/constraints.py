"""What a user demands of the groups, beside a high score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cotrain.errors import InputError, nearest
from cotrain.grouping.objective import Matrix
from cotrain.measure.gains.sets import Numbers, Sets

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """Which choices of groups are allowed.

    Args:
        max_groups: At most so many groups.
        budget: The groups' costs may not add up to more. A set costs 1 unless its table says otherwise.
        max_size: A group has at most so many tasks.
        together: Pairs of task numbers: a group has both or neither.
        apart: Pairs that no group may have both of.
        auxiliary: Tasks that count nothing in the objective. They may help others, and some group still
            serves them.
        partition: Every task is in exactly one group. Otherwise groups may overlap.
        names: T names for error messages; task numbers without them.

    >>> Constraints.named(["a", "b", "c"], apart=[("a", "c")], max_groups=2).apart
    ((0, 2),)
    >>> Constraints(max_size=1, together=((0, 1),)).check(3)
    Traceback (most recent call last):
    ...
    cotrain.errors.InputError: max_size 1 is less than the 2 tasks that must be together: 0, 1
    """

    max_groups: int | None = None
    budget: float | None = None
    max_size: int | None = None
    together: Pairs = ()
    apart: Pairs = ()
    auxiliary: tuple[int, ...] = ()
    partition: bool = False
    names: tuple[str, ...] = ()

    @classmethod
    def named(
        cls,
        names: Sequence[str],
        *,
        together: Sequence[tuple[str, str]] = (),
        apart: Sequence[tuple[str, str]] = (),
        auxiliary: Sequence[str] = (),
        max_groups: int | None = None,
        budget: float | None = None,
        max_size: int | None = None,
        partition: bool = False,
    ) -> Self:
        """Constraints whose tasks are given by name; ``names`` are all T, in order."""

        def number(name: str) -> int:
            if name not in names:
                raise InputError(f"there is no task {name!r}: {nearest(name, names)}")
            return list(names).index(name)

        return cls(
            max_groups=max_groups,
            budget=budget,
            max_size=max_size,
            together=tuple((number(a), number(b)) for a, b in together),
            apart=tuple((number(a), number(b)) for a, b in apart),
            auxiliary=tuple(number(name) for name in auxiliary),
            partition=partition,
            names=tuple(names),
        )

    def check(self, tasks: int) -> None:
        """Refuse what contradicts itself.

        Raises:
            InputError: Naming the constraint and the task.
        """
        for name, least in (("max_groups", 1), ("max_size", 1), ("budget", 0)):
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise InputError(f"{name} must be at least {least}, found {value}")
        self._check_numbers(tasks)
        if len(set(self.auxiliary)) == tasks:
            raise InputError("every task is auxiliary: at least one has to count")
        self._check_classes(tasks)

    def _check_numbers(self, tasks: int) -> None:
        pairs = [t for kind in (self.together, self.apart) for pair in kind for t in pair]
        for task in [*pairs, *self.auxiliary]:
            if not 0 <= task < tasks:
                raise InputError(f"there is no task {task}: there are {tasks}, counted from 0")

    def _check_classes(self, tasks: int) -> None:
        label = self.classes(tasks)
        for a, b in self.apart:
            if label[a] == label[b]:
                raise InputError(
                    f"tasks {self.name(a)} and {self.name(b)} must be apart, but together holds them "
                    "in one group: drop one of the two"
                )
        for members in (np.flatnonzero(label == c).tolist() for c in np.unique(label)):
            if self.max_size is not None and len(members) > self.max_size:
                named = ", ".join(self.name(t) for t in members)
                raise InputError(
                    f"max_size {self.max_size} is less than the {len(members)} tasks that must be "
                    f"together: {named}"
                )

    def at_most(self, max_groups: int | None) -> Self:
        """The same with at most ``max_groups`` groups, or fewer if fewer were allowed already."""
        known = [k for k in (max_groups, self.max_groups) if k is not None]
        return replace(self, max_groups=min(known)) if known else self

    def most_groups(self, tasks: int) -> int:
        """How many groups there can be if each costs 1."""
        limits = [k for k in (self.max_groups, self.budget) if k is not None]
        most = int(min([*limits, tasks]) + 1e-9)
        if most < 1:
            raise InputError(f"budget {self.budget:g} buys no group: each costs 1")
        return most

    def permuted(self, order: Numbers) -> Self:
        """The same demands of tasks that were put in another order; ``order[i]`` comes i-th."""
        place = np.argsort(order).tolist()
        return replace(
            self,
            together=tuple((place[a], place[b]) for a, b in self.together),
            apart=tuple((place[a], place[b]) for a, b in self.apart),
            auxiliary=tuple(place[t] for t in self.auxiliary),
            names=tuple(self.names[t] for t in order) if self.names else (),
        )

    def name(self, task: int) -> str:
        """What a message calls a task: its name in quotes, or its number."""
        return repr(self.names[task]) if self.names else str(task)

    def classes(self, tasks: int) -> Numbers:
        """``[T]`` number of the class of tasks that only move together."""
        a, b = np.array(self.together, dtype=np.intp).reshape(-1, 2).T
        links = coo_array((np.ones(len(a)), (a, b)), shape=(tasks, tasks))
        return np.asarray(connected_components(links, directed=False)[1], dtype=np.intp)

    def counts(self, tasks: int) -> Matrix:
        """``[T]`` 1 for a task that counts, 0 for an auxiliary one."""
        return np.where(np.isin(np.arange(tasks), self.auxiliary), 0.0, 1.0)

    def allowed(self, sets: Sets) -> Sets:
        """``[M]`` which of ``[M, T]`` sets may be groups."""
        fine = sets.any(axis=1)
        if self.max_size is not None:
            fine &= sets.sum(axis=1) <= self.max_size
        for a, b in self.together:
            fine &= sets[:, a] == sets[:, b]
        for a, b in self.apart:
            fine &= ~(sets[:, a] & sets[:, b])
        return np.asarray(fine)

    def describe(self) -> list[str]:
        """The demands in words, one each."""
        found = [
            f"{name} {getattr(self, name):g}"
            for name in ("max_groups", "budget", "max_size")
            if getattr(self, name) is not None
        ]
        for kind in ("together", "apart"):
            pairs = getattr(self, kind)
            named = (f"{self.name(a)} and {self.name(b)}" for a, b in pairs[:3])
            found += (
                [f"{kind} {', '.join(named)}{', …' if len(pairs) > 3 else ''}"] if pairs else []
            )
        if self.auxiliary:
            found.append(f"auxiliary {', '.join(self.name(t) for t in self.auxiliary)}")
        return found + (["partition"] if self.partition else [])


def infeasible(constraints: Constraints, tasks: int) -> InputError:
    """The error for demands that no choice of groups meets together."""
    return InputError(
        f"no groups serve all {tasks} tasks under "
        f"{'; '.join(constraints.describe()) or 'these scores'}: loosen one of them"
    )
