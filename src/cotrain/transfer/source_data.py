"""Some tasks of a data set as the sources of a transfer, and only so many of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from cotrain.data.taskdata import Development, Splits, TaskData
from cotrain.errors import InputError
from cotrain.transfer.targets import draw, only_tasks


def of_sources(development: Development, sources: Sequence[int]) -> Development:
    """Training and validation rows labelled for some tasks, with these tasks only."""
    train, valid = (only_tasks(data, sources) for data in (development.train, development.valid))
    return Development(train=train, valid=valid)


def named_sources(splits: Splits, names: Sequence[str]) -> Splits:
    """The same data set with some of its tasks only, in their own order; its test rows stay as they are.

    Raises:
        InputError: If one of them is not there.
    """
    tasks = [task.name for task in splits.tasks]
    missing = [name for name in names if name not in tasks]
    if missing:
        raise InputError(
            f"chosen source {missing[0]!r} is not among the targets: give the --targets, and with "
            "--domain the column, of cotrain sources"
        )
    wanted = [t for t, name in enumerate(tasks) if name in names]
    return replace(splits, development=of_sources(splits.development, wanted))


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
