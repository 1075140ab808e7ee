"""What training a population leaves behind: scores on validation, and the models to predict with.

Letters: P members, T tasks, O outputs, N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.executors.base import Executor
from cotrain.engine.member import Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.state import Tensors, stack_models
from cotrain.engine.training import Progress, predict_outputs
from cotrain.tasks import Task, output_slices, score

Models = dict[tuple[int, int], Tensors]
MODELS_AT_ONCE = 16  # models stacked for a prediction


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained population. Every task of every member speaks from its own best epoch.

    Args:
        members: The P members.
        loss: ``[P, T]`` validation loss at the best epoch; infinity for tasks of weight 0.
        best_epoch: ``[P, T]`` that epoch, from 1; 0 for tasks of weight 0.
        epochs_run: ``[P]`` epochs trained before the member stopped.
        outputs: ``[P, O, N]`` validation outputs at each task's best epoch.
        models: (member row, epoch) → parameters and buffers.
        diverged: ``[P]`` bool: stopped because a validation loss was not finite, maybe after good epochs.
        seconds: Time of computing, summed over the workers that train side by side.
    """

    members: tuple[Member, ...]
    loss: Tensor
    best_epoch: Tensor
    epochs_run: Tensor
    outputs: Tensor
    models: Models
    diverged: Tensor
    seconds: float

    def select(self, keep: Callable[[Member], bool]) -> Trained:
        """Only the members that ``keep`` says; seconds stay those of the whole training."""
        return self.take([row for row, member in enumerate(self.members) if keep(member)])

    def take(self, rows: Sequence[int]) -> Trained:
        """The members at the given rows, in that order; seconds stay those of the whole training."""
        place = {row: at for at, row in enumerate(rows)}
        return Trained(
            members=tuple(self.members[row] for row in rows),
            loss=self.loss[rows],
            best_epoch=self.best_epoch[rows],
            epochs_run=self.epochs_run[rows],
            outputs=self.outputs[rows],
            models={(place[p], r): m for (p, r), m in self.models.items() if p in place},
            diverged=self.diverged[rows],
            seconds=self.seconds,
        )

    def predict(self, executor: Executor, inputs: Tensor, tasks: Sequence[Task]) -> Tensor:
        """``[P, O, N]`` outputs on other rows, each task's from its best epoch."""
        return predict(self.models, self.best_epoch, executor, inputs, tasks)

    def serving(self, used: Tensor) -> tuple[Tensor, Models]:
        """What it takes to predict the tasks for which a member is used.

        Args:
            used: ``[P, T]`` bool.

        Returns:
            ``best_epoch`` with 0 where not used, and the models that are left.
        """
        epochs = torch.where(used, self.best_epoch, 0)
        needed = {(p, r) for p, row in enumerate(epochs.tolist()) for r in row if r}
        return epochs, {key: model for key, model in self.models.items() if key in needed}


def predict(
    models: Models, best_epoch: Tensor, executor: Executor, inputs: Tensor, tasks: Sequence[Task]
) -> Tensor:
    """``[P, O, N]`` outputs, each task's of each member from the model of its best epoch.

    Args:
        models: (member row, epoch) → parameters and buffers.
        best_epoch: ``[P, T]``; outputs of tasks with epoch 0 are 0.
        executor: Computes the outputs.
        inputs: ``[N, ...]``.
        tasks: The T tasks.
    """
    slices = output_slices(tasks)
    outputs = torch.zeros(len(best_epoch), slices[-1].stop, len(inputs))
    keys = list(models)
    for first in range(0, len(keys), MODELS_AT_ONCE):
        part = keys[first : first + MODELS_AT_ONCE]
        found = predict_outputs(executor, stack_models([models[key] for key in part]), inputs)
        for (row, epoch), output in zip(part, found, strict=True):
            for task in (best_epoch[row] == epoch).nonzero().flatten().tolist():
                outputs[row, slices[task]] = output[slices[task]]
    return outputs


def task_scores(
    outputs: Tensor, data: TaskData, *, known: Tensor, spreads: Sequence[float] | None = None
) -> NDArray[np.float64]:
    """``[P, T]`` score of each member's outputs on each task.

    Args:
        outputs: ``[P, O, N]``.
        data: N rows with labels.
        known: ``[P, T]`` bool: the outputs to score; the others' scores are NaN.
        spreads: ``[T]`` variance of the labels that R² refers to; the rows' own unless given.
    """
    found = predictions(data.tasks, outputs)
    scores = np.full(tuple(known.shape), np.nan)
    for t, task in enumerate(data.tasks):
        rows, target = data.labels(t)
        for p in known[:, t].nonzero().flatten().tolist():
            spread = None if spreads is None else spreads[t]
            scores[p, t] = score(task, found[t][p][rows], target, spread)
    return scores


def scores_held(
    outputs: Tensor, development: Development, seeds: Sequence[int], known: Tensor | None = None
) -> NDArray[np.float64]:
    """``[P, T]`` scores of each member on the rows that it leaves out; NaN where not defined.

    Of regressions in a fold the score is 1 − mean squared error / variance of all development labels: few
    rows left out have no spread of their own to speak of.

    Args:
        outputs: ``[P, O, N]`` for these rows.
        development: The folds.
        seeds: ``[P]``.
        known: ``[P, T]`` bool: what to score; all unless given.
    """
    found = []
    for at, seed in enumerate(seeds):
        valid = development.cut(seed).valid
        own = torch.ones(1, len(valid.tasks), dtype=torch.bool) if known is None else known[[at]]
        spreads = development.spreads if development.folds else None
        found.append(task_scores(outputs[[at], :, : len(valid)], valid, known=own, spreads=spreads))
    return np.concatenate(found)


def mixed(outputs: Tensor, share: Tensor, seeds: Sequence[int]) -> Tensor:
    """``[S, O, N]`` outputs of each seed's models, added up by their shares.

    Args:
        outputs: ``[P, O, N]``.
        share: ``[P]``, 0 for models that say nothing; those of a seed are made to sum to 1.
        seeds: ``[P]`` seed of each model.

    >>> mixed(torch.tensor([[[8.0]], [[4.0]], [[6.0]]]), torch.tensor([0.5, 0.5, 1.0]), [0, 0, 1])
    tensor([[[6.]],
    <BLANKLINE>
            [[6.]]])
    """
    rows: dict[int, list[int]] = {}
    for row in share.nonzero().flatten().tolist():
        rows.setdefault(seeds[row], []).append(row)
    parts = [
        (share[own, None, None] / share[own].sum() * outputs[own]).sum(dim=0)
        for _, own in sorted(rows.items())
    ]
    return torch.stack(parts)


def from_progress(cohort: Sequence[Member], progress: Progress, seconds: float) -> Trained:
    """The result of a cohort that has come to its end."""
    return Trained(
        members=tuple(cohort),
        loss=progress.loss,
        best_epoch=progress.best_epoch,
        epochs_run=progress.epochs_run,
        outputs=progress.outputs,
        models=progress.models,
        diverged=torch.tensor([row in progress.diverged for row in range(len(cohort))]),
        seconds=seconds,
    )


def merge(parts: Sequence[Trained]) -> Trained:
    """One population out of several."""
    firsts = [sum(len(part.members) for part in parts[:at]) for at in range(len(parts))]
    return Trained(
        members=tuple(member for part in parts for member in part.members),
        loss=torch.cat([part.loss for part in parts]),
        best_epoch=torch.cat([part.best_epoch for part in parts]),
        epochs_run=torch.cat([part.epochs_run for part in parts]),
        outputs=torch.cat([part.outputs for part in parts]),
        models={
            (first + p, r): model
            for first, part in zip(firsts, parts, strict=True)
            for (p, r), model in part.models.items()
        },
        diverged=torch.cat([part.diverged for part in parts]),
        seconds=sum(part.seconds for part in parts),
    )
