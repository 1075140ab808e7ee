"""The most valuable group at given prices, by branch and bound: the hard step of column generation.

At prices π a group g is worth Σ_{a∈g} (score(a, g) − π_a)⁺ (without the plus in a partition). A node fixes
a size n, tasks inside and tasks outside; each task not outside is bounded by its best n − 1 partners
that are not outside, and the bound adds the best n tasks. Nodes of all sizes are expanded best first, many
at once, so that stopping early leaves a valid bound: the best open node. ``together`` and ``apart`` are
ignored here, which only raises the bound. Letters: B nodes, T ≤ 62 tasks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cotrain.grouping.score import Matrix, Numbers, Sets
from cotrain.grouping.state import Problem

BATCH = 2048
LEAST = 1e-9
KEPT = 10  # good groups of each batch

Masks = NDArray[np.int64]


@dataclass(kw_only=True)
class Pricing:
    """One search at fixed prices.

    Args:
        problem: Affinities and constraints.
        price: ``[T]`` π.
        enough: Worth that needs no improvement: groups below are not looked for.
        deadline: ``time.monotonic()`` at which to stop.
    """

    problem: Problem
    price: Matrix
    enough: float
    deadline: float
    groups: list[Sets] = field(
        default_factory=list
    )  # [T] each: worth more than all of earlier batches
    worth: float = field(init=False)
    bound: float = field(init=False)  # no group is worth more
    _order: Numbers = field(init=False, repr=False)  # [T, T-1] partners, best first
    _sorted: Matrix = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Sort every task's partners; no task is its own partner."""
        tasks = len(self.price)
        off = np.where(np.eye(tasks, dtype=bool), -np.inf, self.problem.affinity)
        self._order = np.argsort(-off, axis=1, kind="stable")[:, : tasks - 1]
        self._sorted = np.take_along_axis(off, self._order, axis=1)
        self.worth = self.enough

    def run(self) -> None:
        """Search until nothing is open or the time is up."""
        tasks, most = len(self.price), self.problem.constraints.max_size
        sizes = np.arange(1, min(tasks, most or tasks) + 1)
        inside, outside = np.zeros((2, len(sizes)), dtype=np.int64)
        limit = np.full(len(sizes), np.inf)
        while len(sizes) and time.monotonic() < self.deadline:
            now = np.argpartition(-limit, min(BATCH, len(limit)) - 1)[:BATCH]
            rest = np.ones(len(limit), dtype=bool)
            rest[now] = False
            new = self._expand(sizes[now], inside[now], outside[now])
            old = (sizes[rest], inside[rest], outside[rest], limit[rest])
            sizes, inside, outside, limit = (
                np.concatenate(pair) for pair in zip(old, new, strict=True)
            )
            keep = limit > self.worth + LEAST
            sizes, inside, outside, limit = sizes[keep], inside[keep], outside[keep], limit[keep]
        self.bound = float(max(self.worth, limit.max(initial=-np.inf)))

    def _expand(
        self, sizes: Numbers, inside: Masks, outside: Masks
    ) -> tuple[Numbers, Masks, Masks, Matrix]:
        """The children of B nodes with their bounds: the most promising undecided task in, or out."""
        tasks = len(self.price)
        bits = 1 << np.arange(tasks, dtype=np.int64)
        within, out = ((mask[:, None] & bits) != 0 for mask in (inside, outside))
        free = ~(within | out)
        each, limit = self._bounds(sizes, within, free)
        missing = sizes - within.sum(axis=1)
        open_ = (limit > self.worth + LEAST) & (free.sum(axis=1) >= missing)
        order = np.argsort(np.where(free, -each, np.inf)[open_], axis=1, kind="stable")
        sizes, inside, outside, missing = (
            sizes[open_],
            inside[open_],
            outside[open_],
            missing[open_],
        )
        self._try(within[open_] | _first(order, missing))
        next_bit, open_limit = bits[order[:, 0]], limit[open_]
        more = missing > 1
        return (
            np.concatenate([sizes, sizes[more]]),
            np.concatenate([inside, (inside | next_bit)[more]]),
            np.concatenate([outside | next_bit, outside[more]]),
            np.concatenate([open_limit, open_limit[more]]),
        )

    def _bounds(self, sizes: Numbers, within: Sets, free: Sets) -> tuple[Matrix, Matrix]:
        """``[B, T]`` the most each task can add, and ``[B]`` the most a completion is worth."""
        affinity, count = self.problem.affinity, sizes[:, None]
        room = count - 1 - (within.sum(axis=1)[:, None] - within)
        partner = free[:, self._order]
        picked = partner & (partner.cumsum(axis=2, dtype=np.int8) <= room[:, :, None])
        total = within @ affinity.T + np.einsum("btj,tj->bt", picked, self._sorted)
        score = np.where(count == 1, self.problem.alone, total / np.maximum(count - 1, 1))
        each = score - self.price
        if not self.problem.constraints.partition:
            each = np.maximum(each, 0.0)
        best = -np.sort(np.where(free, -each, np.inf), axis=1)
        best = np.where(np.isinf(best), 0.0, best).cumsum(axis=1)
        missing = sizes - within.sum(axis=1)
        return each, (each * within).sum(axis=1) + best[np.arange(len(sizes)), missing - 1]

    def _try(self, groups: Sets) -> None:
        """Keep the best of ``[B, T]`` groups that are allowed and better than what was found."""
        groups = groups[self.problem.constraints.allowed(groups)]
        worth = worths(self.problem, groups, self.price)
        for at in np.argsort(worth, kind="stable")[-KEPT:]:
            if worth[at] > self.worth + LEAST:
                self.groups.append(groups[at])
        self.worth = float(max(self.worth, worth.max(initial=-np.inf)))


def worths(problem: Problem, groups: Sets, price: Matrix) -> Matrix:
    """``[M]`` what groups ``[M, T]`` are worth at these prices."""
    count = groups.sum(axis=1, keepdims=True)
    score = groups @ problem.affinity.T / np.maximum(count - 1, 1)
    gain = np.where(count == 1, problem.alone, score) - price
    if not problem.constraints.partition:
        gain = np.maximum(gain, 0.0)
    return np.asarray(np.where(groups, gain, 0.0).sum(axis=1))


def _first(order: Numbers, missing: Numbers) -> Sets:
    """``[B, T]`` the first few tasks of each order."""
    chosen = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(chosen, order, np.arange(order.shape[1]) < missing[:, None], axis=1)
    return chosen
