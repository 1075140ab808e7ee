"""The training loop: one cohort of members, side by side, from the first batch to the last.

Letters: P members, T tasks, O outputs, N validation rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from cotrain.data.dataset import Development
from cotrain.engine.batches import batch_count, feed
from cotrain.engine.executors.base import Executor
from cotrain.engine.initial import initial_state
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses, label_shares
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.optimizers import learning_rate_share
from cotrain.engine.recipe import Recipe
from cotrain.engine.state import State, Tensors
from cotrain.engine.step import TrainingStep
from cotrain.engine.task_gradients import StepGradients

PREDICTION_ROWS = 4096  # rows predicted at a time


@dataclass(kw_only=True)
class Progress:
    """Where a cohort stands: everything that is needed to go on, or to stop here.

    Args:
        state: The active members' stacked tensors, in the order of ``active``.
        active: Row numbers (in the cohort) of the members still training.
        epoch: Epochs completed.
        loss: ``[P, T]`` best validation loss of each task so far; infinity where never measured.
        best_epoch: ``[P, T]`` the epoch (from 1) with that loss; 0 where none.
        outputs: ``[P, O, N]`` validation outputs, each task's from its best epoch.
        epochs_run: ``[P]`` epochs each member has trained.
        diverged: Members stopped because a validation loss was not finite.
        models: (member, epoch) → parameters and buffers, for every best epoch of some task.
    """

    state: State
    active: list[int]
    epoch: int
    loss: Tensor
    best_epoch: Tensor
    outputs: Tensor
    epochs_run: Tensor
    diverged: set[int] = field(default_factory=set)
    models: dict[tuple[int, int], Tensors] = field(default_factory=dict)


def start(
    cohort: Sequence[Member], architecture: Architecture, development: Development
) -> Progress:
    """A cohort before its first step."""
    members, tasks = len(cohort), len(development.tasks)
    return Progress(
        state=initial_state(architecture, cohort),
        active=list(range(members)),
        epoch=0,
        loss=torch.full((members, tasks), math.inf),
        best_epoch=torch.zeros((members, tasks), dtype=torch.int64),
        outputs=torch.zeros((members, architecture.outputs, len(development.valid))),
        epochs_run=torch.zeros(members, dtype=torch.int64),
    )


def train_cohort(
    cohort: Sequence[Member],
    progress: Progress,
    executor: Executor,
    development: Development,
    recipe: Recipe,
    *,
    until: int | None = None,
    after_epoch: Callable[[Progress], None] = lambda _: None,
    before_update: Callable[[TrainingStep], None] = lambda _: None,
) -> Progress:
    """Train a cohort to its end, from wherever ``progress`` stands.

    Each epoch: all batches, one fused pass forward and back and one optimizer step each; then validation,
    where every task of every member keeps its own best epoch (or a member one for all its tasks, see
    :class:`Recipe`); members without recent improvement stop and
    leave the stacked tensors.

    Args:
        cohort: The members, in the order of ``progress``; all with the same weighting and
            optimizer.
        progress: From :func:`start` or a checkpoint; changed in place and returned.
        executor: Computes gradients and outputs.
        development: Training and validation rows.
        recipe: Epochs, batch size, patience, schedule.
        until: Pause after so many epochs in all.
        after_epoch: Called with the progress, for checkpoints and displays.
        before_update: Called between the training pass and the update of every step, for measurements that
            leave no trace.
    """
    losses, method = TaskLosses(development.tasks), cohort[0].weighting
    optimizer = cohort[0].optimizer
    steps = recipe.epochs * batch_count(len(development.train), recipe.batch_size)
    while progress.active and progress.epoch < (recipe.epochs if until is None else until):
        members = [cohort[row].at(progress.epoch) for row in progress.active]
        weights = torch.tensor([member.weights for member in members])
        seeds = torch.tensor([member.seed for member in members])
        for batch, own in feed(development.train, recipe, progress.epoch, weights):
            state = progress.state
            state.set_keys(seeds)
            passed = executor.forward(state, batch)
            share = learning_rate_share(state.step, steps, recipe.warmup)
            step = TrainingStep(
                state=state,
                batch=batch,
                outputs=passed.outputs,
                learning_rates=[member.learning_rate * share for member in members],
                weights=own,
                task_losses=losses,
                optimizer=optimizer,
            )
            before_update(step)
            step_gradients = StepGradients(
                step=step,
                passed=passed,
                executor=executor,
                weight_decays=[member.weight_decay * recipe.weight_decay for member in members],
            )
            optimizer.step(
                state,
                method.gradients(step_gradients),
                learning_rates=step.learning_rates,
                weight_decays=step_gradients.weight_decays,
                untouched=losses.untouched(batch.present),
            )
            method.learn(step, partial(_losses_after, step, executor))
        method.end_epoch(progress.state)
        progress.epoch += 1
        _validate(progress, weights, executor, development, losses, recipe)
        _stop_members(progress, recipe)
        after_epoch(progress)
    return progress


def _losses_after(step: TrainingStep, executor: Executor) -> Tensor:
    """``[P, T]`` losses of a step's batch with its dropout, after its update; buffers stay as they are."""
    buffers = {name: buffer.clone() for name, buffer in step.state.buffers.items()}
    outputs = executor.forward(replace(step.state, buffers=buffers), step.batch).outputs
    return step.task_losses.means(outputs, step.batch.targets, step.batch.shares)


def _validate(
    progress: Progress,
    weights: Tensor,
    executor: Executor,
    development: Development,
    losses: TaskLosses,
    recipe: Recipe,
) -> None:
    """Measure the active members and keep what is each task's best so far."""
    valid, rows = development.valid, torch.tensor(progress.active)
    outputs = predict_outputs(executor, progress.state, valid.inputs)
    measured = losses.means(outputs, valid.targets.T, label_shares(valid.mask.T))
    progress.diverged |= {
        row
        for row, loss in zip(progress.active, measured, strict=True)
        if not loss.isfinite().all()
    }
    counted = (weights > 0) & valid.mask.any(dim=0)
    best = progress.loss[rows]
    if recipe.one_model:
        better = (_mean(measured, counted) < _mean(best, counted)).unsqueeze(1) & counted
    else:
        better = (measured < best) & counted  # NaN is never better
    progress.loss[rows] = torch.where(better, measured, best)
    progress.best_epoch[rows] = torch.where(better, progress.epoch, progress.best_epoch[rows])
    at_outputs = better[:, losses.task_of_output].unsqueeze(-1)
    progress.outputs[rows] = torch.where(at_outputs, outputs, progress.outputs[rows])
    progress.epochs_run[rows] = progress.epoch
    for at in better.any(dim=1).nonzero().flatten().tolist():
        row = progress.active[at]
        progress.models[row, progress.epoch] = progress.state.model(at)
        _forget_models(progress, row)


def _mean(losses: Tensor, counted: Tensor) -> Tensor:
    """``[P]`` unweighted means of the counted tasks' losses ``[P, T]``."""
    return torch.where(counted, losses, 0.0).double().sum(dim=1) / counted.sum(dim=1)


def _forget_models(progress: Progress, row: int) -> None:
    """Drop the member's models that are no longer any task's best."""
    needed = set(progress.best_epoch[row].tolist())
    for key in [key for key in progress.models if key[0] == row and key[1] not in needed]:
        del progress.models[key]


def _stop_members(progress: Progress, recipe: Recipe) -> None:
    """Take members out that diverged or have not improved for ``patience`` epochs."""
    latest = progress.best_epoch[progress.active].amax(dim=1)
    waiting = (progress.epoch - latest < recipe.patience).tolist()
    staying = [
        at for at, row in enumerate(progress.active) if waiting[at] and row not in progress.diverged
    ]
    if len(staying) < len(progress.active):
        progress.active = [progress.active[at] for at in staying]
        progress.state = progress.state.select(staying)


def predict_outputs(executor: Executor, state: State, inputs: Tensor) -> Tensor:
    """``[P, O, N]`` outputs for all rows, in bounded memory."""
    return torch.cat(
        [executor.outputs(state, part) for part in torch.split(inputs, PREDICTION_ROWS)], dim=-1
    )
