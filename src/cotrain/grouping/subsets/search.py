"""Train some task sets, learn from them which sets are worth it, and choose the groups.

A search asks for sets to train and is told what their members gained (ask/tell);
:func:`~cotrain.grouping.subsets.sampling.sample_gains` drives an objective with it. The plan maximises the
predicted mean gain of the tasks in the groups that serve them. Predictions are posterior means, which
shrink lucky measurements, so the plan may use sets that were never trained and is not taken in by the best
of many noisy ones.
Letters: N told sets, M candidates, T tasks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cotrain.errors import InputError
from cotrain.grouping.groups import Grouping
from cotrain.grouping.objective import own_order
from cotrain.grouping.subsets.view import View
from cotrain.measure.gains import sets as pool
from cotrain.measure.gains.gains import Gains, Table
from cotrain.measure.gains.sets import Sets
from cotrain.measure.gains.surrogate import Surrogate
from cotrain.measure.gains.threads import one_thread


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
    >>> asked = search.ask(7)  # a and b help each other, c and they hurt each other
    >>> company = asked.sum(axis=1, keepdims=True) > 1
    >>> search.tell(asked, np.where(asked[:, [2]] | ~asked, -1.0, 1.0) * company)
    >>> search.plan().groups
    ((0, 1), (2,))
    """

    tasks: tuple[str, ...]
    max_groups: int
    seed: int = 0
    candidates: Sets | None = None
    gains: Gains = field(init=False)
    _waiting: Sets = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a search without tasks or groups; begin with nothing told."""
        if self.max_groups < 1 or not self.tasks:
            raise InputError("a search needs at least one task and one group")
        if self.candidates is not None and not self.candidates.any(axis=1).all():
            raise InputError("every candidate needs a task")
        self.gains = Gains.empty(self.tasks)
        self._waiting = self.gains.sets

    @one_thread()
    def ask(self, count: int) -> Sets:
        """``[n, T]`` distinct sets, never asked for nor told before; n < ``count`` if few are left."""
        view = self._view()
        asked = view.untouched(pool.fixed_sets(len(self.tasks)))[:count]
        for choose in (view.far_apart, view.valuable):
            if len(asked) < count:
                asked = np.concatenate([asked, choose(asked, count - len(asked))])
        asked = view.turned_back(asked)
        self._waiting = np.concatenate([self._waiting, asked])
        return asked

    def tell(self, sets: Sets, gain: Table, standard_error: Table | None = None) -> None:
        """Add measured sets, asked for or not.

        Args:
            sets: ``[n, T]`` bool.
            gain: ``[n, T]``, ignored outside the sets; NaN where not defined.
            standard_error: ``[n, T]``, NaN where not known.

        Raises:
            InputError: If a gain is infinite or a task alone does not gain 0.
        """
        self.gains = self.gains.extended(sets, gain, standard_error)
        self._waiting = self._waiting[~pool.among(self._waiting, self.gains.sets)]

    @one_thread()
    def plan(self) -> Grouping:
        """The best groups, given what was told.

        ``objective`` is the predicted mean gain; no plan is predicted to reach more than ``bound``. Exact
        for up to ten tasks. Beyond, a plan from a pool of sets is improved task by task.
        """
        view = self._view()
        return view.plan(Surrogate.fit(view.gains))

    def _view(self) -> View:
        company = self.gains.gain[self.gains.sets.sum(axis=1) > 1]
        order = own_order(np.nan_to_num(company, nan=-np.inf))
        return View(
            order=order,
            gains=replace(
                self.gains,
                tasks=tuple(self.tasks[t] for t in order),
                sets=self.gains.sets[:, order],
                gain=self.gains.gain[:, order],
                standard_error=self.gains.standard_error[:, order],
            ),
            waiting=self._waiting[:, order],
            candidates=None if self.candidates is None else self.candidates[:, order],
            max_groups=self.max_groups,
            seed=self.seed,
        )


def best_groups(gains: Gains, *, max_groups: int, seed: int = 0) -> Grouping:
    """The groups that measured gains speak for: :meth:`SubsetSearch.plan`."""
    search = SubsetSearch(tasks=gains.tasks, max_groups=max_groups, seed=seed)
    search.tell(gains.sets, gains.gain, gains.standard_error)
    return search.plan()
