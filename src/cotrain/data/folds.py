"""Folds: what each of a cross-fitted population's models leaves out, so that every row can decide.

The model of seed s trains without the rows of fold s, and predicts them: together the models of all seeds
predict all development rows, none of which they have seen. Letters: N rows, U units, K folds, T tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cotrain.data.dataset import Development, Fold, TaskData
from cotrain.data.identity import row_keys
from cotrain.data.splits.stratify import label_strata, stratify

FEWEST, MOST = 5, 10  # folds; fewer seeds leave some folds undecided, more begin other folds
MOST_ROWS = 50_000  # above, a tenth of the rows decides well enough, and nobody waits for folds


def fold_count(seeds: int) -> int:
    """How many folds there are for so many models.

    >>> [fold_count(seeds) for seeds in (2, 5, 8, 20)]
    [5, 5, 8, 10]
    """
    return min(max(seeds, FEWEST), MOST)


def crossfitted(development: Development, *, seeds: int, seed: int) -> Development:
    """The same rows with a fold for every seed's model.

    Rows of equal inputs, and those of one unit, stay together; classes, quarters of regression labels and
    domains are spread evenly. Where rows have times, folds are blocks of time. (Models that see only what
    lies before a block would be judged as the test rows judge, but they would also ship without having
    seen the latest rows: on ETTh1 a mean R² of .65 against .74.) Above :data:`MOST_ROWS` rows, and where
    some fold would leave a task without labels to learn from, there are no folds: training and validation
    rows stay what they are.

    Args:
        development: Training and validation rows.
        seeds: Models of every weight vector; more than :data:`MOST` have folds drawn anew.
        seed: Draws the folds.

    >>> import torch
    >>> from cotrain.tasks import Kind, Task
    >>> def rows(count):
    ...     at = np.arange(float(count))[:, None]
    ...     return TaskData(inputs=torch.from_numpy(at).float() + count,
    ...         targets=torch.from_numpy(at % 3), mask=torch.ones(count, 1, dtype=torch.bool),
    ...         tasks=(Task(name="t", kind=Kind.REGRESSION),), columns=at, categorical=np.zeros(1, bool))
    >>> found = crossfitted(Development(train=rows(40), valid=rows(10)), seeds=5, seed=0)
    >>> [len(fold.held) for fold in found.folds], found.training_size
    ([10, 10, 10, 10, 10], 40)
    """
    data = development.rows
    if len(data) > MOST_ROWS:
        return development
    count = fold_count(seeds)
    folds = []
    for turn in range(-(-seeds // count)):
        if development.times is not None:
            folds += list(_blocks(development.times, count))
        else:
            codes = _units(development)
            given = development.units is not None
            held = _spread(data, codes, count, seed + 7919 * turn, by_size=given)
            folds += [
                Fold(train=np.flatnonzero(held != k), held=np.flatnonzero(held == k))
                for k in range(count)
            ]
    usable = all(len(fold.held) and _teaches(data, fold) for fold in folds)
    return replace(development, folds=tuple(folds)) if usable else development


def _units(development: Development) -> NDArray[np.int64]:
    """``[N]`` code of the rows that must stay together."""
    keys = np.unique(row_keys(development.rows.inputs), return_inverse=True)[1]
    if development.units is None:
        return keys.astype(np.int64)
    units = np.unique(development.units, return_inverse=True)[1]
    total = len(keys) + len(units)
    links = coo_array((np.ones(len(keys)), (keys, len(keys) + units)), shape=(total, total))
    component = connected_components(links, directed=False)[1]
    return np.unique(component[keys], return_inverse=True)[1].astype(np.int64)


def _spread(
    data: TaskData, codes: NDArray[np.int64], count: int, seed: int, *, by_size: bool
) -> NDArray[np.int64]:
    """``[N]`` the fold that leaves out each row."""
    sizes = np.bincount(codes)
    if by_size:
        return _by_size(sizes, count, seed)[codes]
    values = np.where(data.mask.numpy(), data.targets.double().numpy(), np.nan)
    strata = label_strata(values, data.tasks)
    of_unit = np.zeros((len(sizes), strata.shape[1]), dtype=bool)
    np.logical_or.at(of_unit, codes, strata)
    return stratify(of_unit, (1 / count,) * count, seed).astype(np.int64)[codes]


def _by_size(sizes: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """``[U]`` fold of each unit: the largest first, each to the smallest fold."""
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    filled, fold = np.zeros(count, dtype=np.int64), np.zeros(len(sizes), dtype=np.int64)
    for unit in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold[unit] = filled.argmin()
        filled[fold[unit]] += sizes[unit]
    return fold


def _blocks(times: NDArray[np.float64], count: int) -> Iterator[Fold]:
    """Rows that lie together in time, as many in each block; equal times are never parted."""
    order = np.argsort(times, kind="stable")
    sorted_times = times[order]
    wanted = np.linspace(0, len(times), count + 1).round().astype(int)
    cuts = [int(np.searchsorted(sorted_times, sorted_times[at])) for at in wanted[:-1]]
    for begin, end in zip(cuts, [*cuts[1:], len(times)], strict=True):
        others = np.concatenate([order[:begin], order[end:]])
        yield Fold(train=np.sort(others), held=np.sort(order[begin:end]))


def _teaches(data: TaskData, fold: Fold) -> bool:
    """Whether the training rows show two classes, or two values, of every task that has them."""
    targets, mask = data.targets.numpy(), data.mask.numpy()

    def shown(rows: NDArray[np.intp] | slice, t: int) -> int:
        return len(np.unique(targets[rows, t][mask[rows, t]]))

    return all(
        shown(fold.train, t) >= min(2, shown(slice(None), t)) for t in range(len(data.tasks))
    )
