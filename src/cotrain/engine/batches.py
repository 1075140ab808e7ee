"""The batches of an epoch, a pure function of the seed, the epoch and the members' weights.

Where all tasks are labelled on the same rows, every member reads the same batches, and weights multiply the
losses. Where tasks are domains, each with rows of its own, weights are the rates at which a member's
batches sample the domains, and every row counts alike (multi-domain training: Royer et al. 2023, arXiv
2310.08910).
Letters: P members, T tasks, N training rows, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cotrain.data.dataset import TaskData
from cotrain.engine.models.losses import label_shares
from cotrain.engine.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of the training split as the executors read them.

    If each member has its own rows, every tensor has one more axis, the members, in front.

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

    @property
    def common(self) -> bool:
        """Whether all members read the same rows."""
        return self.rows.ndim == 1

    @property
    def size(self) -> int:
        """Rows that a member reads."""
        return self.rows.shape[-1]

    def of(self, member: int) -> Batch:
        """The rows of one member, as a batch for all."""
        if self.common:
            return self
        return Batch(
            inputs=self.inputs[member],
            targets=self.targets[member],
            shares=self.shares[member],
            present=self.present[member],
            rows=self.rows[member],
        )

    def part(self, rows: slice | Tensor) -> Batch:
        """Some of a common batch; a task's loss is again the mean over those that are labelled."""
        mask = self.shares[:, rows] > 0
        return Batch(
            inputs=self.inputs[rows],
            targets=self.targets[:, rows],
            shares=label_shares(mask),
            present=mask.any(dim=1),
            rows=self.rows[rows],
        )


def batch_count(rows: int, batch_size: int) -> int:
    """Batches in an epoch: as many as it takes to keep each within ``batch_size``.

    >>> batch_count(1000, 256), batch_count(100, 256)
    (4, 1)
    """
    return max(1, -(-rows // batch_size))


def feed(
    data: TaskData, recipe: Recipe, epoch: int, weights: Tensor
) -> Iterator[tuple[Batch, Tensor]]:
    """The batches of an epoch and the members' ``[P, T]`` loss weights in each.

    Args:
        data: The training rows.
        recipe: Batch size and seed.
        epoch: Number of the epoch.
        weights: ``[P, T]`` the members' own weights.
    """
    if not data.domains:
        for batch in batches(data, recipe, epoch):
            yield batch, weights
        return
    shares = weights / weights.sum(dim=1, keepdim=True)
    rates, member = torch.unique(shares, dim=0, return_inverse=True)
    drawn = draw_rows(data, recipe, epoch, rates)
    for rows in drawn.unbind(dim=1):
        batch = take(data, rows[0] if len(rates) == 1 else rows[member])
        counts = (batch.shares > 0).sum(dim=-1)
        yield batch, (counts / batch.size).expand(len(weights), -1)


def batches(data: TaskData, recipe: Recipe, epoch: int) -> Iterator[Batch]:
    """All batches have the same size; fewer rows than there are batches are left out of an epoch."""
    count = batch_count(len(data), recipe.batch_size)
    size = len(data) // count
    order = np.random.default_rng((recipe.data_seed, epoch)).permutation(len(data))
    for rows in torch.from_numpy(order[: count * size]).view(count, size):
        yield take(data, rows)


def draw_rows(data: TaskData, recipe: Recipe, epoch: int, rates: Tensor) -> Tensor:
    """``[R, batches, B]`` rows of an epoch, each slot's domain drawn by the ``[R, T]`` rates.

    For every slot the domains run a race: domain d arrives after an exponential time of rate p_d, and the
    first wins, which it does with probability p_d / Σ p. The times are the same for all rates, and belong
    to the domain, whatever its place: nearly equal rates read nearly the same rows. A domain's rows come in
    random order, each once before any comes again.
    """
    count = batch_count(len(data), recipe.batch_size)
    slots = len(data) // count * count
    draws = [np.random.default_rng((recipe.data_seed, epoch, seed)) for seed in data.domains]
    times = torch.from_numpy(np.stack([draw.exponential(size=slots) for draw in draws]))
    winner = torch.stack([(times / rate.unsqueeze(1)).argmin(dim=0) for rate in rates])
    found = torch.empty_like(winner)
    for domain, draw in enumerate(draws):
        own = data.mask[:, domain].nonzero().flatten().numpy()
        won = winner == domain
        most = int(won.sum(dim=1).max())
        order = np.concatenate(
            [draw.permutation(own) for _ in range(-(-most // len(own)))] or [own]
        )
        line = torch.from_numpy(order)
        for row in range(len(rates)):
            found[row, won[row]] = line[: int(won[row].sum())]
    return found.view(len(rates), count, -1)


def take(data: TaskData, rows: Tensor) -> Batch:
    """The batch of the given rows, ``[B]`` or ``[P, B]``."""
    mask = data.mask[rows].transpose(-1, -2)
    return Batch(
        inputs=data.inputs[rows],
        targets=data.targets[rows].transpose(-1, -2).contiguous(),
        shares=label_shares(mask).contiguous(),
        present=mask.any(dim=-1),
        rows=rows,
    )
