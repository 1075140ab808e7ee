"""Every group worth more than a threshold at given prices: the hard step of column generation.

At prices π a group x is worth Σ_{a∈x} (score(a, x) − π_a)⁺ (without the plus in a partition). With two
members or more, and Y[a, b] = Z[a, b] − π_a off the diagonal, it is worth more than θ if and only if

    G(x) = Σ_{a∈x} (Σ_{b∈x} Y[a, b])⁺ − θ (|x| − 1) > 0:

the score's quotient is gone. Branch and bound decides one unit of tasks after the other. Where the members
so far give R_a to a, and b runs over the undecided tasks, rows are bounded by what each b adds by itself:

    (R_a + Σ_b Y[a, b] x_b)⁺ ≤ (R_a + Σ_b Y⁺[a, b] / 2)⁺ + Σ_b x_b Y⁺[a, b] / 2      if a may stay unserved,
                             ≤ max(R_a, −Σ_b Y⁻[a, b]) + Σ_b x_b Y[a, b]              if a is surely served,

so an undecided task joins if it adds more than θ. Letters: B nodes, T tasks, M groups.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from cotrain.grouping.local_state import Problem
from cotrain.grouping.objective import Matrix
from cotrain.measure.gains.sets import Numbers, Sets

BATCH = 4096  # nodes at once: what fits a cache


@dataclass(kw_only=True)
class Pricing:
    """One search at fixed prices.

    Args:
        problem: Affinities and constraints.
        price: ``[T]`` π.
        enough: θ. Groups worth less are not looked for.
        most: How many groups end the search early.
        deadline: ``time.monotonic()`` at which to stop.
    """

    problem: Problem
    price: Matrix
    enough: float
    most: int
    deadline: float
    groups: Sets = field(init=False)  # [M, T] worth more than θ
    bound: float = field(init=False)  # no group is worth more, or θ
    complete: bool = field(init=False, default=False)  # whether these are all such groups
    _order: Numbers = field(init=False, repr=False)  # [T] a unit's tasks side by side
    _gain: Matrix = field(init=False, repr=False)  # [T, T] Y, in that order
    _clash: Sets = field(init=False, repr=False)  # [T, T] pairs kept apart, in that order

    def __post_init__(self) -> None:
        """Decide the units that can give and get most first."""
        gain = self.problem.affinity - self.price[:, None]
        np.fill_diagonal(gain, 0.0)
        help_ = np.maximum(gain, 0.0)
        label, size = self.problem.label, self.problem.size
        strength = np.bincount(label, weights=help_.sum(axis=0) + help_.sum(axis=1)) / size
        self._order = np.lexsort((label, -strength[label]))
        self._gain = gain[np.ix_(self._order, self._order)]
        self._clash = self.problem.clash[np.ix_(self._order, label[self._order])]
        alone = np.eye(len(gain), dtype=bool)
        self.groups = self._worthy(alone[self.problem.constraints.allowed(alone)])

    def run(self) -> None:
        """Search until nothing is open, the time is up, or there are groups enough."""
        tasks = len(self.price)
        nobody = np.zeros((1, tasks), dtype=bool)
        open_ = [(0, nobody, np.zeros((1, tasks)), np.full(1, np.inf))]
        place = np.argsort(self._order)
        while open_ and len(self.groups) < self.most and time.monotonic() < self.deadline:
            start, within, given, _ = open_.pop()
            if start == tasks:
                found = self._worthy(within[:, place])
                self.groups = np.concatenate([self.groups, found[found.sum(axis=1) > 1]])
                continue
            end = self._end(start)
            within, given, limit = self._bounded(end, *self._children(start, end, within, given))
            pieces = [slice(at, at + BATCH) for at in range(0, len(limit), BATCH)]
            open_ += [(end, within[piece], given[piece], limit[piece]) for piece in pieces]
        self.complete = not open_
        known = worths(self.problem, self.groups, self.price).max(initial=self.enough)
        possible = [self.enough + limit.max() for *_, limit in open_]
        self.bound = float(max([known, *possible]))

    def _worthy(self, groups: Sets) -> Sets:
        return groups[worths(self.problem, groups, self.price) > self.enough]

    def _end(self, start: int) -> int:
        """Where the unit ends that starts here."""
        return start + int(self.problem.size[self.problem.label[self._order[start]]])

    def _children(self, start: int, end: int, within: Sets, given: Matrix) -> tuple[Sets, Matrix]:
        """B nodes without the next unit, then with it where it may join; and what each task gets."""
        fits = ~(within & self._clash[:, start:end].any(axis=1)).any(axis=1)
        limit = self.problem.constraints.max_size
        if limit is not None:
            fits &= within.sum(axis=1) + end - start <= limit
        joined = within[fits]
        joined[:, start:end] = True
        more = given[fits] + self._gain[:, start:end].sum(axis=1)
        return np.concatenate([within, joined]), np.concatenate([given, more])

    def _bounded(self, end: int, within: Sets, given: Matrix) -> tuple[Sets, Matrix, Matrix]:
        """The nodes whose bound on G is positive, with the bound; tasks from ``end`` on are undecided."""
        open_gain = self._gain[:, end:]
        half = np.maximum(open_gain, 0.0) / 2
        hope, fear = half.sum(axis=1), np.minimum(open_gain, 0.0).sum(axis=1)
        partition = self.problem.constraints.partition
        sure = within if partition else within & (given > -fear / 2)
        steady = given if partition else np.maximum(given, -fear)
        rows = np.where(sure, steady, within * np.maximum(given + hope, 0.0)).sum(axis=1)
        own = given[:, end:] + hope[end:]
        own = own if partition else np.maximum(own, 0.0)
        columns = within @ half + sure @ (open_gain - half) + half[end:].sum(axis=0)
        joining = np.maximum(own + columns - self.enough, 0.0).sum(axis=1)
        limit = rows + joining - self.enough * (within.sum(axis=1) - 1)
        keep = limit > 0
        return within[keep], given[keep], limit[keep]


def worths(problem: Problem, groups: Sets, price: Matrix) -> Matrix:
    """``[M]`` what groups ``[M, T]`` are worth at these prices."""
    count = groups.sum(axis=1, keepdims=True)
    score = groups @ problem.affinity.T / np.maximum(count - 1, 1)
    gain = np.where(count == 1, problem.alone, score) - price
    if not problem.constraints.partition:
        gain = np.maximum(gain, 0.0)
    return np.asarray(np.where(groups, gain, 0.0).sum(axis=1))
