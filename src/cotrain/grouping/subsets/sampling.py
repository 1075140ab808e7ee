"""Train the task sets that a search asks for; what was trained anyway need not be trained again.

Letters: S seeds, n sets, T tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cotrain.engine.objective import Objective
from cotrain.errors import InputError
from cotrain.grouping.subsets.search import SubsetSearch
from cotrain.measure.gains.gains import Gains, Table
from cotrain.measure.gains.sets import Sets, among, fixed_sets


@dataclass(frozen=True, kw_only=True)
class TrainedSets:
    """Scores of task sets that were trained before, each with every seed.

    Args:
        sets: ``[n, T]`` bool, distinct.
        scores: ``[S, n, T]`` score of every task in every set, higher is better; ignored outside the set,
            NaN where not defined.

    Raises:
        InputError: If the shapes do not fit together, or a set is empty or there twice.
    """

    sets: Sets
    scores: Table

    def __post_init__(self) -> None:
        """Refuse scores that belong to no set or to two."""
        shape = self.scores.shape
        if self.sets.ndim != 2 or self.sets.dtype != np.bool_ or shape[1:] != self.sets.shape:
            found = f"{self.sets.dtype} {list(self.sets.shape)} and {list(shape)}"
            raise InputError(f"bool sets [n, T] need scores [S, n, T], found {found}")
        if not self.sets.any(axis=1).all() or len(np.unique(self.sets, axis=0)) < len(self.sets):
            raise InputError("trained sets need a task each, and must be distinct")

    def extended(self, sets: Sets, scores: Table) -> TrainedSets:
        """With more sets below."""
        return TrainedSets(
            sets=np.concatenate([self.sets, sets]),
            scores=np.concatenate([self.scores, scores], axis=1),
        )

    def first(self, sets: Sets) -> TrainedSets:
        """Some of the sets before all others, in their order."""
        place = {one.tobytes(): at for at, one in enumerate(self.sets)}
        front = [place[one.tobytes()] for one in sets]
        rows = [*front, *sorted(set(place.values()) - set(front))]
        return TrainedSets(sets=self.sets[rows], scores=self.scores[:, rows])


def sample_gains(
    objective: Objective,
    tasks: Sequence[str],
    *,
    trainings: int,
    max_groups: int,
    batch: int = 5,
    seeds: Sequence[int] = (0,),
    known: TrainedSets | None = None,
    watch: Callable[[Gains], None] | None = None,
) -> Gains:
    """Train sets that a :class:`~cotrain.grouping.subsets.search.SubsetSearch` asks for.

    A gain is the score in the set minus the score alone with the same seed, averaged over the seeds;
    two seeds or more give standard errors of these differences.

    Args:
        objective: Trains and scores.
        tasks: T names.
        trainings: At most this many members are trained, one a set and seed; enough for the singles and the
            set of all tasks, as far as they are not known.
        max_groups: k of the plan that the sets are chosen for.
        batch: Sets trained at once, after the singles and the set of all tasks.
        seeds: Every set is trained with each.
        known: What the objective would score, trained before with these seeds in this order: it is not
            trained again, and not counted. It may hold any sets; all become part of the gains.
        watch: Called with all gains after every batch.

    Raises:
        InputError: If there are too few trainings, a score is infinite, or what is known is of other
            tasks or another number of seeds.

    >>> def fake(weights, seeds):  # every helper brings a tenth
    ...     return np.where(weights > 0, 0.1 * (weights.sum(axis=1, keepdims=True) - 1), np.nan)
    >>> print(sample_gains(fake, ["a", "b"], trainings=3, max_groups=1))
    3 sets of 2 tasks trained
      a: best +0.1 with b
      b: best +0.1 with a
    >>> alone = TrainedSets(sets=np.eye(2, dtype=bool), scores=np.zeros((1, 2, 2)))
    >>> len(sample_gains(fake, ["a", "b"], trainings=1, max_groups=1, known=alone).sets)
    3
    """
    search = SubsetSearch(tasks=tuple(tasks), max_groups=max_groups)
    known = _none(len(tasks), len(seeds)) if known is None else known
    _refuse_others(known, len(tasks), len(seeds))
    fixed, left = fixed_sets(len(tasks)), trainings // len(seeds)
    missing = fixed[~among(fixed, known.sets)]
    if left < len(missing):
        least = len(missing) * len(seeds)
        raise InputError(f"{len(tasks)} tasks need at least {least} trainings, found {trainings}")
    left -= len(missing)
    if len(missing):
        known = known.extended(missing, _scores(objective, missing, seeds))
    known = known.first(fixed)
    sets, scores = known.sets, known.scores
    alone = scores[:, range(len(tasks)), range(len(tasks))]
    while len(sets):
        _refuse_infinite(np.where(sets, scores, np.nan), search.tasks)
        search.tell(sets, *_paired(scores - alone[:, None]))
        if watch is not None:
            watch(search.gains)
        sets = search.ask(min(batch, left))
        left -= len(sets)
        scores = _scores(objective, sets, seeds) if len(sets) else scores
    return search.gains


def _none(tasks: int, seeds: int) -> TrainedSets:
    sets = np.zeros((0, tasks), dtype=bool)
    return TrainedSets(sets=sets, scores=np.zeros((seeds, 0, tasks)))


def _refuse_others(known: TrainedSets, tasks: int, seeds: int) -> None:
    found = (len(known.scores), known.sets.shape[1])
    if found != (seeds, tasks):
        raise InputError(
            f"known scores must be of {seeds} seeds and {tasks} tasks, found {found[0]} and {found[1]}"
        )


def _scores(objective: Objective, sets: Sets, seeds: Sequence[int]) -> Table:
    """``[S, n, T]`` scores of n sets with S seeds, as one population."""
    weights = np.tile(sets.astype(np.float64), (len(seeds), 1))
    scores = objective(weights, np.repeat(seeds, len(sets)).tolist())
    return np.asarray(scores, dtype=np.float64).reshape(len(seeds), *sets.shape)


def _refuse_infinite(scores: Table, tasks: tuple[str, ...]) -> None:
    infinite = np.isinf(scores).any(axis=(0, 1))
    if infinite.any():
        raise InputError(f"the score of task {tasks[int(infinite.argmax())]!r} is infinite")


def _paired(differences: Table) -> tuple[Table, Table]:
    """``[n, T]`` mean over the seeds that are defined, and its standard error (NaN for one seed)."""
    defined = ~np.isnan(differences)
    count = defined.sum(axis=0)
    mean = np.where(defined, differences, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(defined, (differences - mean) ** 2, 0.0).sum(axis=0)
    error = np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1))
    return np.where(count > 0, mean, np.nan), np.where(count > 1, error, np.nan)
