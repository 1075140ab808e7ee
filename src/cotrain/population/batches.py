"""The batches of a round: the same for every member, a pure function of the seed and the round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cotrain.data.taskdata import TaskData
from cotrain.models.losses import label_shares
from cotrain.population.member import Recipe


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of the training split as the executors read them.

    Args:
        inputs: ``[B, ...]``.
        targets: ``[T, B]``.
        shares: ``[T, B]`` 1 / number of labels of the task where labelled, else 0.
        present: ``[T]`` bool, whether the task has a label in the batch.
        rows: ``[B]`` row numbers in the training split.
    """

    inputs: Tensor
    targets: Tensor
    shares: Tensor
    present: Tensor
    rows: Tensor

    def part(self, rows: slice | Tensor) -> Batch:
        """Some of the rows; a task's loss is again the mean over those that are labelled."""
        mask = self.shares[:, rows] > 0
        return Batch(
            inputs=self.inputs[rows],
            targets=self.targets[:, rows],
            shares=label_shares(mask),
            present=mask.any(dim=1),
            rows=self.rows[rows],
        )


def batch_count(rows: int, batch_size: int) -> int:
    """Batches in a round: as many as it takes to keep each within ``batch_size``.

    >>> batch_count(1000, 256), batch_count(100, 256)
    (4, 1)
    """
    return max(1, -(-rows // batch_size))


def batches(data: TaskData, recipe: Recipe, round: int) -> Iterator[Batch]:
    """All batches have the same size; fewer rows than there are batches are left out of a round."""
    count = batch_count(len(data), recipe.batch_size)
    size = len(data) // count
    order = np.random.default_rng((recipe.data_seed, round)).permutation(len(data))
    for rows in torch.from_numpy(order[: count * size]).view(count, size):
        yield take(data, rows)


def take(data: TaskData, rows: Tensor) -> Batch:
    """The batch of the given rows."""
    mask = data.mask[rows].T
    return Batch(
        inputs=data.inputs[rows],
        targets=data.targets[rows].T.contiguous(),
        shares=label_shares(mask).contiguous(),
        present=mask.any(dim=1),
        rows=rows,
    )
