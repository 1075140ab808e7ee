"""Who predicts the gains of all sets from those of a few, and who chooses which to train."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.common.arrays import Array, Sets
from benchmarks.sampled_gains.published import Table
from cotrain.grouping import Grouping, SubsetSearch, best_cover
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gains.surrogate import Surrogate


def realised(table: Table, predicted: Array, groups: int) -> float:
    """Mean test gain of the plan that the predictions choose among all sets."""
    return _served(table, best_cover(table.sets, predicted, groups))


def _served(table: Table, plan: Grouping) -> float:
    row = {tuple(np.flatnonzero(one).tolist()): at for at, one in enumerate(table.sets)}
    served = [plan.group_of(t) for t in range(len(plan.server))]
    return float(np.mean([table.test[row[group], t] for t, group in enumerate(served)]))


def ridge(sets: Sets, gain: Array, asked: Sets) -> Array:
    """One regression a task on indicators of the others and of their pairs; measured gains stay."""
    predicted = np.full(asked.shape, np.nan)
    for task in range(sets.shape[1]):
        known, wanted = sets[:, task] & np.isfinite(gain[:, task]), asked[:, task]
        x, y = _features(sets[known], task), gain[known, task]
        weight = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
        predicted[wanted, task] = _features(asked[wanted], task) @ weight
    measured = trained_only(sets, gain, asked)
    return np.where(np.isfinite(measured), measured, predicted)


def trained_only(sets: Sets, gain: Array, asked: Sets) -> Array:
    """What was measured, and nothing of the other sets."""
    row = {one.tobytes(): at for at, one in enumerate(asked)}
    predicted = np.full(asked.shape, np.nan)
    predicted[[row[one.tobytes()] for one in sets]] = gain
    return predicted


def _features(sets: Sets, task: int) -> Array:
    others = np.delete(sets, task, axis=1).astype(float)
    i, j = np.triu_indices(others.shape[1], 1)
    return np.concatenate([others, others[:, i] * others[:, j]], axis=1)


def surrogate(sets: Sets, gain: Array, asked: Sets) -> Array:
    known = Gains.empty([str(t) for t in range(sets.shape[1])]).extended(sets, gain)
    return Surrogate.fit(known).mean(asked)


PREDICTORS = {"trained": trained_only, "ridge": ridge, "random": surrogate}


def with_random_sets(predict: Callable[..., Array], table: Table, trained: int, seed: int) -> Array:
    """Predictions for all sets from the singles, the set of all tasks and random others."""
    size = table.sets.sum(axis=1)
    fixed = np.flatnonzero((size == 1) | (size == len(table.sets[0])))
    others = np.setdiff1d(np.arange(len(size)), fixed)
    rows = np.concatenate([fixed, np.random.default_rng(seed).permutation(others)[:trained]])
    return predict(table.sets[rows], table.valid[rows], table.sets)


def searches(
    table: Table, trained: tuple[int, ...], groups: int, seed: int, at_once: int
) -> Iterator[SubsetSearch]:
    """One search, yielded each time so many sets were trained."""
    tasks = table.sets.shape[1]
    names = tuple(str(t) for t in range(tasks))
    search = SubsetSearch(tasks=names, max_groups=groups, seed=seed, candidates=table.sets)
    row = {one.tobytes(): at for at, one in enumerate(table.sets)}
    for at, wanted in enumerate((0, *trained)):
        while (left := tasks + 1 + wanted - len(search.gains.sets)) > 0:
            asked = search.ask(min(at_once, left) if at else left)
            search.tell(asked, table.valid[[row[one.tobytes()] for one in asked]])
        if at:
            yield search


def active(
    table: Table, trained: tuple[int, ...], groups: int, seed: int, at_once: int
) -> list[float]:
    """Realised gain after each number of trained sets, all in one search."""
    found = searches(table, trained, groups, seed, at_once)
    return [_served(table, search.plan()) for search in found]
