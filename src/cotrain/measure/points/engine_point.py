"""A point of the population engine's training: one member, one batch, read without leaving a trace.

The network is in evaluation mode: no dropout, BatchNorm from its running statistics. The fused head never
enters a backward pass: each task's gradient by the features is its own rows of the head times its own
loss gradient, so no task walks the others' heads, and all go on together from there.
Letters: T tasks, C candidates, O outputs, B rows, H features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from cotrain.engine.directions import Dense, Directions, join
from cotrain.engine.executors.base import Executor
from cotrain.engine.models.multitask import HEAD, MultiTaskNet
from cotrain.engine.state import State
from cotrain.engine.step import TrainingStep
from cotrain.errors import InputError
from cotrain.measure.points.encoders import CHUNK_BYTES, shared_part


class EnginePoint:
    """A point of the population engine's training: one member on one batch.

    Args:
        net: The network, used as code only.
        executor: Predicts with many moved copies at once.
        step: A step of a run with a single member; its batch may hold fewer rows than the run's.
        weight_decay: Of the run, for the optimizer's own step.

    Raises:
        InputError: If nothing in the encoder can be trained.
    """

    def __init__(
        self,
        net: MultiTaskNet,
        executor: Executor,
        step: TrainingStep,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        self._net = net
        self._losses = step.task_losses
        self._executor = executor
        self._seen = step
        self._weight_decay = weight_decay
        self._shared = shared_part(net, executor, step.state, step.batch.inputs)

    @property
    def step(self) -> int:
        """Optimizer steps taken so far."""
        return self._seen.state.step

    @property
    def present(self) -> Tensor:
        """``[T]`` bool, whether the task has a label in the batch."""
        return self._seen.batch.present

    @property
    def labelled(self) -> Tensor:
        """``[T, B]`` bool, which cells of the batch are labelled."""
        return self._seen.batch.shares > 0

    @property
    def suspects(self) -> Tensor:
        """``[T]`` bool, all false: what is masked never enters the losses here."""
        return torch.zeros_like(self.present)

    @cached_property
    def losses(self) -> Tensor:
        """``[T]`` mean loss of each task over its labelled rows; NaN for an absent one."""
        return self._means(self._outputs)

    def task_gradients(self) -> Directions:
        """T gradients of :attr:`losses` by the shared parameters; zero for an absent task."""
        return self._task_gradients

    @cached_property
    def _task_gradients(self) -> Directions:
        """The tasks' gradients, kept because several instruments ask for them."""
        shares = self._seen.batch.shares[self._losses.task_of_output]
        return self._shared.directions(self._feature_gradients(self._output_gradient * shares))

    def example_gradients(self, tasks: Sequence[int], rows: Sequence[int]) -> Directions:
        """C gradients of single losses: task ``tasks[c]`` of row ``rows[c]``."""
        kept = sorted(set(rows))
        return self._on(kept)._single_gradients(tasks, [kept.index(row) for row in rows])

    def losses_after(self, moves: Directions) -> Tensor:
        """``[C, T]`` losses of the same batch after each move, heads unchanged."""
        bytes_each = self._outputs.numel() * self._outputs.element_size()
        chunks = moves.chunks(max(1, CHUNK_BYTES // bytes_each))
        return torch.cat([self._means(self._shared.outputs_after(chunk)) for chunk in chunks])

    def own_step(self, gradients: Directions) -> Dense:
        """C moves that the run's optimizer would make, each from one gradient alone."""
        if self._seen.optimizer.by_task:
            raise InputError(
                f"{self._seen.optimizer} keeps moments for each task and has no step for any gradient: "
                "look ahead by a plain step"
            )
        dense = gradients.dense()
        return join([self._own_step(row, dense) for row in range(dense.count)])

    def _own_step(self, row: int, gradients: Dense) -> Dense:
        one = {name: tensor[row : row + 1] for name, tensor in gradients.tensors.items()}
        ours = self._seen.state
        params, momentum, variance = (
            {name: tensors[name].clone() for name in one if name in tensors}
            for tensors in (ours.params, ours.momentum, ours.variance)
        )
        twin = State(
            params=params, buffers={}, momentum=momentum, variance=variance, step=ours.step
        )
        self._seen.optimizer.step(
            twin,
            one,
            learning_rates=self._seen.learning_rates,
            weight_decays=[self._weight_decay],
            untouched=torch.zeros(1, dtype=torch.bool),
        )
        return Dense(tensors={name: params[name] - ours.params[name] for name in one})

    def _on(self, rows: Sequence[int]) -> EnginePoint:
        """The same point with a part of its batch."""
        step = replace(self._seen, batch=self._seen.batch.part(torch.tensor(rows)))
        return EnginePoint(self._net, self._executor, step)

    def _single_gradients(self, tasks: Sequence[int], rows: Sequence[int]) -> Directions:
        by_task = self._feature_gradients(self._output_gradient)
        chosen = by_task.new_zeros(len(tasks), *by_task.shape[1:])
        at = list(range(len(tasks)))
        chosen[at, list(rows)] = by_task[list(tasks), list(rows)]
        return self._shared.directions(chosen)

    def _means(self, outputs: Tensor) -> Tensor:
        batch = self._seen.batch
        means = self._losses.means(outputs, batch.targets, batch.shares)
        return torch.where(batch.present, means, torch.nan)

    @property
    def _head(self) -> Tensor:
        """``[O, H]`` weights of the head, a row for each output."""
        return self._seen.state.params[f"{HEAD}weight"][0][self._losses.head_rows]

    @cached_property
    def _outputs(self) -> Tensor:
        """``[O, B]`` outputs of the network."""
        bias = self._seen.state.params[f"{HEAD}bias"][0][self._losses.head_rows]
        return self._head @ self._shared.features.T + bias.unsqueeze(1)

    @cached_property
    def _output_gradient(self) -> Tensor:
        """``[O, B]`` gradient of each single loss by its outputs; zero where unlabelled."""
        output_gradient = self._losses.per_example_gradient(self._outputs, self._seen.batch.targets)
        return torch.where(self.labelled[self._losses.task_of_output], output_gradient, 0.0)

    def _feature_gradients(self, output_gradient: Tensor) -> Tensor:
        """``[T, B, H]`` gradient of each task's loss by the features, from ``[O, B]`` by the outputs."""
        by_output = output_gradient.unsqueeze(2) * self._head.unsqueeze(1)
        if len(by_output) == len(self._losses.tasks):
            return by_output
        found = by_output.new_zeros(len(self._losses.tasks), *by_output.shape[1:])
        return found.index_add_(0, self._losses.task_of_output, by_output)
