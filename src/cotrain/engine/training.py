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
from torch.nn import functional as F

from cotrain.data.dataset import Development, Units
from cotrain.engine.batches import batches_in_epoch, feed
from cotrain.engine.executors.base import Executor
from cotrain.engine.initial import initial_state
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses, label_shares, task_of_output
from cotrain.engine.models.multitask import HEAD, Architecture
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
        outputs: ``[P, O, N]`` outputs for the rows that each member leaves out, each task's from its best
            epoch; N is the most that one leaves out, and outputs beyond its own rows are 0.
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
        state=initial_state(architecture, cohort, development),
        active=list(range(members)),
        epoch=0,
        loss=torch.full((members, tasks), math.inf),
        best_epoch=torch.zeros((members, tasks), dtype=torch.int64),
        outputs=torch.zeros((members, architecture.outputs, most_held(development))),
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

    Each epoch: all batches, one fused pass forward and back and one optimizer step each; then validation
    on the rows that each member leaves out, where every task of every member keeps its own best epoch (or
    a member one for all its tasks, or the last one, see :class:`Recipe`); members without recent
    improvement stop and leave the stacked tensors.

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
    steps = recipe.epochs * batches_in_epoch(development, recipe)
    while progress.active and progress.epoch < (recipe.epochs if until is None else until):
        members = [cohort[row].at(progress.epoch) for row in progress.active]
        weights = torch.tensor([member.weights for member in members])
        seeds = [member.seed for member in members]
        for batch, own in feed(development, recipe, progress.epoch, weights, seeds):
            state = progress.state
            state.set_keys(torch.tensor(seeds))
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
        _validate(progress, weights, seeds, executor, development, losses, recipe)
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
    seeds: Sequence[int],
    executor: Executor,
    development: Development,
    losses: TaskLosses,
    recipe: Recipe,
) -> None:
    """Measure the active members and keep what is each task's best so far."""
    rows = torch.tensor(progress.active)
    outputs = held_outputs(executor, progress.state, development, seeds)
    measured, known = _losses_held(outputs, development, seeds, losses)
    progress.diverged |= {
        row
        for row, loss in zip(progress.active, measured, strict=True)
        if not loss.isfinite().all()
    }
    counted = (weights > 0) & known
    best = progress.loss[rows]
    if recipe.to_end:
        better = counted & measured.isfinite()
    elif recipe.one_model:
        better = (_mean(measured, counted) < _mean(best, counted)).unsqueeze(1) & counted
    else:
        better = (measured < best) & counted  # NaN is never better
    progress.loss[rows] = torch.where(better, measured, best)
    progress.best_epoch[rows] = torch.where(better, progress.epoch, progress.best_epoch[rows])
    at_outputs = better[:, losses.task_of_output].unsqueeze(-1)
    progress.outputs[rows] = torch.where(at_outputs, outputs, progress.outputs[rows])
    progress.epochs_run[rows] = progress.epoch
    for at in better.any(dim=1).nonzero().flatten().tolist():
        row, units = progress.active[at], development.units_of(seeds[at])
        model = progress.state.model(at)
        progress.models[row, progress.epoch] = _in_common_units(model, units, losses)
        _forget_models(progress, row)


def _losses_held(
    outputs: Tensor, development: Development, seeds: Sequence[int], losses: TaskLosses
) -> tuple[Tensor, Tensor]:
    """``[P, T]`` losses on the rows that the members leave out, and whether any is labelled."""
    found, known = [], []
    for own, seed in zip(outputs, seeds, strict=True):
        valid = development.cut(seed).valid
        shares = label_shares(valid.mask.T)
        found.append(losses.means(own[:, : len(valid)], valid.targets.T, shares))
        known.append(valid.mask.any(dim=0))
    return torch.stack(found), torch.stack(known)


def _in_common_units(model: Tensors, units: Units | None, losses: TaskLosses) -> Tensors:
    """A model of a fold whose head answers in the units of the tasks."""
    if units is None:
        return model
    mean, scale = (_by_head_row(values, losses) for values in (units.mean, units.scale))
    model[f"{HEAD}weight"] = model[f"{HEAD}weight"] * scale.unsqueeze(1)
    model[f"{HEAD}bias"] = model[f"{HEAD}bias"] * scale + mean
    return model


def _by_head_row(values: Tensor, losses: TaskLosses) -> Tensor:
    """``[R]`` of the head's rows from ``[T]`` of the tasks."""
    found = torch.zeros(int(losses.head_rows.max()) + 1)
    found[losses.head_rows] = values[losses.task_of_output]
    return found


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


def most_held(development: Development) -> int:
    """The most rows that a member leaves out."""
    return max(len(cut.valid) for cut in development.cuts)


def held_outputs(
    executor: Executor, state: State, development: Development, seeds: Sequence[int]
) -> Tensor:
    """``[P, O, N]`` outputs for the rows that each of P members leaves out, in the units of the tasks.

    Args:
        executor: Computes them.
        state: Of the members.
        development: The folds.
        seeds: ``[P]``.
    """
    if not development.folds:
        return predict_outputs(executor, state, development.valid.inputs)
    columns = task_of_output(development.tasks)
    found: list[Tensor] = [torch.empty(0)] * len(seeds)
    for fold in sorted({seed % len(development.folds) for seed in seeds}):
        rows = [at for at, seed in enumerate(seeds) if seed % len(development.folds) == fold]
        outputs = predict_outputs(executor, state.only(rows), development.cuts[fold].valid.inputs)
        units = development.units_of(fold)
        assert units is not None
        outputs = outputs * units.scale[columns].unsqueeze(1) + units.mean[columns].unsqueeze(1)
        outputs = F.pad(outputs, (0, most_held(development) - outputs.shape[-1]))
        for row, own in zip(rows, outputs, strict=True):
            found[row] = own
    return torch.stack(found)


def predict_outputs(executor: Executor, state: State, inputs: Tensor) -> Tensor:
    """``[P, O, N]`` outputs for all rows, in bounded memory."""
    return torch.cat(
        [executor.outputs(state, part) for part in torch.split(inputs, PREDICTION_ROWS)], dim=-1
    )
