"""A proven optimum for some tens of tasks: column generation on served blocks.

A column is a block S of tasks served by a group g ⊇ S, worth V = Σ_{a∈S} score(a, g). The master program
chooses at most k columns so that every task is in one block; its linear relaxation gives prices π for the
tasks and μ for a group, and a group worth more than μ at these prices is a new column: local search looks
for one, and where it finds none :mod:`cotrain.grouping.pricing` finds all. For any prices

    best sum of scores ≤ Σ_a π_a + k · max_g worth(g, π)                               (Lagrange).

Once no group is worth more than μ, that bound U is the value of the relaxation. If the best known sum is
L < U, groups worth less than μ − (U − L) cannot be part of anything better; few are worth more, and HiGHS
finds the best choice among them.

It is kept because local search alone is not good enough for 16 to 30 tasks. On three matrices of each kind
it lost up to 5.2 % of the optimum on noise and 2.9 % on low-rank matrices of 20 tasks, 4.1 % and 0.3 % of
30 tasks, nothing where groups were planted, and its bound left a gap of 28 to 139 %; at 20 tasks ten times
the restarts took four times as long as columns and still lost up to 0.8 %. Column generation proved all 18
optima, of 20 tasks in half a second, of 30 in up to 4 seconds, on noise in 20.
Letters: T tasks, k groups, J columns.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from cotrain.errors import InputError
from cotrain.grouping.constraints import Constraints
from cotrain.grouping.groups import Grouping
from cotrain.grouping.local import Search
from cotrain.grouping.local_state import Problem
from cotrain.grouping.milp import SECONDS, group_table
from cotrain.grouping.objective import Matrix
from cotrain.grouping.pricing import Pricing, worths
from cotrain.grouping.table import ScoreTable
from cotrain.measure.gains.sets import Sets

LEAST = 1e-7  # relative worth of a column that counts
NEW = 40  # columns at a time
MOST = 5_000  # groups from one search
SLACK = 0.05  # a search also finds what is worth a little less, in shares of the value: prices will move


def column_generation(
    affinity: Matrix,
    *,
    max_groups: int | None = None,
    alone: Matrix | None = None,
    constraints: Constraints | None = None,
    seconds: float = SECONDS,
) -> Grouping:
    """Local search, then columns that improve its groups and its bound. Up to 62 tasks.

    Arguments as for :func:`cotrain.grouping.group_tasks`; ``seconds`` is time for closing the gap.

    Raises:
        InputError: If no groups were found that keep the constraints.
    """
    search = Search.of(affinity, alone, constraints, max_groups)
    groups = search.groups()
    counted = float(search.limits.counts(len(affinity)).sum())
    columns = Columns(
        problem=search.problem,
        groups=groups[:, search.order],
        bound=search.relaxed(groups) * counted,
        seconds=seconds,
    )
    columns.run()
    return search.answer(columns.groups[:, np.argsort(search.order)], columns.bound / counted)


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
    _seen: Sets = field(init=False, repr=False)  # [M, T] groups that may become worth it
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        """Take the known groups and every unit alone as the first columns."""
        self._deadline = time.monotonic() + self.seconds
        self._blocks, self._seen = {}, self.groups
        scores = np.array([self.problem.scores(group) for group in self.groups])
        for g in np.unique(scores.argmax(axis=0)):
            self._add(self.groups[g], scores.argmax(axis=0) == g)
        for group in [*self.groups, *self._units()]:
            self._add(group, group)

    def run(self) -> None:
        """Improve groups and bound until the gap is closed or the time is up."""
        share = 1.0  # of the slack in which groups are collected for later
        while time.monotonic() < self._deadline:
            price, group_price, relaxed, active = self._relaxation()
            least = LEAST * max(1.0, abs(relaxed))
            better = group_price + least
            found = self._improving(price, active, better)
            if not found:
                self._choose()
                lost = relaxed - self._value(self.groups) + self.problem.most * least
                slack = share * max(lost, SLACK * abs(relaxed) / self.problem.most)
                search = self._priced(price, group_price - slack)
                self._seen = np.unique(np.concatenate([self._seen, search.groups]), axis=0)
                found = self._best(self._seen, price, better)
                if not found and search.complete:
                    if slack >= lost:
                        self._close(search)
                    return
                share = share if found else share / 4
            for group in found:
                self._add(group, self._served(group, price))

    @property
    def gap(self) -> float:
        """Relative gap between bound and the known groups."""
        value = self._value(self.groups)
        return (self.bound - value) / max(abs(value), LEAST)

    def _priced(self, price: Matrix, enough: float) -> Pricing:
        """All groups worth more than enough, unless they are too many; and the bound that follows."""
        search = Pricing(
            problem=self.problem, price=price, enough=enough, most=MOST, deadline=self._deadline
        )
        search.run()
        self.bound = min(self.bound, float(price.sum()) + self.problem.most * search.bound)
        return search

    def _close(self, search: Pricing) -> None:
        """The best choice among all groups that can be part of anything better than what is known."""
        if self.gap <= LEAST:
            return
        sets = np.concatenate([self.groups, search.groups])
        scores = self._useful(sets, search.price, search.enough)
        limits = self.problem.constraints
        with suppress(InputError):  # HiGHS found nothing in the time that is left
            table = ScoreTable.of(sets=sets, scores=scores)
            found = group_table(table, constraints=limits, seconds=self._left())
            self._take(sets[list(found.rows or ())])
            most = found.bound * float(limits.counts(sets.shape[1]).sum())
            self.bound = min(self.bound, max(most, self._value(self.groups)))

    def _useful(self, groups: Sets, price: Matrix, enough: float) -> Matrix:
        """``[M, T]`` scores, -inf where a group that serves this task is not worth enough."""
        scores = np.array([self.problem.scores(group) for group in groups])
        if self.problem.constraints.partition:
            return scores
        worth = worths(self.problem, groups, price)[:, None] + np.minimum(scores - price, 0.0)
        worth[: len(self.groups)] = np.inf  # the known groups stay a choice
        return np.where(worth > enough, scores, -np.inf)

    def _left(self) -> float:
        return max(0.1, self._deadline - time.monotonic())

    def _take(self, groups: Sets) -> None:
        """Know groups from now on if they are better."""
        if self._value(groups) > self._value(self.groups):
            self.groups = groups

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
        """Groups worth more than ``least``, from local search and from what was seen before."""
        climbed = np.array([self._climbed(group, price) for group in [*active, *self._units()]])
        return self._best(np.unique(np.concatenate([climbed, self._seen]), axis=0), price, least)

    def _best(self, groups: Sets, price: Matrix, least: float) -> list[Sets]:
        """The few that are worth most, all more than ``least``."""
        worth = worths(self.problem, groups, price)
        order = np.argsort(-worth, kind="stable")[:NEW]
        return [groups[i] for i in order if worth[i] > least]

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
        """Know the best groups that can be chosen among the columns so far."""
        worth = np.array([worth for worth, _, _ in self._blocks.values()])
        cover = np.array([block for _, block, _ in self._blocks.values()], dtype=np.float64).T
        solved = milp(
            -worth,
            integrality=np.ones(len(worth), dtype=np.int64),
            bounds=Bounds(0, 1),
            constraints=[
                LinearConstraint(cover, 1, 1),
                LinearConstraint(np.ones((1, len(worth))), 0, self.problem.most),
            ],
            options={"time_limit": self._left()},
        )
        if solved.x is not None:
            columns = zip(self._blocks.values(), solved.x, strict=True)
            self._take(np.array([group for (_, _, group), x in columns if x > 0.5]))

    def _value(self, groups: Sets) -> float:
        scores = np.array([self.problem.scores(group) for group in groups])
        return float(scores.max(axis=0).sum())
