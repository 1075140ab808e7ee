"""Train some task sets, learn from them which sets are worth it, and choose the groups.

A search asks for sets to train and is told what their members gained (ask/tell); :func:`sample_gains` drives
an objective with it. The plan maximises the predicted mean gain of the tasks in the groups that serve
them. Predictions are posterior means, which shrink lucky measurements, so the plan may use sets that were
never trained and is not taken in by the best of many noisy ones.
Letters: N told sets, M candidates, T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cotrain.errors import InputError
from cotrain.grouping.grouping import Grouping
from cotrain.measure import pool
from cotrain.measure.covers import MOST_EXACT, Cover, best_cover, refined
from cotrain.measure.gains import Gains, Sets, Table
from cotrain.measure.proposals import by_promise, propose
from cotrain.measure.surrogate import Surrogate
from cotrain.objective import Objective


@dataclass(kw_only=True)
class SubsetSearch:
    """Proposes sets of tasks to train together, and groups from what they gained.

    It asks first for the singles (they define the zero of the gains) and the set of all tasks, then for a
    few sets that are far apart, then for those that are worth most to the plan.

    What it answers depends on the seed and on what it was told and asked, in that order: a search that is
    told the same again goes on as if it had never stopped. Random choices follow the tasks' gains, not
    their order.

    Args:
        tasks: T names.
        max_groups: k ≥ 1, groups of the plan.
        seed: Of random choices.
        candidates: ``[M, T]`` bool, the only sets besides singles and all tasks that may be asked for or be
            in the plan (told ones may, too); any set if None.
        gains: What it was told.

    >>> search = SubsetSearch(tasks=("a", "b", "c"), max_groups=2)
    >>> asked = search.ask(7)  # a and b help each other, c hurts both
    >>> search.tell(asked, asked[:, [1, 0, 0]] * [1, 1, 0] - 2.0 * asked[:, 2:] * [1, 1, 0])
    >>> search.plan().groups
    ((0, 1), (2,))
    """

    tasks: tuple[str, ...]
    max_groups: int
    seed: int = 0
    candidates: Sets | None = None
    gains: Gains = field(init=False)
    _asked: Sets = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start with nothing told."""
        if self.max_groups < 1 or not self.tasks:
            raise InputError("a search needs at least one task and one group")
        if self.candidates is not None and not self.candidates.any(axis=1).all():
            raise InputError("every candidate needs a task")
        self.gains = Gains.empty(self.tasks)
        self._asked = self.gains.sets

    def ask(self, count: int) -> Sets:
        """``[n, T]`` distinct sets that were neither asked for nor told; fewer than asked if none is left."""
        fixed = self._new(pool.fixed_sets(len(self.tasks)))[:count]
        order = self._order()
        more = self._turned(fixed, order)
        for choose in (self._far_apart, self._valuable):
            more = np.concatenate([more, choose(count - len(more), order, more)])
        asked = np.empty_like(more)
        asked[:, order] = more
        self._asked = np.concatenate([self._asked, asked])
        return asked

    def tell(self, sets: Sets, gain: Table, standard_error: Table | None = None) -> None:
        """Add measured sets, asked for or not.

        Args:
            sets: ``[n, T]`` bool.
            gain: ``[n, T]``, ignored outside the sets; NaN where not defined.
            standard_error: ``[n, T]``, NaN where not known.

        Raises:
            InputError: If a gain is infinite or a single does not gain 0.
        """
        self.gains = self.gains.extended(sets, gain, standard_error)
        told = pool.among(self._asked, self.gains.sets)
        self._asked = self._asked[~told]

    def plan(self) -> Grouping:
        """The best groups, given what was told.

        ``objective`` is the predicted mean gain; no plan's prediction exceeds ``bound``. It is exact for
        up to ten tasks. Beyond, a plan from a pool of sets is improved task by task.
        """
        order = self._order()
        surrogate = Surrogate.fit(_reordered(self.gains, order))
        sets = self._pool(order, np.random.default_rng([self.seed, len(self.gains.sets)]))
        mean = surrogate.mean(sets)
        cover = best_cover(sets, mean, self.max_groups)
        bound = np.nanmax(mean, axis=0)
        if not cover.exact and self.candidates is None:
            cover = refined(cover, surrogate.mean, self.max_groups)
            bound = surrogate.bound()
        groups = np.empty_like(cover.groups)
        groups[:, order] = cover.groups
        server = np.empty_like(cover.server)
        server[order] = cover.server
        in_order = replace(cover, groups=groups, server=server)
        return in_order.grouping(cover.value if cover.exact else float(bound.mean()))
