"""Some tasks of a data set as the sources of a transfer, and only so many of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from cotrain.data.dataset import Development, TaskData
from cotrain.errors import InputError
from cotrain.transfer.targets import draw, only_tasks


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
