"""What a search sees at one moment, with the tasks in an order of their own.

Random choices are made in this order, which follows from the gains: whoever lists the tasks in another
order gets the same answers. Before any set of two tasks is told, it is the order in which they were named.
Letters: N told sets, M candidates, T tasks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cotrain.grouping.groups import Grouping
from cotrain.grouping.subsets.covers import best_rows, is_exact, refined, scores_of
from cotrain.grouping.subsets.proposals import by_promise, propose
from cotrain.measure.gains import sets as pool
from cotrain.measure.gains.gains import Gains, Table
from cotrain.measure.gains.sets import Numbers, Sets
from cotrain.measure.gains.surrogate import Surrogate

MOST_DRAWN = 512  # candidates that the surrogate is drawn at


@dataclass(frozen=True, kw_only=True)
class View:
    """A search's state, tasks reordered.

    Args:
        order: ``[T]`` the user's position of each task here.
        gains: What was told.
        waiting: ``[n, T]`` asked for and not yet told.
        candidates: ``[M, T]`` or None, see the search; likewise the rest.
        max_groups: k.
        seed: Of random choices.
    """

    order: Numbers
    gains: Gains
    waiting: Sets
    candidates: Sets | None
    max_groups: int
    seed: int

    @property
    def place(self) -> Numbers:
        """``[T]`` where each of the user's tasks is here."""
        return np.argsort(self.order)

    def turned_back(self, sets: Sets) -> Sets:
        """Sets with the tasks in the user's order."""
        return sets[:, self.place]

    def untouched(self, sets: Sets, *more: Sets) -> Sets:
        """Those neither told, nor waiting, nor among some more."""
        return sets[~pool.among(sets, np.concatenate([self.gains.sets, self.waiting, *more]))]

    def far_apart(self, chosen: Sets, count: int) -> Sets:
        """Until log₂ T such sets are there, so that halving could tell all tasks apart: distant sets."""
        tasks = len(self.order)
        seen = np.concatenate([self.gains.sets, self.waiting, chosen])
        fixed = pool.fixed_sets(tasks)
        missing = int(np.ceil(np.log2(tasks))) - len(seen[~pool.among(seen, fixed)])
        rng = self._rng()
        sets = pool.random_sets(tasks, MOST_DRAWN, rng)
        if self.candidates is not None:
            sets = self.candidates[rng.permutation(len(self.candidates))[:MOST_DRAWN]]
        sets = self.untouched(sets, chosen)
        return pool.spread_out(sets, np.concatenate([fixed, seen]), min(count, max(missing, 0)))

    def valuable(self, chosen: Sets, count: int) -> Sets:
        """The sets that are worth most to the plan."""
        surrogate = Surrogate.fit(self.gains)
        sets = self._drawn(surrogate, self._pool(surrogate))
        rows = propose(
            surrogate,
            sets,
            open_rows=np.flatnonzero(pool.among(sets, self.untouched(sets, chosen))).tolist(),
            waiting=np.flatnonzero(
                pool.among(sets, np.concatenate([self.waiting, chosen]))
            ).tolist(),
            max_groups=self.max_groups,
            count=count,
            rng=self._rng(),
        )
        return sets[rows]

    def plan(self, surrogate: Surrogate) -> Grouping:
        """The best groups with the tasks in the user's order, and a bound on what any are worth."""
        groups, scores, bound = self._best(surrogate)
        found = Grouping.of(groups, scores, bound=bound).renumbered(self.order)
        return replace(found, exact=bound is None)

    def _best(self, surrogate: Surrogate) -> tuple[Sets, Table, float | None]:
        """``[k, T]`` groups of the largest predicted gains, these gains, their bound if not proven best."""
        sets = self._known_sets()
        scores = scores_of(surrogate.mean(sets))
        rows = best_rows(sets, scores, self.max_groups)
        chosen = sets[rows], scores[rows]
        if is_exact(sets):
            return *chosen, None
        if self.candidates is not None:
            return *chosen, float(scores.max(axis=0).mean())
        chosen = refined(chosen, surrogate.mean, self.max_groups)
        return *chosen, float(surrogate.bound().mean())

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, len(self.gains.sets), len(self.waiting)])

    def _known_sets(self) -> Sets:
        """``[M, T]`` singles, all tasks, told and waiting ones, candidates (a random pool if None)."""
        tasks = len(self.order)
        known = np.concatenate([pool.fixed_sets(tasks), self.gains.sets, self.waiting])
        more = self.candidates
        if more is None and 2**tasks - 1 <= pool.MOST_SETS:
            more = pool.every_set(tasks)
        if more is None:
            more = pool.random_sets(tasks, pool.MOST_SETS, np.random.default_rng(self.seed))
        return pool.distinct(np.concatenate([known, more]))

    def _pool(self, surrogate: Surrogate) -> Sets:
        """The same, with the neighbours of the present plan's groups if the pool is not all sets."""
        sets = self._known_sets()
        if self.candidates is not None or 2 ** len(self.order) - 1 <= pool.MOST_SETS:
            return sets
        groups, *_ = self._best(surrogate)
        return pool.distinct(np.concatenate([sets, groups, pool.neighbours(groups)]))

    def _drawn(self, surrogate: Surrogate, sets: Sets) -> Sets:
        """Not more than the surrogate can be drawn at: the most promising, singles, all tasks, waiting."""
        if len(sets) <= MOST_DRAWN:
            return sets
        needed = np.concatenate([pool.fixed_sets(len(self.order)), self.waiting])
        best = by_promise(surrogate, sets, self.max_groups)[:MOST_DRAWN]
        return pool.distinct(np.concatenate([needed, sets[best]]))
