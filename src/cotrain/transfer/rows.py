"""Sources or one target of a data set, and some of their rows. Letters: N rows, T tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.data.dataset import Development, TaskData
from cotrain.errors import InputError
from cotrain.tasks import Kind, Task


def only_tasks(data: TaskData, at: Sequence[int]) -> TaskData:
    """The rows labelled for some tasks, with these tasks only."""
    columns = list(at)
    labelled = data.rows(data.mask[:, columns].any(dim=1).nonzero().flatten())
    return replace(
        labelled,
        targets=labelled.targets[:, columns],
        mask=labelled.mask[:, columns],
        tasks=tuple(data.tasks[t] for t in columns),
        domains=tuple(data.domains[t] for t in columns) if data.domains else (),
    )


def only_target(data: TaskData, target: int) -> TaskData:
    """The rows labelled for one task, with this task only, which is no domain among others."""
    return replace(only_tasks(data, [target]), domains=())


def of_target(development: Development, target: int) -> Development:
    """Training and validation rows of one task."""
    return Development(
        train=only_target(development.train, target), valid=only_target(development.valid, target)
    )


def with_rows(development: Development, rows: int | None, seed: int) -> Development:
    """The target with so many of its training rows; the validation rows stay.

    Classes keep their proportions, and each class that training has is drawn at least once. Of one seed, a
    class's rows at a smaller number are among those at a larger one.

    Args:
        development: Of one target, as :func:`of_target` makes it.
        rows: How many; None for all.
        seed: Of the draw.

    Raises:
        InputError: If there are fewer classes than rows, or fewer rows than asked for.
    """
    train = development.train
    if rows is None:
        return development
    if rows > len(train):
        raise InputError(
            f"{train.tasks[0].name!r} has {len(train):,} training rows: ask for fewer than {rows:,}"
        )
    labels = train.targets[:, 0].numpy()
    return replace(development, train=train.rows(draw(labels, rows, train.tasks[0], seed)))


def draw(labels: NDArray[np.float32], rows: int, task: Task, seed: int) -> NDArray[np.intp]:
    """``[rows]`` places in ``labels [N]``, in growing order."""
    strata = np.zeros(len(labels)) if task.kind is Kind.REGRESSION else labels
    classes, sizes = np.unique(strata, return_counts=True)
    if rows < len(classes):
        raise InputError(f"{rows} rows cannot show the {len(classes)} classes of {task.name!r}")
    rng = np.random.default_rng(seed)
    order = [rng.permutation(np.flatnonzero(strata == value)) for value in classes]
    counts = shares(sizes, rows)
    return np.sort(np.concatenate([own[:count] for own, count in zip(order, counts, strict=True)]))


def shares(sizes: NDArray[np.intp], rows: int) -> NDArray[np.intp]:
    """``[C]`` rows of each class: one each, the rest by what is missing most to its proportion.

    >>> shares(np.array([90, 10]), 16), shares(np.array([97, 3]), 16)
    (array([14,  2]), array([15,  1]))
    """
    counts = np.ones(len(sizes), dtype=np.intp)
    wanted = rows * sizes / sizes.sum()
    for _ in range(rows - len(sizes)):
        counts[np.argmax(np.where(counts < sizes, wanted - counts, -np.inf))] += 1
    return counts


def of_sources(development: Development, sources: Sequence[int]) -> Development:
    """Training and validation rows labelled for some tasks, with these tasks only."""
    train, valid = (only_tasks(data, sources) for data in (development.train, development.valid))
    return Development(train=train, valid=valid)


def first_rows(sources: Development, order: Sequence[int], rows: int) -> Development:
    """So many training rows at most, those of earlier sources first; the validation rows stay.

    A row that several sources label is read once, with all of their labels. Of the last source that has
    room the rows are drawn, the same every time.

    Args:
        sources: Training and validation rows.
        order: Places of sources.
        rows: How many.
    """
    mask = sources.train.mask.numpy()
    taken, draw = np.zeros(len(mask), dtype=bool), np.random.default_rng(0)
    for s in order:
        own = np.flatnonzero(mask[:, s] & ~taken)
        taken[draw.permutation(own)[: max(0, rows - int(taken.sum()))]] = True
    return replace(sources, train=sources.train.rows(np.flatnonzero(taken)))


def with_labels(sources: Development, labels: int, seed: int) -> Development:
    """Every source with so many of its training labels; the validation rows stay.

    Classes keep their proportions, and of one seed the labels of a smaller number are among those of a
    larger one.

    Raises:
        InputError: If a source has fewer.
    """
    train = sources.train
    mask = torch.zeros_like(train.mask)
    for s, task in enumerate(train.tasks):
        rows, own = train.labels(s)
        if labels > len(rows):
            raise InputError(
                f"source {task.name!r} has {len(rows):,} training labels, not {labels:,}: use fewer "
                "examples, or leave it out"
            )
        mask[torch.from_numpy(rows[draw(own.astype("float32"), labels, task, seed)]), s] = True
    kept = replace(train, mask=mask)
    return replace(sources, train=kept.rows(mask.any(dim=1).nonzero().flatten()))


def rows_of(train: TaskData, sources: Sequence[int]) -> int:
    """Training rows with a label of some sources: what one pass over them reads."""
    return int(train.mask[:, list(sources)].any(dim=1).sum())
