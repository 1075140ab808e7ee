"""A proven gap for some tens of tasks: column generation on served blocks.

A column is a block S of tasks served by a group g ⊇ S, worth V = Σ_{a∈S} score(a, g). The master program
chooses at most k columns so that every task is in one block; its linear relaxation gives prices π for the
tasks and μ for a group, and a group worth more than μ at these prices is a new column. For any prices

    best sum of scores ≤ Σ_a π_a + k · max_g worth(g, π)                               (Lagrange),

with the exact maximum, or a bound on it, from :mod:`cotrain.grouping.pricing`. At the end the best choice
among the columns is found by HiGHS. Letters: T tasks, k groups, J columns.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from cotrain.grouping.pricing import Pricing, worths
from cotrain.grouping.score import Matrix, Sets
from cotrain.grouping.state import Problem

LEAST = 1e-7  # relative worth of a column that counts
TOLERANCES = (0.01, 0.001, 0.0)  # relative gaps to prove, as long as the time allows
NEW = 40  # columns a round
PATIENCE = 0.125  # share of the time after which a proven gap is good enough


@dataclass(kw_only=True)
class Columns:
    """The state of one column generation.

    Args:
        problem: Affinities and constraints.
        groups: ``[k, T]`` known groups that serve all tasks; replaced by better ones.
        bound: A known bound on the sum of scores; lowered.
        seconds: Time to spend.
    """

    problem: Problem
    groups: Sets
    bound: float
    seconds: float
    _blocks: dict[tuple[bytes, bytes], tuple[float, Sets, Sets]] = field(init=False, repr=False)
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the known groups."""
        self._deadline = time.monotonic() + self.seconds
        self._blocks = {}
        scores = np.array([self.problem.scores(group) for group in self.groups])
        for g in np.unique(scores.argmax(axis=0)):
            self._add(self.groups[g], scores.argmax(axis=0) == g)
        for group in [*self.groups, *self._units()]:
            self._add(group, group)

    def run(self) -> None:
        """Improve groups and bound until the gap is closed or the time is up."""
        started = time.monotonic()
        for tolerance in TOLERANCES:
            while not self._proved(tolerance) and time.monotonic() < self._deadline:
                pass
            if self.gap <= LEAST or time.monotonic() - started > PATIENCE * self.seconds:
                return

    @property
    def gap(self) -> float:
        """Relative gap between bound and the known groups."""
        value = self._value(self.groups)
        return (self.bound - value) / max(abs(value), LEAST)

    def _proved(self, tolerance: float) -> bool:
        """One round; whether nothing is left to do at this tolerance."""
        price, group_price, relaxed, active = self._relaxation()
        slack = LEAST * max(1.0, abs(relaxed))
        found = self._improving(price, active, group_price + slack)
        if found:
            for group in found:
                self._add(group, self._served(group, price))
            return False
        self._choose()
        allowed = tolerance * max(abs(relaxed), LEAST) / self.problem.most
        search = Pricing(
            problem=self.problem,
            price=price,
            enough=group_price + slack + allowed,
            deadline=self._deadline,
        )
        search.run()
        self.bound = min(self.bound, float(price.sum()) + self.problem.most * search.bound)
        for group in search.groups:
            self._add(group, self._served(group, price))
        return not search.groups

    def _served(self, group: Sets, price: Matrix) -> Sets:
        whole = self.problem.constraints.partition
        return group if whole else group & (self.problem.scores(group) > price)

    def _add(self, group: Sets, block: Sets) -> None:
        worth = float(self.problem.scores(group)[block].sum())
        self._blocks[group.tobytes(), block.tobytes()] = (worth, block, group)

    def _units(self) -> list[Sets]:
        return [self.problem.label == unit for unit in range(len(self.problem.size))]

    def _relaxation(self) -> tuple[Matrix, float, float, list[Sets]]:
        """Prices, the price of a group, the value, and the groups in use."""
        worth = np.array([worth for worth, _, _ in self._blocks.values()])
        cover = np.array([block for _, block, _ in self._blocks.values()], dtype=np.float64).T
        solved = linprog(
            -worth,
            A_ub=np.ones((1, len(worth))),
            b_ub=[self.problem.most],
            A_eq=cover,
            b_eq=np.ones(len(cover)),
            method="highs",
        )
        if solved.x is None:  # the known groups are a solution, so only numbers can be the cause
            raise RuntimeError(f"the linear program failed: {solved.message}")
        price, group_price = -solved.eqlin.marginals, -solved.ineqlin.marginals[0]
        used = [
            g for (_, _, g), x in zip(self._blocks.values(), solved.x, strict=True) if x > LEAST
        ]
        return price, float(group_price), float(worth @ solved.x), used

    def _improving(self, price: Matrix, active: list[Sets], least: float) -> list[Sets]:
        """Groups worth more than ``least``, from local search."""
        starts = [*active, *self._units()]
        found = np.array([self._climbed(group, price) for group in starts])
        found = np.unique(found, axis=0)
        worth = worths(self.problem, found, price)
        order = np.argsort(-worth, kind="stable")[:NEW]
        return [found[i] for i in order if worth[i] > least]

    def _climbed(self, group: Sets, price: Matrix) -> Sets:
        floor = np.full(len(price), -np.inf) if self.problem.constraints.partition else price
        group = group.copy()
        while True:
            gain = self.problem.flips(group, floor, price)
            unit = int(gain.argmax())
            if not gain[unit] > LEAST:
                return group
            group ^= self.problem.label == unit

    def _choose(self) -> None:
        """The best groups among the columns."""
        worth = np.array([worth for worth, _, _ in self._blocks.values()])
        cover = np.array([block for _, block, _ in self._blocks.values()], dtype=np.float64).T
        left = max(0.1, self._deadline - time.monotonic())
        solved = milp(
            -worth,
            integrality=np.ones(len(worth), dtype=np.int64),
            bounds=Bounds(0, 1),
            constraints=[
                LinearConstraint(cover, 1, 1),
                LinearConstraint(np.ones((1, len(worth))), 0, self.problem.most),
            ],
            options={"time_limit": left},
        )
        if solved.x is not None:
            columns = zip(self._blocks.values(), solved.x, strict=True)
            groups = np.array([group for (_, _, group), x in columns if x > 0.5])
            if self._value(groups) > self._value(self.groups):
                self.groups = groups

    def _value(self, groups: Sets) -> float:
        scores = np.array([self.problem.scores(group) for group in groups])
        return float(scores.max(axis=0).sum())
