"""Cross-fitting cuts of tiny data: every row is left out once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from cotrain.data.dataset import Development, TaskData


def cuts_of(data: TaskData, folds: int) -> list[Development]:
    """``[S]`` one a fold; row n is in fold n modulo S."""
    fold = np.arange(len(data)) % folds
    return [
        Development(
            train=data.rows(np.flatnonzero(fold != s)), valid=data.rows(np.flatnonzero(fold == s))
        )
        for s in range(folds)
    ]


def other_labels(data: TaskData, rows: slice) -> TaskData:
    """The data with other labels of every task in some rows, and the same labels missing."""
    targets = data.targets.clone()
    for t, task in enumerate(data.tasks):
        own = targets[rows, t]
        targets[rows, t] = (own + 1) % len(task.classes) if task.classes else 3.0 - own
    return replace(data, targets=torch.where(data.mask, targets, 0.0))
