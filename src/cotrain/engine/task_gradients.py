"""The gradients of a training step, made when a method asks for them.

A method may weigh the losses, and heads and shared part follow the same weights; or look at each task's own
gradient by the shared parameters and steer the shared part along any direction.
Letters: P members, T tasks, C vectors, O outputs, B rows, D shared parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from cotrain.engine.directions import Dense
from cotrain.engine.executors.base import Executor, Pass
from cotrain.engine.state import Tensors, is_shared
from cotrain.engine.step import TrainingStep
from cotrain.errors import InputError

PART = 1 << 19  # numbers multiplied at a time, so that what is cast to float32 stays in the cache


@dataclass(frozen=True, kw_only=True)
class TaskGradients(Dense):
    """One member's T gradients, of each task's own loss by the shared parameters; zero without labels.

    Args:
        step: The training step that they belong to.
        member: The member's row in it.
        tensors: Shared parameter → ``[T, ...]``.

    >>> own = {"w": torch.tensor([[3.0, 4.0], [0.0, 1.0]]), "b": torch.tensor([[1.0], [2.0]])}
    >>> found = TaskGradients(step=None, member=0, tensors=own)
    >>> found.gram
    tensor([[26.,  6.],
            [ 6.,  5.]])
    >>> found.flat_mix(torch.tensor([1.0, -1.0]))
    tensor([ 3.,  3., -1.])
    """

    step: TrainingStep
    member: int

    @cached_property
    def gram(self) -> Tensor:
        """``[T, T]`` inner products, in float32 whatever the precision of the gradients."""
        tasks = len(next(iter(self.tensors.values())))
        total = torch.zeros(tasks, tasks)
        for part in self._parts():
            total.addmm_(part, part.T)
        return total

    @cached_property
    def matrix(self) -> Tensor:
        """``[T, D]`` float32, the parameters in their order."""
        return torch.cat(list(self._parts()), dim=1)

    def flat_mix(self, weights: Tensor) -> Tensor:
        """``[D]`` float32 sum from ``[T]`` weights, or ``[C, D]`` from ``[C, T]``."""
        return torch.cat([weights @ part for part in self._parts()], dim=-1)

    def _parts(self) -> Iterator[Tensor]:
        """All parameters in ``[T, ·]`` float32 parts."""
        for tensor in self.tensors.values():
            rows = tensor.reshape(len(tensor), -1)
            for part in torch.split(rows, max(1, PART // len(rows)), dim=1):
                yield part.float()


@dataclass(frozen=True, kw_only=True)
class StepGradients:
    """The gradients of a training step. Valid until the executor's next training pass.

    Args:
        step: The step, between its forward and its backward pass.
        passed: The training pass.
        executor: Who computed it.
        weight_decays: ``[P]`` decoupled weight decay of each member.
    """

    step: TrainingStep
    passed: Pass
    executor: Executor
    weight_decays: Sequence[float]

    def weighted(self, weights: Tensor) -> Tensors:
        """Like ``state.params``, of ``Σ_t weights[p, t] · loss_t``; may be reused by the next call."""
        if not (self.step.optimizer.by_task and any(map(is_shared, self.step.state.params))):
            return self.passed.gradients(self._output_gradient(weights))
        own = [self.toward(*pair) for pair in zip(self.of_tasks(), weights, strict=True)]
        return self.steered(self.of_heads(weights), own)

    def of_heads(self, weights: Tensor) -> Tensors:
        """The same of the heads' parameters only."""
        return self.passed.head_gradients(self._output_gradient(weights))

    def of_tasks(self) -> Iterator[TaskGradients]:
        """Each task's own gradient by the shared parameters, member by member.

        Raises:
            InputError: If no shared parameter can be trained.
        """
        if not any(map(is_shared, self.step.state.params)):
            raise InputError(
                "the encoder has no parameter that can be trained, so the tasks' gradients share nothing: "
                "unfreeze some of its layers, or weigh the losses only"
            )
        output_gradient = self._output_gradient(torch.ones_like(self.step.weights))
        found = self.passed.task_gradients(output_gradient, self.step.task_losses.slices)
        for member, tensors in enumerate(found):
            yield TaskGradients(step=self.step, member=member, tensors=tensors)

    def toward(self, tasks: TaskGradients, weights: Tensor) -> Tensor:
        """One member's direction from ``[T]`` weights: ``[D]``, or ``[T, D]`` for an optimizer by task."""
        if self.step.optimizer.by_task:
            return weights.unsqueeze(1) * tasks.matrix
        return tasks.flat_mix(weights)

    def steered(self, heads: Tensors, directions: Sequence[Tensor]) -> Tensors:
        """What the optimizer is given: the heads' gradients, and ``[P]`` directions of the shared part.

        Raises:
            InputError: If the optimizer wants each task's own gradient, and a direction has no tasks.
        """
        if self.step.optimizer.by_task and any(direction.dim() == 1 for direction in directions):
            raise InputError(
                f"{self.step.optimizer} keeps moments for each task, but this direction is no weighted sum "
                "of the tasks' gradients: take an aggregator that weighs them, such as UPGrad(), or "
                "another optimizer"
            )
        return heads | shared_parts(self.step.state.params, torch.stack(list(directions)))

    def _output_gradient(self, weights: Tensor) -> Tensor:
        batch = self.step.batch
        return self.step.task_losses.output_gradient(
            self.step.outputs, batch.targets, batch.shares, weights
        )


def shared_parts(like: Tensors, vectors: Tensor) -> Tensors:
    """``[..., D]`` vectors cut into the shared parameters among ``like``: name → ``[..., ...]``.

    >>> shared_parts({"encoder.w": torch.zeros(1, 2), "head.w": torch.zeros(1, 4)}, torch.ones(1, 2))
    {'encoder.w': tensor([[1., 1.]])}
    """
    shared = {name: tensor for name, tensor in like.items() if is_shared(name)}
    columns = torch.split(vectors, [tensor[0].numel() for tensor in shared.values()], dim=-1)
    return {
        name: column.reshape(*vectors.shape[:-1], *tensor.shape[1:])
        for (name, tensor), column in zip(shared.items(), columns, strict=True)
    }
