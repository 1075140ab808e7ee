"""The batches of an epoch, a pure function of the seed, the epoch and the members' weights.

Where all tasks are labelled on the same rows, every member reads the same batches, and weights multiply the
losses. Where tasks are domains, each with rows of its own, weights are the rates at which a member's
batches sample the domains, and every row counts alike (multi-domain training: Royer et al. 2023, arXiv
2310.08910).
Letters: P members, T tasks, N training rows, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.data.dataset import Development, TaskData, Units
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


def batches_in_epoch(development: Development, recipe: Recipe) -> int:
    """Optimizer steps in an epoch, the same for every fold."""
    return batch_count(development.training_size, recipe.batch_size)


def feed(
    development: Development, recipe: Recipe, epoch: int, weights: Tensor, seeds: Sequence[int]
) -> Iterator[tuple[Batch, Tensor]]:
    """The batches of an epoch and the members' ``[P, T]`` loss weights in each.

    All batches have the same size; fewer rows than there are batches are left out of an epoch. Members
    that leave out different folds read different rows.

    Args:
        development: All rows, and the folds.
        recipe: Batch size and seed.
        epoch: Number of the epoch.
        weights: ``[P, T]`` the members' own weights.
        seeds: ``[P]`` their seeds.
    """
    data, domains = development.rows, bool(development.rows.domains)
    shares = weights / weights.sum(dim=1, keepdim=True) if domains else weights[:, :0]
    folds = torch.tensor([[seed % max(1, len(development.folds))] for seed in seeds])
    streams, member = torch.unique(torch.cat([folds, shares], 1), dim=0, return_inverse=True)
    drawn = torch.stack(
        [_rows(development, int(stream[0]), recipe, epoch, stream[1:]) for stream in streams]
    )
    units = [development.units_of(seed) for seed in seeds]
    for rows in drawn.unbind(dim=1):
        batch = take(data, rows[0] if len(streams) == 1 else rows[member])
        counts = (batch.shares > 0).sum(dim=-1)
        own = (counts / batch.size).expand(len(weights), -1) if domains else weights
        yield _in_units(batch, units), own


def _rows(development: Development, seed: int, recipe: Recipe, epoch: int, rates: Tensor) -> Tensor:
    """``[batches, B]`` rows of an epoch, of one fold and at one vector of sampling rates."""
    rows, count = development.fold(seed).train, batches_in_epoch(development, recipe)
    slots = development.training_size // count * count
    if development.rows.domains:
        found = draw_rows(development.rows, rows, (recipe.data_seed, epoch), slots, rates)
    else:
        order = np.random.default_rng((recipe.data_seed, epoch)).permutation(rows)
        found = torch.from_numpy(order[:slots])
    return found.view(count, -1)


def draw_rows(
    data: TaskData, rows: NDArray[np.intp], seed: tuple[int, int], slots: int, rates: Tensor
) -> Tensor:
    """``[slots]`` rows, each slot's domain drawn by the ``[T]`` rates.

    For every slot the domains run a race: domain d arrives after an exponential time of rate p_d, and the
    first wins, which it does with probability p_d / Σ p. The times are the same for all rates, and belong
    to the domain, whatever its place: nearly equal rates read nearly the same rows. A domain's rows come in
    random order, each once before any comes again.

    Args:
        data: Rows of all domains.
        rows: Which of them may be drawn.
        seed: Of an epoch.
        slots: How many to draw.
        rates: Of the domains, at least one above 0.
    """
    draws = [np.random.default_rng((*seed, own)) for own in data.domains]
    times = torch.from_numpy(np.stack([draw.exponential(size=slots) for draw in draws]))
    winner = (times / rates.unsqueeze(1)).argmin(dim=0)
    found = torch.empty_like(winner)
    labelled = data.mask.numpy()[rows]
    for domain, draw in enumerate(draws):
        own, won = rows[labelled[:, domain]], winner == domain
        most = int(won.sum())
        if most:
            turns = [draw.permutation(own) for _ in range(-(-most // len(own)))]
            found[won] = torch.from_numpy(np.concatenate(turns)[:most])
    return found


def _in_units(batch: Batch, units: Sequence[Units | None]) -> Batch:
    """The batch with every member's labels in the units of its fold."""
    known = [own for own in units if own is not None]
    if not known:
        return batch
    if batch.common:
        known = known[:1]
    mean, scale = (
        torch.stack([getattr(own, part) for own in known]).unsqueeze(-1)
        for part in ("mean", "scale")
    )
    targets = (batch.targets - mean) / scale
    return replace(batch, targets=targets[0] if batch.common else targets)


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
